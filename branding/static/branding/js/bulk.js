// The bar below a list whose rows can be selected: how many, what all of them allow, everything at once.
// Without this script the bar stands there with all its buttons, and the server says what a row refuses.

const filled = (text, values) => text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);

class BulkBar {
  constructor(form) {
    this.form = form;
    this.bar = form.querySelector(".bulk-bar");
    this.texts = form.querySelector("[data-bulk-texts]").dataset;
    this.count = form.querySelector("[data-bulk-count]");
    this.clearButton = form.querySelector("[data-bulk-clear]");
    this.everything = form.querySelector("[data-bulk-everything]");
    this.actions = [...this.bar.querySelectorAll("button[name=action]")];
    this.last = null;
    this.addHead();
    this.addReason();
    form.addEventListener("click", (event) => this.onClick(event));
    form.addEventListener("change", () => this.update());
    form.addEventListener("rows-changed", () => this.update());
    this.clearButton.addEventListener("click", () => this.clear());
    this.update();
  }

  get boxes() {
    return [...this.form.querySelectorAll("tbody input[type=checkbox][data-allows]")];
  }

  addHead() {
    const cell = this.form.querySelector("[data-bulk-head]");
    this.head = document.createElement("input");
    this.head.type = "checkbox";
    this.head.setAttribute("aria-label", this.texts.row);
    this.head.dataset.testid = "select-page";
    cell.replaceChildren(this.head);
    this.head.addEventListener("click", () => {
      for (const box of this.boxes) box.checked = this.head.checked;
    });
  }

  addReason() {
    this.reason = document.createElement("span");
    this.reason.className = "bulk-reason";
    this.narrow = document.createElement("button");
    Object.assign(this.narrow, { type: "button", className: "link-button", hidden: true });
    this.narrow.addEventListener("click", () => this.keepAllowing());
    this.bar.append(this.reason, this.narrow);
    this.why = new Map(this.actions.map((button) => [button, this.description(button)]));
  }

  description(button) {
    const text = document.createElement("span");
    text.id = `why-not-${button.value}`;
    text.className = "sr-only";
    button.after(text);
    return text;
  }

  onClick(event) {
    const button = event.target.closest("button[name=action]");
    if (button?.getAttribute("aria-disabled") === "true") {
      event.preventDefault();
      return;
    }
    const box = event.target.closest("tbody input[data-allows]");
    if (!box) return;
    if (event.shiftKey && this.last && this.last.isConnected) this.selectBetween(this.last, box);
    this.last = box;
  }

  selectBetween(first, last) {
    const boxes = this.boxes;
    const [from, to] = [boxes.indexOf(first), boxes.indexOf(last)].sort((a, b) => a - b);
    for (const box of boxes.slice(from, to + 1)) box.checked = last.checked;
    this.update();
  }

  clear() {
    for (const box of this.boxes) box.checked = false;
    if (this.everything) this.everything.checked = false;
    this.update();
    this.head.focus();
  }

  keepAllowing() {
    const action = this.refused;
    for (const box of this.boxes) {
      if (box.checked && !this.allows(box, action)) box.checked = false;
    }
    this.update();
    this.actions.find((button) => button.value === action)?.focus();
  }

  allows(box, action) {
    return box.dataset.allows.split(" ").includes(action);
  }

  update() {
    const all = Boolean(this.everything?.checked);
    const chosen = this.boxes.filter((box) => box.checked);
    this.head.checked = chosen.length > 0 && chosen.length === this.boxes.length;
    this.head.indeterminate = chosen.length > 0 && !this.head.checked;
    const label = all && this.form.querySelector(`label[for="${this.everything.id}"]`).textContent;
    const text = chosen.length === 1 ? this.texts.one : this.texts.other;
    const said = label || (chosen.length ? filled(text, { count: chosen.length }) : "");
    if (this.count.textContent !== said) this.count.textContent = said;
    this.bar.classList.toggle("is-active", all || chosen.length > 0);
    this.clearButton.hidden = !all && chosen.length === 0;
    this.judge(all ? [] : chosen, all);
  }

  // An action is for all that are selected or for none of them; the reason is a part of its button.
  judge(chosen, all) {
    this.refused = null;
    this.reason.textContent = "";
    for (const button of this.actions) {
      const refusing = chosen.filter((box) => !this.allows(box, button.value)).length;
      const possible = all || (chosen.length > 0 && refusing === 0);
      const why = refusing ? filled(this.texts.refused, { refused: refusing, all: chosen.length }) : "";
      button.setAttribute("aria-disabled", String(!possible));
      button.title = why;
      this.why.get(button).textContent = why;
      if (why) button.setAttribute("aria-describedby", this.why.get(button).id);
      else button.removeAttribute("aria-describedby");
      if (refusing && refusing < chosen.length && !this.refused) this.offer(button, why, chosen.length - refusing);
    }
    this.narrow.hidden = this.refused === null;
  }

  offer(button, why, count) {
    this.refused = button.value;
    this.reason.textContent = `${button.textContent}: ${why}`;
    this.narrow.textContent = filled(this.texts.narrow, { count });
  }
}

export function enableBulkBars() {
  const start = (root) => {
    for (const form of root.querySelectorAll("form[data-bulk]")) {
      if (form.dataset.started) continue;
      form.dataset.started = "yes";
      new BulkBar(form);
    }
  };
  start(document);
  // A list that was empty gets its bar when it is fetched anew.
  for (const part of document.querySelectorAll("[data-live]")) {
    new MutationObserver(() => start(part)).observe(part, { childList: true });
  }
}
