// What outlives a reload. A browser may forbid it; then the page works without.

const TEXT = "autovoice-studio";
const KEY = "autovoice-key"; // the page at /status has the same

function guarded(then, otherwise) {
  try {
    return then();
  } catch {
    return otherwise;
  }
}

/** The text and the settings of the last time. */
export function kept() {
  return guarded(() => JSON.parse(localStorage.getItem(TEXT)), null) || {};
}

export function keep(state) {
  guarded(() => localStorage.setItem(TEXT, JSON.stringify(state)));
}

export function forget() {
  guarded(() => localStorage.removeItem(TEXT));
  useKey("");
}

let key = guarded(() => sessionStorage.getItem(KEY), "") || "";

/** The API key; only this tab knows it, and no longer than it is open. */
export const usedKey = () => key;

export function useKey(value) {
  key = value.trim();
  guarded(() => (key ? sessionStorage.setItem(KEY, key) : sessionStorage.removeItem(KEY)));
}
