// What outlives a reload: name, token and habits in localStorage, the last actions in sessionStorage.

const PREFIX = "al-loop.";

/** A remembered value, or `otherwise`. */
export function recall(key, otherwise = null, storage = localStorage) {
  const text = storage.getItem(PREFIX + key);
  if (text === null) return otherwise;
  try {
    return JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Remember a value; null forgets it. */
export function remember(key, value, storage = localStorage) {
  if (value === null) storage.removeItem(PREFIX + key);
  else storage.setItem(PREFIX + key, JSON.stringify(value));
}
