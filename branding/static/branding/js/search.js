// The search over everything: a dialog with a combobox, opened by Ctrl+K, "/" or its button.
import { ask, nodesOf } from "./fragments.js";
import { copyText } from "./copy.js";

const PAUSE_MS = 200;

class Palette {
  constructor(dialog) {
    this.dialog = dialog;
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("[role=listbox]");
    this.state = dialog.querySelector("[data-search-state]");
    this.form = dialog.querySelector("form");
    this.timer = null;
    this.running = null;
    this.input.addEventListener("input", () => this.later());
    this.input.addEventListener("keydown", (event) => this.key(event));
    this.list.addEventListener("click", (event) => this.choose(event.target.closest("[role=option]")));
    this.form.addEventListener("submit", (event) => {
      if (this.active) {
        event.preventDefault();
        this.choose(this.active);
      }
    });
  }

  open() {
    if (this.dialog.open || document.querySelector("dialog[open]")) return;
    const opener = document.activeElement;
    this.dialog.showModal();
    this.input.focus();
    this.input.select();
    this.dialog.addEventListener("close", () => opener?.focus?.(), { once: true });
  }

  get options() {
    return [...this.list.querySelectorAll("[role=option]")];
  }

  get active() {
    return this.list.querySelector('[aria-selected="true"]');
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.search(), PAUSE_MS);
  }

  async search() {
    const text = this.input.value.trim();
    this.running?.abort();
    if (text.length < 2) return this.show([], this.state.dataset.waiting);
    const running = new AbortController();
    this.running = running;
    try {
      const address = `${this.form.action}?${new URLSearchParams({ q: text })}`;
      const nodes = await nodesOf(await ask(address, { signal: running.signal }));
      const summary = nodes.find((node) => node.dataset?.says);
      this.show(nodes.filter((node) => node !== summary), summary?.dataset.says ?? "");
    } catch {
      if (this.running === running) this.show([], this.state.dataset.failed);
    }
  }

  show(nodes, says) {
    this.list.replaceChildren(...nodes);
    const found = this.options;
    this.list.hidden = !nodes.some((node) => node.nodeType === 1);
    this.input.setAttribute("aria-expanded", String(found.length > 0));
    this.mark(found[0] ?? null);
    this.state.textContent = says;
  }

  mark(option) {
    this.active?.setAttribute("aria-selected", "false");
    if (!option) return this.input.removeAttribute("aria-activedescendant");
    option.setAttribute("aria-selected", "true");
    option.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", option.id);
  }

  key(event) {
    // A search field would only lose its text.
    if (event.key === "Escape") {
      event.preventDefault();
      this.dialog.close();
      return;
    }
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    const found = this.options;
    if (!step || !found.length) return;
    event.preventDefault();
    const at = found.indexOf(this.active);
    this.mark(found[(at + step + found.length) % found.length]);
  }

  async choose(option) {
    if (!option) return;
    if (option.dataset.url) {
      location.assign(option.dataset.url);
      return;
    }
    if (await copyText(option.dataset.copyText, option)) this.state.textContent = this.state.dataset.copied;
  }
}

export function enableSearch() {
  const dialog = document.querySelector("dialog[data-search]");
  if (!dialog) return;
  const palette = new Palette(dialog);
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey && event.key.toLowerCase() === "k") {
      event.preventDefault();
      palette.open();
    }
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("[data-search-open]") && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      palette.open();
    }
  });
}
