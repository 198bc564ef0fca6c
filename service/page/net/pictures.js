// Pictures of samples: fetched with the token, kept as blob URLs, a few at a time, the large one first.

const MOST_KEPT = 400;
const AT_ONCE = 4;
const SHOWN_BY_THEN_MS = 5000;

/** A cache of the pictures that `load(sampleId, size, look)` gives as blobs; a look is {overlay, view, stretch}. */
export class Pictures {
  #load;
  #kept = new Map(); // key -> promise of a URL; oldest first
  #ready = new Map(); // key -> URL
  #waiting = [];
  #running = 0;

  constructor(load) {
    this.#load = load;
  }

  /** Promise of a picture's URL; urgent ones overtake those that wait. Failures are not kept. */
  get(sampleId, size, look = {}, urgent = false) {
    const key = keyOf(sampleId, size, look);
    const known = this.#kept.get(key);
    if (known) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    const promise = this.#queue(() => this.#load(sampleId, size, look), urgent).then((blob) => {
      const url = URL.createObjectURL(blob);
      if (this.#kept.get(key) === promise) this.#ready.set(key, url);
      else setTimeout(() => URL.revokeObjectURL(url), SHOWN_BY_THEN_MS); // dropped while it was fetched; whoever asked shows it
      return url;
    });
    promise.catch(() => { if (this.#kept.get(key) === promise) this.#kept.delete(key); });
    this.#kept.set(key, promise);
    if (this.#kept.size > MOST_KEPT) this.#drop(this.#kept.keys().next().value);
    return promise;
  }

  /** The URL of a picture that is here already, or null. */
  peek(sampleId, size, look = {}) {
    return this.#ready.get(keyOf(sampleId, size, look)) ?? null;
  }

  /** Forget one overlay of a sample, or of all where it is null, because it changed. */
  forget(sampleId, overlay) {
    for (const key of [...this.#kept.keys()]) {
      const ours = sampleId === null || key.startsWith(`${sampleId} `);
      if (ours && key.endsWith(` ${overlay}`)) this.#drop(key);
    }
  }

  #drop(key) {
    this.#kept.delete(key);
    const url = this.#ready.get(key);
    this.#ready.delete(key);
    if (url) URL.revokeObjectURL(url); // a picture on screen stays there
  }

  #queue(work, urgent) {
    return new Promise((resolve, reject) => {
      const job = () => work().then(resolve, reject).finally(() => { this.#running -= 1; this.#next(); });
      if (urgent) this.#waiting.unshift(job);
      else this.#waiting.push(job);
      this.#next();
    });
  }

  #next() {
    while (this.#running < AT_ONCE && this.#waiting.length) {
      this.#running += 1;
      this.#waiting.shift()();
    }
  }
}

const keyOf = (id, size, { view = "", stretch = "", overlay = "none" }) => `${id} ${size} ${view} ${stretch} ${overlay}`;
