// An input with a list to choose from, as the ARIA Authoring Practices describe it.

import {make} from "./dom.js";

/**
 * `options`: {value, label, detail, group, terms}. Tells of a choice: "change".
 * What one types narrows the list down; Escape and leaving bring the last choice back.
 */
export class Combobox extends EventTarget {
  #input;
  #list;
  #options = [];
  #value = "";
  #active = -1;
  #shown = []; // the options in the list, in their order

  constructor(input, list) {
    super();
    this.#input = input;
    this.#list = list;
    input.addEventListener("click", () => this.#open());
    input.addEventListener("focus", () => input.select());
    input.addEventListener("input", () => this.#open(input.value));
    input.addEventListener("keydown", event => this.#key(event));
    input.addEventListener("blur", () => this.#close());
    list.addEventListener("pointerdown", event => event.preventDefault()); // the input keeps the focus
    list.addEventListener("click", event => {
      const option = event.target.closest("[role=option]");
      if (option) this.#choose(this.#shown[option.dataset.index].value);
    });
  }

  set options(options) {
    this.#options = options;
    this.value = this.#value;
  }

  get value() {
    return this.#value;
  }

  set value(value) {
    this.#value = value;
    this.#input.value = this.option?.label ?? value;
  }

  get option() {
    return this.#options.find(option => option.value === this.#value);
  }

  get #isOpen() {
    return !this.#list.hidden;
  }

  #open(typed = "") {
    this.#shown = found(this.#options, typed);
    this.#active = -1;
    this.#list.replaceChildren(...this.#rows());
    this.#list.hidden = false;
    this.#list.scrollTop = 0;
    this.#input.setAttribute("aria-expanded", "true");
    const chosen = this.#shown.findIndex(option => option.value === this.#value);
    this.#activate(typed ? (this.#shown.length ? 0 : -1) : chosen);
  }

  #close() {
    this.#list.hidden = true;
    this.#input.setAttribute("aria-expanded", "false");
    this.#activate(-1);
    this.value = this.#value;
  }

  #rows() {
    if (!this.#shown.length) {
      const none = this.#options.length ? "No voice matches." : "Type a voice’s name.";
      return [make("p", {class: "note none"}, none)];
    }
    const rows = [], groups = new Map();
    this.#shown.forEach((option, index) => {
      const row = make("div", {
        role: "option", id: `${this.#list.id}-${index}`, "data-index": index,
        "aria-selected": `${option.value === this.#value}`,
      }, make("span", {}, option.label), make("span", {class: "note"}, option.detail));
      if (!groups.has(option.group)) {
        const heading = `${this.#list.id}-g${groups.size}`;
        const group = make("div", {role: "group", "aria-labelledby": heading},
          make("div", {class: "heading", id: heading, role: "presentation"}, option.group));
        groups.set(option.group, group);
        rows.push(group);
      }
      groups.get(option.group).append(row);
    });
    return rows;
  }

  #activate(index) {
    const rows = this.#list.querySelectorAll("[role=option]");
    rows[this.#active]?.removeAttribute("data-active");
    this.#active = index;
    const row = rows[index];
    if (!row) return this.#input.removeAttribute("aria-activedescendant");
    row.setAttribute("data-active", "");
    row.scrollIntoView({block: "nearest"});
    this.#input.setAttribute("aria-activedescendant", row.id);
  }

  #key(event) {
    const {key} = event, last = this.#shown.length - 1;
    if (key === "ArrowDown" || key === "ArrowUp") {
      event.preventDefault();
      const down = key === "ArrowDown";
      if (!this.#isOpen) {
        this.#open();
        if (this.#active < 0 && !event.altKey) this.#activate(down ? 0 : this.#shown.length - 1);
      } else if (event.altKey && !down) this.#close();
      else if (down) this.#activate(this.#active < last ? this.#active + 1 : 0);
      else this.#activate(this.#active > 0 ? this.#active - 1 : last);
    } else if (key === "Enter" && !event.ctrlKey && !event.metaKey && this.#isOpen) {
      event.preventDefault();
      if (this.#active >= 0) this.#choose(this.#shown[this.#active].value);
      // Where the server does not list its voices, one can still name one.
      else if (!this.#options.length) this.#choose(this.#input.value.trim());
    } else if (key === "Escape" && this.#isOpen) {
      event.stopPropagation();
      this.#close();
      this.#input.select();
    }
  }

  #choose(value) {
    const changed = value !== this.#value;
    this.#value = value;
    this.#close();
    if (changed) this.dispatchEvent(new Event("change"));
  }
}

const folded = text => text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();

/** The options with every typed word in them; those that begin with it first. */
function found(options, typed) {
  const parts = folded(typed).split(/\s+/).filter(Boolean);
  if (!parts.length) return options;
  const all = options.filter(option => parts.every(part => folded(option.terms).includes(part)));
  const begins = option => folded(option.terms).startsWith(parts[0]) || option.value.toLowerCase() === parts[0];
  const ranked = [...all.filter(begins), ...all.filter(option => !begins(option))];
  const groups = [...new Set(ranked.map(option => option.group))];
  return groups.flatMap(group => ranked.filter(option => option.group === group));
}
