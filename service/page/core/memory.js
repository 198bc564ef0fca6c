// What outlives a reload: name, token and habits in localStorage, the last actions in sessionStorage. Where the browser
// allows no storage, or it is full, the values live as long as the page.

const PREFIX = "al-loop.";
const here = new Map();

/** A remembered value, or `otherwise`; `session`: of this tab only. */
export function recall(key, otherwise = null, session = false) {
  if (here.has(key)) return here.get(key) ?? otherwise;
  try {
    const text = storage(session).getItem(PREFIX + key);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

/** Remember a value; null forgets it. Says whether it outlives a reload. */
export function remember(key, value, session = false) {
  try {
    if (value === null) storage(session).removeItem(PREFIX + key);
    else storage(session).setItem(PREFIX + key, JSON.stringify(value));
    here.delete(key);
    return true;
  } catch {
    here.set(key, value);
    return false;
  }
}

const storage = (session) => (session ? sessionStorage : localStorage); // the mere name throws where it is forbidden
