// Copy buttons stand inside an element with data-copy, or one with data-copy-from naming another's id.
import { announce } from "./toast.js";

// Copies, or where browsers forbid that selects what shows the text; tells whether it was copied.
export async function copyText(text, source) {
  if (navigator.clipboard && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return true;
  }
  const range = document.createRange();
  range.selectNodeContents(source);
  const selection = window.getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
  return false;
}

export function enableCopying() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest(".copy");
    const holder = button?.closest("[data-copy]");
    if (!holder) return;
    const copied = await copyText(holder.dataset.copy, holder.firstElementChild);
    if (!copied) return;
    button.classList.add("is-done");
    announce(button.dataset.done);
    setTimeout(() => button.classList.remove("is-done"), 2000);
  });
}
