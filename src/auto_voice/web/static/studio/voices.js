// Which voice speaks: one of hundreds, found by its name or its language, in one of its variants.

import {askJSON} from "./api.js";
import {Combobox} from "./combobox.js";
import {$, count, make, put} from "./dom.js";

const GENDERS = [["female", "Female"], ["male", "Male"], [null, "Other"]];

function languageName(tag, inLanguage) {
  try {
    return new Intl.DisplayNames([inLanguage], {type: "language"}).of(tag);
  } catch {
    return ""; // not every engine's tag is one that browsers know
  }
}

/** All that somebody may type who looks for this voice. */
const terms = (name, voice) => [
  name, voice.name, voice.id, ...voice.languages, languageName(voice.language, "en"),
  languageName(voice.language, voice.language),
].join(" ");

const capital = text => text[0].toUpperCase() + text.slice(1);

/** Tells of each change: "change". */
export class Voices extends EventTarget {
  #combobox = new Combobox($("voice"), $("voices"));
  #variant = $("variant");
  #wanted = ""; // the variant that was kept, until the variants are there
  #listed = 0; // which list of variants was asked for last

  constructor({voice, variant = ""}) {
    super();
    this.#combobox.value = voice;
    this.#wanted = variant;
    this.#combobox.addEventListener("change", () => {
      this.#wanted = "";
      this.#changed();
      this.#loadVariants();
    });
    this.#variant.addEventListener("change", () => {
      this.#wanted = this.#variant.value;
      this.#changed();
    });
  }

  get voice() {
    return this.#combobox.value;
  }

  get variant() {
    return this.#wanted;
  }

  /** What a request calls the voice. */
  get name() {
    return this.variant ? `${this.voice.split("+")[0]}+${this.variant}` : this.voice;
  }

  set name(name) {
    this.#combobox.value = name;
    this.#wanted = "";
    this.#changed();
    this.#loadVariants();
  }

  /** What was kept elsewhere. */
  restore({voice, variant = ""}) {
    this.#combobox.value = voice;
    this.#wanted = variant;
    this.#changed();
    this.#loadVariants();
  }

  /** Asks the server what voices it has; to be called again when there is a key. */
  async load() {
    const [all, named] = await Promise.all([
      askJSON("v1/audio/voices"), askJSON("v1/audio/voices?named=true"),
    ]);
    const byName = named.voices.flatMap(voice => voice.aliases.map(alias => ({
      value: alias, label: capital(alias), detail: voice.name, group: "By name",
      terms: terms(alias, voice), voice,
    })));
    const byLanguage = all.voices.map(voice => ({
      value: voice.id, label: voice.name, detail: voice.id, group: "By language",
      terms: terms(voice.name, voice), voice,
    }));
    const order = (one, other) => one.label.localeCompare(other.label, "en");
    this.#combobox.options = [...byName.sort(order), ...byLanguage.sort(order)];
    this.#note();
    this.#tellBroken(all.broken);
    await this.#loadVariants();
  }

  /** Whoever looks for a voice that is not offered finds out why. */
  #tellBroken(broken) {
    const box = $("broken"), [summary, list] = box.children;
    box.hidden = !broken.length;
    put(summary, broken.length === 1 ? "1 voice cannot be used" : `${count(broken.length)} voices cannot be used`);
    list.replaceChildren(...broken.map(({id, reason}) => make("li", {}, make("b", {}, id), `: ${reason}`)));
  }

  async #loadVariants() {
    const mine = ++this.#listed, voice = this.#combobox.option?.voice;
    let found = [];
    if (voice) {
      const base = voice.id.split("+")[0];
      const query = new URLSearchParams({language: voice.language, q: `${base}+`, variants: true});
      const {voices} = await askJSON(`v1/audio/voices?${query}`).catch(() => ({voices: []}));
      found = voices.filter(one => one.id.startsWith(`${base}+`));
    }
    if (mine !== this.#listed) return; // another voice was chosen meanwhile
    const people = voice?.speakers.length > 0;
    put($("variant-label"), people ? "Speaker" : "Variant");
    const option = one => new Option(one.variant, one.variant);
    const groups = GENDERS.map(([gender, label]) => make("optgroup", {label},
      ...found.filter(one => one.gender === gender).map(option)));
    this.#variant.replaceChildren(
      new Option(people ? "The first one" : "The voice’s own sound", ""),
      ...(people ? found.map(option) : groups.filter(group => group.children.length)));
    this.#variant.disabled = !found.length;
    if (this.#wanted && !found.some(one => one.variant === this.#wanted)) {
      this.#variant.append(new Option(this.#wanted, this.#wanted)); // the server will say what it thinks
    }
    this.#variant.value = this.#wanted;
    this.#variant.disabled = !found.length && !this.#wanted;
  }

  #note() {
    const voice = this.#combobox.option?.voice;
    put($("voice-note"), voice ? `${voice.name} · ${voice.id} · ${count(voice.sample_rate)} Hz` : "");
  }

  #changed() {
    this.#note();
    this.dispatchEvent(new Event("change"));
  }
}
