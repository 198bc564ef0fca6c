// Pictures of samples: fetched with the token, kept as blob URLs, a few at a time, the large one first.

const MOST_KEPT = 400;
const AT_ONCE = 4;

/** A cache of the pictures that `load(sampleId, size, overlay)` gives as blobs. */
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
  get(sampleId, size, overlay = "none", urgent = false) {
    const key = `${sampleId} ${size} ${overlay}`;
    const known = this.#kept.get(key);
    if (known) {
      this.#kept.delete(key);
      this.#kept.set(key, known);
      return known;
    }
    const promise = this.#queue(() => this.#load(sampleId, size, overlay), urgent).then((blob) => {
      const url = URL.createObjectURL(blob);
      this.#ready.set(key, url);
      return url;
    });
    promise.catch(() => this.#kept.delete(key));
    this.#kept.set(key, promise);
    if (this.#kept.size > MOST_KEPT) this.#drop(this.#kept.keys().next().value);
    return promise;
  }

  /** The URL of a picture that is here already, or null. */
  peek(sampleId, size, overlay = "none") {
    return this.#ready.get(`${sampleId} ${size} ${overlay}`) ?? null;
  }

  /** Forget one overlay of a sample, because it changed. */
  forget(sampleId, overlay) {
    for (const key of [...this.#kept.keys()]) {
      if (key.startsWith(`${sampleId} `) && key.endsWith(` ${overlay}`)) this.#drop(key);
    }
  }

  /** Forget an overlay of all samples. */
  forgetAll(overlay) {
    for (const key of [...this.#kept.keys()]) if (key.endsWith(` ${overlay}`)) this.#drop(key);
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
