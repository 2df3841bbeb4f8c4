// The words of the text light up while they are heard.
//
// They are marked on a page of the same text that lies under the one that is typed on: so the text
// can be read, selected and changed meanwhile, and screen readers meet it once.

const LINGER_S = 0.25; // so that it does not flicker between two words

export class Words {
  #sheet;
  #before = document.createTextNode("");
  #mark = document.createElement("mark");
  #after = document.createTextNode("");
  #text = "";
  #spoken = null; // the text that the words belong to
  #words = []; // {from, to: seconds; start, end: indices into the text}
  #shown = -1;
  #units = null; // code point to index, where they differ

  /** `mirror`: the page below; `sheet`: what scrolls both. */
  constructor(mirror, sheet) {
    this.#sheet = sheet;
    mirror.append(this.#before, this.#mark, this.#after);
    this.#mark.hidden = true;
  }

  /** The text as it is on the page above. */
  set text(text) {
    if (text === this.#text) return;
    this.#text = text;
    this.#show(-1);
  }

  /** Words of this text are going to be spoken. */
  begin(text) {
    this.#spoken = text;
    this.#words = [];
    this.#units = /[\ud800-\udbff]/.test(text) ? unitsOf(text) : null;
    this.#show(-1);
  }

  /** As they come from the server: milliseconds, and indices of code points. */
  add(words) {
    for (const {start_ms, end_ms, char_start, char_end} of words) {
      this.#words.push({
        from: start_ms / 1000, to: end_ms / 1000,
        start: this.#unit(char_start), end: this.#unit(char_end),
      });
    }
  }

  /** Marks the word that is heard at this second; `null`: none. */
  at(second) {
    const found = second === null || this.#spoken !== this.#text ? -1 : this.#find(second);
    if (found !== this.#shown) this.#show(found);
  }

  #unit(point) {
    return this.#units ? this.#units[Math.min(point, this.#units.length - 1)] : point;
  }

  #find(second) {
    let low = 0, high = this.#words.length; // the first that begins later
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#words[middle].from <= second) low = middle + 1;
      else high = middle;
    }
    const word = this.#words[low - 1];
    return word && second < word.to + LINGER_S ? low - 1 : -1;
  }

  #show(index) {
    this.#shown = index;
    const {start, end} = this.#words[index] || {start: this.#text.length, end: this.#text.length};
    this.#before.data = this.#text.slice(0, start);
    this.#mark.textContent = this.#text.slice(start, end);
    // A last line that is empty would take no room.
    this.#after.data = this.#text.slice(end) + "\u200b";
    this.#mark.hidden = index < 0;
    if (index >= 0) this.#follow();
  }

  /** Scrolls on where the word is out of sight. */
  #follow() {
    const word = this.#mark.getBoundingClientRect(), sheet = this.#sheet.getBoundingClientRect();
    if (word.top >= sheet.top && word.bottom <= sheet.bottom) return;
    const calm = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const top = this.#sheet.scrollTop + word.top - sheet.top - sheet.height / 3;
    this.#sheet.scrollTo({top, behavior: calm ? "instant" : "smooth"});
  }
}

/** Where each code point begins, and the text's end. */
function unitsOf(text) {
  const units = [];
  let at = 0;
  for (const character of text) {
    units.push(at);
    at += character.length;
  }
  units.push(at);
  return units;
}
