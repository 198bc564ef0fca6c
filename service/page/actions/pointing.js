// Answers of the points of samples, until all points of a sample are answered and the answer is sent. They are kept in the
// browser from the first key on, so that a reload loses none.

import { recall, remember } from "../core/memory.js";
import { change, isOpen, isPointed, leaseOf, selectedLease, state } from "../core/state.js";

const KEPT_MS = 7 * 86_400_000;

export const placesOf = (lease) => lease.points.map(({ column, row }) => [column, row]);

/** The answers of a sample's points so far, in their order: a class, or null for a point that is left out. */
export function givenTo(lease) {
  const kept = state.pointed.get(lease.sample_id);
  return kept && String(kept.places) === String(placesOf(lease)) ? kept.given : [];
}

/** Points with their classes as a FeatureCollection in pixel coordinates; those left out are not in it. */
export function pointFeatures(places, given) {
  const features = places.map((coordinates, index) => ({
    type: "Feature", properties: { label: given[index] ?? null }, geometry: { type: "Point", coordinates },
  }));
  return { type: "FeatureCollection", features: features.filter((feature) => feature.properties.label !== null) };
}

/** What is answered and taken back before it is sent; `scope` names campaign and annotator. */
export class Pointing {
  #memory;

  constructor(scope) {
    this.#memory = `points.${scope}`;
    const kept = Object.entries(recall(this.#memory, {})).filter(([, one]) => Date.now() - one.at < KEPT_MS);
    change({ pointed: new Map(kept.map(([id, one]) => [Number(id), one])) });
  }

  /** Answer the point that is asked, with null to leave it out. Says whether it was the last one. */
  give(lease, name) {
    const given = [...givenTo(lease), name];
    this.restore(lease, given);
    return given.length >= lease.points.length;
  }

  /** Put a sample's answers back to what they were. */
  restore(lease, given) {
    const { sample_id: id, path } = lease;
    this.#put(id, given.length ? { places: placesOf(lease), given, path, at: Date.now() } : null);
  }

  /** Forget a sample's answers, because they are sent. */
  forget(lease) {
    this.#put(lease.sample_id, null);
  }

  /** Answers of samples that are not asked any more, because time ran out or the sample was skipped; each is told once. */
  ended() {
    const ended = [...state.pointed].map(([id, kept]) => ({ sample_id: id, ...kept }))
      .filter(({ sample_id: id, told }) => !told && !(leaseOf(id) && isOpen(leaseOf(id))));
    for (const { sample_id: id } of ended) this.#put(id, { ...state.pointed.get(id), told: true });
    return ended;
  }

  /**
   * Take the last point back, of the sample on screen or, if that was later than `since` (ms), of another one. Says of
   * which; null: there is none.
   */
  undo(since) {
    const shown = selectedLease();
    const newest = [...state.pointed].sort(([, one], [, other]) => other.at - one.at)[0];
    const other = newest && newest[1].at > since ? leaseOf(newest[0]) : null;
    const lease = [isPointed(shown) ? shown : null, other].find((one) => one?.points?.length && givenTo(one).length);
    if (!lease) return null;
    this.restore(lease, givenTo(lease).slice(0, -1));
    return lease;
  }

  #put(id, record) {
    const { [id]: _, ...others } = recall(this.#memory, {});
    remember(this.#memory, record ? { ...others, [id]: record } : others);
    const pointed = new Map(state.pointed);
    if (record) pointed.set(id, record);
    else pointed.delete(id);
    change({ pointed });
  }
}
