// Stays in step with the service: polls what changes elsewhere, keeps leases alive while somebody works.

import { banner } from "../core/messages.js";
import { select, selectNextOpen } from "../core/selection.js";
import { change, isOpen, msLeft, openLeases, selectedLease, state } from "../core/state.js";

const POLL_MS = 4000;
const HIDDEN_POLL_MS = 30_000;
const SLOWEST_RETRY_MS = 15_000;
const ACTIVE_MS = 10 * 60_000; // a heartbeat needs a person who did something this recently
const HEARTBEAT_RETRY_MS = 5000;

/** Polls for one annotator of one campaign until stopped. */
export class Sync {
  #api;
  #outbox;
  #generation = 0; // answers to questions asked before an action are dropped
  #failures = 0;
  #timer = null;
  #lastActive = Date.now();
  #nextHeartbeat = 0;
  #curveOf = undefined;

  constructor(api, outbox) {
    this.#api = api;
    this.#outbox = outbox;
  }

  start() {
    for (const kind of ["pointerdown", "keydown", "wheel", "pointermove"]) {
      document.addEventListener(kind, () => { this.#lastActive = Date.now(); }, { passive: true });
    }
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.#poll(); });
    this.#poll();
  }

  /** Ask now; resolves when the answer is in the state. */
  async refresh() {
    const generation = ++this.#generation;
    const [asked, started] = [Date.now(), performance.now()];
    const [{ leases, now }, campaign, progress] = await Promise.all([this.#api.leases(), this.#api.campaign(), this.#api.progress()]);
    if (generation !== this.#generation) return;
    const clockOffset = Date.parse(now) - (asked + Date.now()) / 2;
    const exhausted = leases.some((lease) => lease.state === "open") ? null : state.exhausted;
    const first = !state.loaded;
    const wasOpen = openLeases().some((lease) => lease.sample_id === state.selected);
    change({ served: leases, campaign, progress, clockOffset, exhausted, loaded: true });
    this.#outbox.settle(started);
    if (first) this.#begin();
    else this.#moveOn(wasOpen);
    await this.#refreshModel(campaign);
  }

  /** Once a second: let leases run on before they lapse. */
  tick() {
    const open = openLeases();
    if (!open.length || document.hidden || Date.now() < this.#nextHeartbeat) return;
    if (Math.abs(Date.now() - this.#lastActive) > ACTIVE_MS) return;
    const leaseMs = 1000 * (state.campaign?.settings.lease_s ?? 3600);
    if (Math.min(...open.map(msLeft)) > leaseMs / 2) return;
    this.#nextHeartbeat = Date.now() + HEARTBEAT_RETRY_MS;
    this.#api.extend().then(({ extended, expires_at }) => {
      this.#nextHeartbeat = 0;
      const longer = new Set(extended);
      change({ served: state.served.map((one) => (longer.has(one.sample_id) ? { ...one, expires_at } : one)) });
    }, () => {}); // the poll says what is wrong
  }

  /** The first sample: the one of the address, or the best open one. */
  #begin() {
    const wanted = state.selected;
    change({ selected: null });
    select(selectable(wanted) ? wanted : (state.leases.find(isOpen)?.sample_id ?? null));
  }

  /** A sample that was answered elsewhere while it was on screen gives way to the next one. */
  #moveOn(wasOpen) {
    const shown = selectedLease();
    if ((wasOpen && shown?.state === "labelled") || shown === null) selectNextOpen();
  }

  async #refreshModel(campaign) {
    const version = campaign.current_model?.version ?? null;
    if (version !== this.#curveOf) {
      const curve = version === null ? [] : await this.#api.curve();
      this.#curveOf = version;
      change({ curve });
    }
    const last = campaign.last_round;
    const ended = !last || ["candidate", "promoted", "rejected", "failed", "cancelled", "interrupted"].includes(last.state);
    if (!ended) change({ round: await this.#api.round(last.number) });
    else if (state.round) change({ round: null });
  }

  async #poll() {
    clearTimeout(this.#timer);
    try {
      await this.refresh();
      if (this.#failures) banner(null);
      this.#failures = 0;
      if (state.missing) change({ missing: false });
    } catch (error) {
      this.#failures += 1;
      banner(troubleOf(error));
      if (error.status === 404 && !state.campaign) change({ missing: true });
    }
    const calm = document.hidden ? HIDDEN_POLL_MS : POLL_MS;
    const wait = this.#failures ? Math.min(SLOWEST_RETRY_MS, 1000 * 2 ** this.#failures) : calm;
    this.#timer = setTimeout(() => this.#poll(), wait);
  }
}

const selectable = (sampleId) => state.leases.some((lease) => lease.sample_id === sampleId);

function troubleOf(error) {
  if (error.isOffline) return "The service does not answer. Go on: your answers are kept and sent when it is back.";
  if (error.status === 404) return `${error.message}.`;
  if (error.status === 403) return `${error.message} Ask for a token that may annotate.`;
  return error.message;
}
