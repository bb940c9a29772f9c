// What has data-confirm asks in a dialog: the same question that is a page of its own without scripts.
async function ask(address, options, opener) {
  const response = await fetch(address, {
    ...options,
    headers: { "HX-Request": "true", Accept: "text/html" },
  });
  if (!response.ok || response.redirected) return false;
  const parsed = new DOMParser().parseFromString(await response.text(), "text/html");
  const form = parsed.querySelector("form");
  if (!form) return false;
  show(form, opener);
  return true;
}

function show(form, opener) {
  const dialog = document.createElement("dialog");
  const heading = document.createElement("h2");
  heading.id = "confirm-heading";
  heading.textContent = form.dataset.title || opener.getAttribute("aria-label") || opener.textContent;
  dialog.setAttribute("aria-labelledby", heading.id);
  dialog.append(heading, form);
  document.body.append(dialog);
  dialog.addEventListener("close", () => {
    dialog.remove();
    opener.focus();
  });
  dialog.showModal();
  // Never the button that destroys something: what can be typed in, or the way back.
  (dialog.querySelector("textarea, input:not([type=hidden])") || dialog.querySelector("[data-dialog-close]"))?.focus();
}

export function enableConfirmation() {
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a[data-confirm]");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    const shown = await ask(link.href, {}, link).catch(() => false);
    if (!shown) location.assign(link.href);
  });
  document.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (event.defaultPrevented || !button?.hasAttribute("data-confirm")) return;
    event.preventDefault();
    const form = event.target;
    const body = new FormData(form, button);
    // Not form.action, which here is the buttons of that name.
    const shown = await ask(form.getAttribute("action"), { method: "POST", body }, button).catch(() => false);
    if (shown) return;
    // The server has something to say instead of asking; that is a page.
    const choice = document.createElement("input");
    Object.assign(choice, { type: "hidden", name: button.name, value: button.value });
    form.append(choice);
    form.submit();
  });
}
