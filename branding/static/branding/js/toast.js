// Short messages in the lower corner; the region is announced by screen readers.
const region = () => document.getElementById("toasts");
const VISIBLE_MS = 6000;
const MOST = 3;

export function announce(text, kind = "info") {
  const holder = region();
  if (!holder || !text) return;
  while (holder.children.length >= MOST) holder.firstElementChild.remove();
  const toast = document.createElement("div");
  toast.className = `toast notice notice-${kind}`;
  toast.dataset.testid = "toast";
  toast.textContent = text;
  holder.append(toast);
  let timer = setTimeout(() => toast.remove(), VISIBLE_MS);
  toast.addEventListener("mouseenter", () => clearTimeout(timer));
  toast.addEventListener("mouseleave", () => {
    timer = setTimeout(() => toast.remove(), VISIBLE_MS);
  });
}
