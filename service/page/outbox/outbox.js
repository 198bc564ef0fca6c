// The queue of answers: what a person does is shown at once and sent in order, one after the other, until the service has
// it. Each entry carries its own key, so that a repeat after a lost answer is no second label.

import { ApiError } from "../net/api.js";
import { change, state } from "../core/state.js";
import * as store from "./store.js";

const SLOWEST_RETRY_MS = 15_000;

/** The answers of one annotator in one campaign. */
export class Outbox {
  #send;
  #onSaved;
  #onRefused;
  #scope;
  #working = false;
  #failures = 0;
  #timer = null;
  #lastMade = 0;

  /** `send(entry)` resolves with the service's answer; the others are told what became of an entry. */
  constructor(scope, { send, onSaved, onRefused }) {
    this.#scope = scope;
    this.#send = send;
    this.#onSaved = onSaved;
    this.#onRefused = onRefused;
  }

  /** Take up what an earlier page left, and go on sending. */
  async start() {
    addEventListener("online", () => this.#now());
    addEventListener("beforeunload", (event) => {
      if (waiting().some((entry) => !entry.kept)) event.preventDefault();
    });
    try {
      const left = await store.load(this.#scope);
      const here = new Set(state.outbox.map((entry) => entry.key));
      // The page before may have sent them, and gone before it was told.
      const older = left.filter((entry) => !here.has(entry.key)).map((entry) => ({ ...entry, state: "waiting", kept: true, tried: true }));
      change({ outbox: [...older, ...state.outbox] });
    } catch {
      change({ unkept: true });
    }
    this.#work();
  }

  /** Add what somebody did: {kind, sample_ids, labels?, ...}. Shown from this moment on; returns its key. */
  add(part) {
    this.#lastMade = Math.max(Date.now(), this.#lastMade + 1);
    const entry = { ...part, key: newKey(), scope: this.#scope, made: this.#lastMade, state: "waiting", kept: false };
    change({ outbox: [...state.outbox, entry] });
    this.#keep(entry).then(() => this.#work());
    return entry.key;
  }

  /** Take an entry back that was not sent yet; says whether that was still possible. */
  withdraw(key) {
    const entry = state.outbox.find((one) => one.key === key);
    if (entry?.state !== "waiting" || entry.tried) return false;
    this.#drop(entry);
    return true;
  }

  /** Forget what the service's list, asked for at `asked`, tells by itself. */
  settle(asked) {
    const outbox = state.outbox.filter((entry) => entry.state !== "done" || entry.doneAt >= asked);
    if (outbox.length !== state.outbox.length) change({ outbox });
  }

  async #keep(entry) {
    try {
      await store.keep({ ...entry, state: "waiting" });
      this.#put(entry.key, { kept: true });
      if (state.unkept) change({ unkept: false });
    } catch {
      change({ unkept: true });
    }
  }

  #put(key, part) {
    change({ outbox: state.outbox.map((entry) => (entry.key === key ? { ...entry, ...part } : entry)) });
  }

  #drop(entry) {
    change({ outbox: state.outbox.filter((one) => one.key !== entry.key) });
    store.forget(entry.key).catch(() => {}); // a repeat is harmless: the service knows the key
  }

  #now() {
    clearTimeout(this.#timer);
    this.#timer = null;
    this.#work();
  }

  async #work() {
    if (this.#working || this.#timer) return;
    this.#working = true;
    try {
      for (let next = waiting()[0]; next && !this.#timer; next = waiting()[0]) {
        await alone(this.#scope, () => this.#sendOne(next.key));
      }
    } finally {
      this.#working = false;
    }
  }

  async #sendOne(key) {
    const entry = state.outbox.find((one) => one.key === key);
    if (!entry || entry.state !== "waiting") return;
    if (entry.kept && !(await store.has(key).catch(() => true))) {
      change({ outbox: state.outbox.filter((one) => one.key !== key) }); // another tab has sent it
      return;
    }
    this.#put(key, { state: "sending", tried: true });
    try {
      const answer = await this.#send(entry);
      this.#failures = 0;
      this.#put(key, { state: "done", doneAt: performance.now(), answer });
      store.forget(key).catch(() => {});
      this.#tellFollowers(key, answer);
      this.#onSaved(entry, answer);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.#put(key, { state: "waiting" });
      if (error.isPassing || error.status === 403) this.#retryLater(error);
      else {
        this.#drop(entry);
        this.#onRefused(entry, error);
      }
    }
  }

  /** Entries that take this one back learn the ids of its labels. */
  #tellFollowers(key, labelIds) {
    for (const entry of state.outbox.filter((one) => one.of === key && one.state === "waiting")) {
      this.#put(entry.key, { label_ids: labelIds });
      this.#keep(state.outbox.find((one) => one.key === entry.key));
    }
  }

  #retryLater(error) {
    this.#failures += 1;
    change({ sendingTrouble: error.status === 403 ? error.message : null });
    const wait = Math.min(SLOWEST_RETRY_MS, 1000 * 2 ** this.#failures);
    this.#timer = setTimeout(() => this.#now(), wait);
  }
}

/** The entries that the service does not have yet. */
export const waiting = () => state.outbox.filter((entry) => entry.state !== "done");

/**
 * Run `work` while no other tab of this browser does; where the browser has no locks (plain http), or denies them as it
 * forbids storage, the keys make repeats harmless.
 */
async function alone(name, work) {
  let isBegun = false;
  const begin = () => {
    isBegun = true;
    return work();
  };
  try {
    await navigator.locks?.request(`al-loop ${name}`, begin);
  } catch (error) {
    if (isBegun) throw error;
  }
  if (!isBegun) await begin();
}

/** 128 random bits in hexadecimal; `crypto.randomUUID` is missing on plain http. */
function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
