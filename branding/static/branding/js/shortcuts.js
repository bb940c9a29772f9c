// Single keys: off where somebody types, in open dialogs, and for whoever turned them off (WCAG 2.1.4).
import { ask, nodesOf } from "./fragments.js";

const TYPING = "input, textarea, select, [contenteditable]";

const rows = () => [...document.querySelectorAll("main table tbody tr")];
const goalOf = (row) => row.querySelector("a[href], button, input, summary");

function move(step) {
  const all = rows();
  if (!all.length) return;
  const at = all.findIndex((row) => row.contains(document.activeElement));
  const next = at < 0 ? (step > 0 ? 0 : all.length - 1) : Math.min(Math.max(at + step, 0), all.length - 1);
  const link = all[next].querySelector("th a[href], td a[href]");
  (link ?? goalOf(all[next]))?.focus();
}

function select() {
  const row = rows().find((each) => each.contains(document.activeElement));
  row?.querySelector('input[type="checkbox"]')?.click();
}

async function showList() {
  const dialog = document.querySelector("dialog[data-shortcut-list]");
  if (!dialog) return;
  try {
    const nodes = await nodesOf(await ask(dialog.dataset.address));
    dialog.querySelector("[data-shortcut-body]").replaceChildren(...nodes);
  } catch {
    return;
  }
  const opener = document.activeElement;
  dialog.showModal();
  dialog.addEventListener("close", () => opener?.focus?.(), { once: true });
}

const KEYS = {
  "/": () => document.querySelector("[data-search-open]")?.click(),
  n: () => document.querySelector("[data-bell]")?.click(),
  j: () => move(1),
  k: () => move(-1),
  x: select,
  "?": showList,
};

export function enableShortcuts() {
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey) return;
    if (document.body.dataset.shortcuts !== "on") return;
    if (event.target.closest?.(TYPING) || document.querySelector("dialog[open]")) return;
    const action = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
    if (!action) return;
    event.preventDefault();
    action();
  });
}
