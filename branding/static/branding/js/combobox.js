// A long <select> becomes a text field with a list that narrows while one types (ARIA 1.2 combobox).
// The select stays in the form and keeps the value; without scripts it is what one sees.
const MANY = 15;
const SHOWN = 100;

const plain = (text) => text.normalize("NFD").replace(/\p{M}/gu, "").toLocaleLowerCase();

class Combobox {
  constructor(select) {
    this.select = select;
    this.options = [...select.options].map((option) => ({ option, text: plain(option.text) }));
    this.at = -1;
    this.build();
    this.input.addEventListener("input", () => this.open(this.input.value));
    this.input.addEventListener("click", () => this.open(""));
    this.input.addEventListener("keydown", (event) => this.onKey(event));
    this.input.addEventListener("blur", () => this.close());
    // Before the field loses the focus to the list.
    this.list.addEventListener("mousedown", (event) => event.preventDefault());
    this.list.addEventListener("click", (event) => {
      const item = event.target.closest("[role=option]");
      if (item) this.choose(this.found[Number(item.dataset.at)]);
    });
  }

  build() {
    const { select } = this;
    const label = document.querySelector(`label[for="${select.id}"]`);
    this.input = document.createElement("input");
    this.input.id = `${select.id}-text`;
    this.list = document.createElement("ul");
    this.list.id = `${select.id}-list`;
    this.list.className = "combobox-list";
    this.list.hidden = true;
    this.list.setAttribute("role", "listbox");
    this.list.setAttribute("aria-label", label?.textContent.trim() || select.name);
    const attributes = {
      type: "text", role: "combobox", autocomplete: "off", spellcheck: "false", "aria-autocomplete": "list",
      "aria-expanded": "false", "aria-controls": this.list.id,
    };
    for (const [name, value] of Object.entries(attributes)) this.input.setAttribute(name, value);
    for (const name of ["aria-describedby", "aria-invalid", "required"]) {
      if (select.hasAttribute(name)) this.input.setAttribute(name, select.getAttribute(name) || "");
    }
    select.removeAttribute("required");
    if (label) label.htmlFor = this.input.id;
    const holder = document.createElement("div");
    holder.className = "combobox";
    select.before(holder);
    holder.append(this.input, this.list, select);
    select.hidden = true;
    this.showChosen();
  }

  showChosen() {
    this.input.value = this.select.selectedOptions[0]?.text ?? "";
  }

  open(text) {
    const words = plain(text).split(/\s+/).filter(Boolean);
    this.found = this.options.filter(({ text: own }) => words.every((word) => own.includes(word))).slice(0, SHOWN);
    this.list.replaceChildren(...this.found.map(({ option }, number) => this.item(option, number)));
    this.list.hidden = this.found.length === 0;
    this.input.setAttribute("aria-expanded", String(!this.list.hidden));
    this.move(words.length ? 0 : this.found.findIndex(({ option }) => option.selected));
  }

  item(option, number) {
    const item = document.createElement("li");
    item.id = `${this.list.id}-${number}`;
    item.dataset.at = String(number);
    item.setAttribute("role", "option");
    item.setAttribute("aria-selected", String(option.selected));
    item.textContent = option.text;
    return item;
  }

  move(to) {
    this.list.children[this.at]?.classList.remove("is-active");
    this.at = this.found.length ? to : -1;
    const item = this.list.children[this.at];
    if (!item) {
      this.input.removeAttribute("aria-activedescendant");
      return;
    }
    item.classList.add("is-active");
    item.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", item.id);
  }

  onKey(event) {
    const isOpen = !this.list.hidden;
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      if (!isOpen) return this.open("");
      const step = event.key === "ArrowDown" ? 1 : -1;
      return this.move((Math.max(this.at, step < 0 ? 0 : -1) + step + this.found.length) % this.found.length);
    }
    if (event.key === "Enter" && isOpen) {
      event.preventDefault();
      if (this.found[this.at]) this.choose(this.found[this.at]);
    } else if (event.key === "Escape" && isOpen) {
      event.preventDefault();
      event.stopPropagation();
      this.close();
    }
  }

  choose({ option }) {
    option.selected = true;
    this.select.dispatchEvent(new Event("change", { bubbles: true }));
    this.close();
  }

  // What was typed and is nothing to choose goes; the choice stays what it was.
  close() {
    this.list.hidden = true;
    this.input.setAttribute("aria-expanded", "false");
    this.input.removeAttribute("aria-activedescendant");
    this.showChosen();
  }
}

export function enableComboboxes() {
  for (const select of document.querySelectorAll("select[data-combobox]")) {
    if (select.options.length > MANY) new Combobox(select);
  }
}
