// What outlives a reload. A browser that forbids storage forgets, and the page works all the same.

const PREFIX = "al-loop.";

/** A remembered value, or `otherwise`. */
export function recall(key, otherwise = null) {
  try {
    return JSON.parse(localStorage.getItem(PREFIX + key)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Remember a value until the browser's storage is cleared. */
export function remember(key, value) {
  try {
    localStorage.setItem(PREFIX + key, JSON.stringify(value));
  } catch {
    // full or forbidden
  }
}
