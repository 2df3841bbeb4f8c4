// Words that are said in their own way: which lexicon is used, and what is in it.

import {ask, askJSON} from "./api.js";
import {$, make, put} from "./dom.js";

const OWN = "studio"; // where entries go while no lexicon is chosen

const path = (name, ...rest) => ["v1/lexicons", name, ...rest].map(
  (part, index) => index ? encodeURIComponent(part) : part).join("/");

/** Tells of each change of what would be said: "change"; and of one to be heard: "speak". */
export class Lexicons extends EventTarget {
  #choice = $("lexicon");
  #rows = $("entries").tBodies[0];
  #names = [];

  constructor(name) {
    super();
    this.#offer(name);
    this.#choice.addEventListener("change", () => {
      this.#changed();
      this.#list();
    });
    $("entry").addEventListener("submit", event => {
      event.preventDefault();
      this.#add();
    });
    this.#rows.addEventListener("click", event => {
      const button = event.target.closest("button");
      if (button) this.#remove(button.dataset.word, button.dataset.language);
    });
  }

  /** The chosen one's name, or "". */
  get name() {
    return this.#choice.value;
  }

  set name(name) {
    this.#offer(name);
    this.#list();
  }

  async load() {
    const {lexicons} = await askJSON("v1/lexicons");
    this.#names = lexicons.map(one => one.name);
    this.#offer(this.name);
    await this.#list();
  }

  /** Has somebody say how a word is to be said. */
  edit(word) {
    $("entry-word").value = word;
    $(word ? "entry-said" : "entry-word").focus();
  }

  #offer(chosen) {
    const names = [...new Set([...this.#names, ...(chosen ? [chosen] : [])])].sort();
    this.#choice.replaceChildren(new Option("None", ""), ...names.map(name => new Option(name, name)));
    this.#choice.value = chosen || "";
  }

  /** Shows the entries; one that is not there yet has none. */
  async #list() {
    const name = this.name;
    let entries = [];
    if (name) {
      try {
        entries = (await askJSON(path(name))).entries;
      } catch (error) {
        if (error.code !== "lexicon_not_found") return put($("entry-note"), `${error.title} ${error.message}`);
      }
    }
    if (name !== this.name) return; // another one was chosen meanwhile
    this.#rows.replaceChildren(...entries.map(({word, say, ipa, language}) => make("tr", {},
      make("th", {scope: "row"}, word, ...(language ? [" ", make("span", {class: "note"}, language)] : [])),
      make("td", {}, ipa ? `/${ipa.replace(/^[/[]|[/\]]$/g, "")}/` : say),
      make("td", {}, make("button", {
        type: "button", class: "quiet", "data-word": word, "data-language": language || null,
        "aria-label": `Remove ${word}`,
      }, "Remove")))));
    $("entries").hidden = !entries.length;
    put($("entry-note"), name
      ? `${entries.length ? "These words are" : "No word is"} in the lexicon “${name}”.`
      : `No lexicon is chosen; the first word you save begins one called “${OWN}”.`);
  }

  async #add() {
    const name = this.name || OWN, word = $("entry-word").value.trim();
    const entry = {word, [$("entry-how").value]: $("entry-said").value.trim()};
    try {
      await ask(path(name, "entries"), {method: "POST", body: entry});
    } catch (error) {
      return put($("entry-note"), `${error.title} ${error.message}`);
    }
    if (!this.#names.includes(name)) this.#names.push(name);
    this.#offer(name);
    $("entry-word").value = $("entry-said").value = "";
    this.#changed();
    await this.#list();
    put($("entry-note"), `“${word}” is saved in the lexicon “${name}”.`);
    this.dispatchEvent(new Event("speak"));
  }

  async #remove(word, language) {
    const query = language ? `?${new URLSearchParams({language})}` : "";
    try {
      await ask(path(this.name, "entries", word) + query, {method: "DELETE"});
    } catch (error) {
      return put($("entry-note"), `${error.title} ${error.message}`);
    }
    await this.#list();
    put($("entry-note"), `“${word}” is removed.`);
    $("entry-word").focus(); // the button that had the focus is gone
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
