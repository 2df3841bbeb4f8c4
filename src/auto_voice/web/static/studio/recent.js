// The texts that were spoken last, to be taken up again.

import {make} from "./dom.js";

const MOST = 10;
const MOST_CHARS = 2000; // of one text: what is longer is better kept in a file

/** Tells of one that is chosen: "choose", with its `text` and `voice`. */
export class Recent extends EventTarget {
  #list;
  #note;
  #texts = [];

  constructor(list, note) {
    super();
    this.#list = list;
    this.#note = note;
    list.addEventListener("click", event => {
      const button = event.target.closest("button");
      if (!button) return;
      const chosen = this.#texts[Number(button.dataset.at)];
      this.dispatchEvent(Object.assign(new Event("choose"), chosen));
    });
    this.#show();
  }

  /** The newest first, each once. */
  get texts() {
    return this.#texts;
  }

  set texts(texts) {
    this.#texts = texts.slice(0, MOST);
    this.#show();
  }

  add(text, voice) {
    if (!text.trim() || text.length > MOST_CHARS) return;
    this.texts = [{text, voice}, ...this.#texts.filter(one => one.text !== text)];
  }

  #show() {
    this.#note.hidden = this.#texts.length > 0;
    this.#list.replaceChildren(...this.#texts.map(({text, voice}, at) => make("li", {},
      make("button", {type: "button", class: "quiet", "data-at": at}, text.slice(0, 120)),
      make("span", {class: "note"}, ` ${voice}`))));
  }
}
