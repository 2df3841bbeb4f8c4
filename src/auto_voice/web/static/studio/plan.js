// What is going to be said, sentence by sentence, with what is said otherwise than it is written.

import {askJSON} from "./api.js";
import {make, put, spoken} from "./dom.js";

/** What is written, without its markup, and each change beside it. Indices are code points. */
function sentence({text, char_start, changes}, isMarkup) {
  const characters = [...text], parts = [];
  const between = (from, to) => {
    const written = characters.slice(from, to).join("");
    return isMarkup ? written.replace(/<[^>]*>/g, "") : written;
  };
  let at = 0;
  for (const {char_start: from, char_end: to, said, ipa} of changes) {
    parts.push(between(at, from - char_start));
    at = to - char_start;
    const written = between(from - char_start, at);
    if (written.trim()) parts.push(make("del", {}, written), " ");
    const heard = ipa ? `/${ipa.replace(/^[/[]|[/\]]$/g, "")}/` : said.trim();
    if (heard) parts.push(make("ins", {}, heard));
  }
  return [...parts, between(at)];
}

export class Plan {
  #list;
  #note;
  #asked = null;

  constructor(list, note) {
    this.#list = list;
    this.#note = note;
  }

  async show(body) {
    this.#asked?.abort();
    const mine = this.#asked = new AbortController();
    if (!body.input.trim()) return this.#clear("Nothing, as there is no text.");
    try {
      const plan = await askJSON("v1/text/plan", {method: "POST", body, signal: mine.signal});
      const changed = plan.sentences.reduce((sum, one) => sum + one.changes.length, 0);
      const about = `About ${spoken(Math.max(1, plan.seconds))} with the voice ${plan.voice}. `;
      put(this.#note, about + (changed ? "Green is said in place of what is struck out." : "All of it as it is written."));
      this.#list.replaceChildren(...plan.sentences.map(one => make("li", {}, ...sentence(one, body.ssml))));
    } catch (error) {
      if (!mine.signal.aborted) this.#clear(`${error.title} ${error.message}`);
    }
  }

  #clear(why) {
    put(this.#note, why);
    this.#list.replaceChildren();
  }
}
