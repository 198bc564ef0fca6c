// Stays in step with the service: polls what changes elsewhere, keeps leases alive while somebody works.

import { banner } from "./messages.js";
import { change, isOpen, msLeft, openLeases, select, selectNextOpen, selectedLease, state } from "./state.js";

const POLL_MS = 4000;
const HIDDEN_POLL_MS = 30_000;
const SLOWEST_RETRY_MS = 15_000;
const ACTIVE_MS = 10 * 60_000; // a heartbeat needs a person who did something this recently
const HEARTBEAT_RETRY_MS = 5000;

/** Polls for one annotator of one campaign until stopped. */
export class Sync {
  #api;
  #generation = 0; // answers to questions asked before an action are dropped
  #failures = 0;
  #timer = null;
  #stopped = false;
  #lastActive = Date.now();
  #nextHeartbeat = 0;
  #curveOf = undefined;

  constructor(api) {
    this.#api = api;
  }

  start() {
    for (const kind of ["pointerdown", "keydown", "wheel", "pointermove"]) {
      document.addEventListener(kind, this.#noteActive, { passive: true });
    }
    document.addEventListener("visibilitychange", this.#onVisible);
    this.#poll();
  }

  stop() {
    this.#stopped = true;
    clearTimeout(this.#timer);
    for (const kind of ["pointerdown", "keydown", "wheel", "pointermove"]) {
      document.removeEventListener(kind, this.#noteActive);
    }
    document.removeEventListener("visibilitychange", this.#onVisible);
  }

  /** Ask now; resolves when the answer is in the state. */
  async refresh() {
    const generation = ++this.#generation;
    const asked = Date.now();
    const [{ leases, now }, campaign] = await Promise.all([this.#api.leases(), this.#api.campaign()]);
    if (generation !== this.#generation || this.#stopped) return;
    const clockOffset = Date.parse(now) - (asked + Date.now()) / 2;
    const exhausted = leases.some((lease) => lease.state === "open") ? null : state.exhausted;
    const first = !state.loaded;
    const wasOpen = openLeases().some((lease) => lease.sample_id === state.selected);
    change({ leases, campaign, clockOffset, exhausted, loaded: true });
    if (first) select(state.selected ?? leases.find(isOpen)?.sample_id ?? null);
    else this.#moveOn(wasOpen);
    await this.#refreshModel(campaign);
  }

  /** Drop answers that are on their way, because an action has changed what they tell. */
  outdate() {
    this.#generation += 1;
  }

  /** Once a second: let leases run on before they lapse. */
  tick() {
    const open = openLeases();
    if (!open.length || document.hidden || Date.now() < this.#nextHeartbeat) return;
    if (Date.now() - this.#lastActive > ACTIVE_MS) return;
    const leaseMs = 1000 * (state.campaign?.settings.lease_s ?? 3600);
    if (Math.min(...open.map(msLeft)) > leaseMs / 2) return;
    this.#nextHeartbeat = Date.now() + HEARTBEAT_RETRY_MS;
    this.#api.extend().then(({ extended, expires_at }) => {
      this.#nextHeartbeat = 0;
      const longer = new Set(extended);
      change({ leases: state.leases.map((one) => (longer.has(one.sample_id) ? { ...one, expires_at } : one)) });
    }, () => {}); // the poll says what is wrong
  }

  /** A sample that was answered elsewhere while it was on screen gives way to the next one. */
  #moveOn(wasOpen) {
    const shown = selectedLease();
    const answered = wasOpen && shown?.state === "labelled";
    if (answered || shown === null) selectNextOpen();
  }

  async #refreshModel(campaign) {
    const version = campaign.current_model?.version ?? null;
    if (version !== this.#curveOf) {
      const curve = version === null ? [] : await this.#api.curve();
      this.#curveOf = version;
      change({ curve });
    }
    const last = campaign.last_round;
    const ended = !last || ["promoted", "rejected", "failed", "cancelled", "interrupted"].includes(last.state);
    if (!ended) change({ round: await this.#api.round(last.number) });
    else if (state.round) change({ round: null });
  }

  async #poll() {
    clearTimeout(this.#timer);
    try {
      await this.refresh();
      if (this.#failures) banner(null);
      this.#failures = 0;
    } catch (error) {
      this.#failures += 1;
      if (!this.#stopped) banner(troubleOf(error));
    }
    if (this.#stopped) return;
    const calm = document.hidden ? HIDDEN_POLL_MS : POLL_MS;
    const wait = this.#failures ? Math.min(SLOWEST_RETRY_MS, 1000 * 2 ** this.#failures) : calm;
    this.#timer = setTimeout(() => this.#poll(), wait);
  }

  #noteActive = () => {
    this.#lastActive = Date.now();
  };

  #onVisible = () => {
    if (!document.hidden) this.#poll();
  };
}

function troubleOf(error) {
  if (error.isOffline) {
    return "The service does not answer. What you saved is safe; this page goes on by itself when it is back.";
  }
  if (error.status === 404) return `${error.message}. Choose a campaign from the list.`;
  if (error.status === 403) return `${error.message} Ask for a token that may annotate.`;
  return error.message;
}
