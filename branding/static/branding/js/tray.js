// The bell: how many notifications are new, whether anything is under way, and both in a dialog.
import { ask, nodesOf } from "./fragments.js";
import { announce } from "./toast.js";

export function enableTray() {
  const bell = document.querySelector("[data-bell]");
  const dialog = document.querySelector("dialog[data-tray]");
  if (!bell || !dialog) return;
  const body = dialog.querySelector("[data-tray-body]");
  const failed = dialog.querySelector("[data-tray-failed]");
  const count = bell.querySelector("[data-bell-count]");
  const busy = bell.querySelector("[data-bell-busy]");
  const title = document.title;
  let known = null;

  const load = async () => {
    try {
      body.replaceChildren(...(await nodesOf(await ask(bell.href))));
      failed.hidden = true;
    } catch {
      failed.hidden = false;
    }
  };

  bell.addEventListener("click", async (event) => {
    // On the page of all notifications the link leads to it again, fresh.
    if (event.ctrlKey || event.metaKey || location.pathname === new URL(bell.href).pathname) return;
    event.preventDefault();
    await load();
    // The news may be that the session has ended, which has a dialog of its own.
    if (document.querySelector("dialog[open]")) return;
    dialog.showModal();
    dialog.addEventListener("close", () => bell.focus(), { once: true });
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("dialog[data-tray] form[data-mark-read]");
    if (!form) return;
    event.preventDefault();
    await ask(form.action, { method: "POST", body: new FormData(form) }).catch(() => null);
    await load();
    dialog.querySelector("h2").focus();
    document.dispatchEvent(new CustomEvent("shell:ask"));
  }, true);

  document.addEventListener("shell:state", (event) => {
    const { unread, tasks } = event.detail;
    count.hidden = !unread;
    count.textContent = unread > 99 ? "99+" : String(unread);
    if (unread) {
      const label = document.createElement("span");
      label.className = "sr-only";
      label.textContent = ` ${count.dataset.label}`;
      count.append(label);
    }
    busy.hidden = !tasks;
    document.title = tasks ? `(${tasks}) ${title}` : title;
    if (known && unread > known.unread) announce(bell.dataset.news);
    else if (known && tasks < known.tasks) announce(bell.dataset.ended);
    if (known && dialog.open && (unread !== known.unread || tasks !== known.tasks)) load();
    known = { unread, tasks };
  });
}
