// What is drawn on one image: regions of classes that never overlap, with undo and redo. A drawing is never changed; each
// act gives a new one, so that going back is free.

import { areaOf, difference, holdsCentre, intersection, mayTouch, rectangle, simplified, union, verticesOf } from "./geometry.js";

const MOST_VERTICES = 20_000; // of one region: more than any outline needs, and what keeps the page quick
const MOST_STEPS = 100;

/** Regions [{id, label, area}] on an image of `width` x `height` px. */
export class Drawing {
  constructor({ width, height, regions = [], past = [], future = [], nextId = 1, isTouched = false, thinned = 0 }) {
    Object.assign(this, { width, height, regions, past, future, nextId, isTouched, thinned });
  }

  /** From a FeatureCollection in pixel coordinates, a drawing of the kind that this is called on. */
  static from(features, width, height) {
    const regions = (features?.features ?? []).map(({ geometry, properties }, index) => ({
      id: index + 1,
      label: properties.label,
      area: geometry.type === "Polygon" ? [geometry.coordinates] : geometry.coordinates,
    }));
    return new this({ width, height, regions, nextId: regions.length + 1 });
  }

  /** Give an area to a class: taken from other classes, joined with what it touches of its own. */
  add(area, label) {
    const [light, thinned] = thin(area);
    const inside = intersection(union(light), this.#whole());
    if (!inside.length) return this;
    const touched = this.regions.filter((region) => region.label === label && mayTouch(region.area, inside));
    const others = this.regions.filter((region) => !touched.includes(region));
    const joined = union(inside, ...touched.map((region) => region.area));
    const kept = others.flatMap((region) => cut(region, inside));
    const made = joined.map((polygon, index) => ({ id: this.nextId + index, label, area: [polygon] }));
    return this.changed([...kept, ...made], { nextId: this.nextId + made.length, thinned });
  }

  /** Take an area from all classes. */
  erase(area) {
    return this.changed(this.regions.flatMap((region) => cut(region, area)));
  }

  /** Give all that is background to a class. */
  fill(label) {
    const taken = this.regions.flatMap((region) => region.area);
    const rest = taken.length ? difference(this.#whole(), taken) : this.#whole();
    return rest.length ? this.add(rest, label) : this;
  }

  /** Put a region into another shape. */
  reshape(id, area) {
    const region = this.regions.find((one) => one.id === id);
    const without = new Drawing({ ...this, regions: this.regions.filter((one) => one.id !== id) });
    const { regions, nextId, thinned } = without.add(area, region.label);
    return this.changed(regions, { nextId, thinned });
  }

  remove(id) {
    return this.changed(this.regions.filter((region) => region.id !== id));
  }

  /** Give a region to another class. */
  relabel(id, label) {
    const region = this.regions.find((one) => one.id === id);
    const without = new Drawing({ ...this, regions: this.regions.filter((one) => one.id !== id) });
    const { regions, nextId } = without.add(region.area, label);
    return this.changed(regions, { nextId });
  }

  undo() {
    const regions = this.past.at(-1);
    if (!regions) return this;
    return new this.constructor({ ...this, regions, past: this.past.slice(0, -1), future: [...this.future, this.regions] });
  }

  redo() {
    const regions = this.future.at(-1);
    if (!regions) return this;
    return new this.constructor({ ...this, regions, past: [...this.past, this.regions], future: this.future.slice(0, -1) });
  }

  /** The region at a place, or null. */
  at(column, row) {
    const spot = rectangle(column - 0.5, row - 0.5, column + 0.5, row + 0.5);
    return this.regions.findLast((region) => mayTouch(region.area, spot) && intersection(region.area, spot).length) ?? null;
  }

  /** The share of the image that each class covers: Map of label to 0..1. */
  shares() {
    const shares = new Map();
    const whole = this.width * this.height;
    for (const { label, area } of this.regions) shares.set(label, (shares.get(label) ?? 0) + areaOf(area) / whole);
    return shares;
  }

  /**
   * As a FeatureCollection in pixel coordinates. Without `slivers`, what covers the centre of no pixel is left out: two areas drawn side
   * by side leave such rests, which nobody sees; if all of it is so small, it is kept, and the service says what is wrong.
   */
  features({ slivers = false } = {}) {
    const parts = this.regions.map(({ label, area }) => ({ label, area: slivers ? area : area.filter(holdsCentre) }));
    const seen = parts.filter(({ area }) => area.length);
    const features = (seen.length ? seen : this.regions).map(({ label, area }) => ({
      type: "Feature",
      properties: label === null ? { label, ignore: true } : { label },
      geometry: area.length === 1 ? { type: "Polygon", coordinates: area[0] } : { type: "MultiPolygon", coordinates: area },
    }));
    return { type: "FeatureCollection", features };
  }

  #whole() {
    return rectangle(0, 0, this.width, this.height);
  }

  /** With other regions, and a step to go back. */
  changed(regions, more = {}) {
    const past = [...this.past, this.regions].slice(-MOST_STEPS);
    return new this.constructor({ ...this, thinned: 0, ...more, regions, past, future: [], isTouched: true });
  }
}

function cut(region, area) {
  if (!mayTouch(region.area, area)) return [region];
  const left = difference(region.area, area);
  return left.length ? [{ ...region, area: left }] : [];
}

/** An area with at most MOST_VERTICES vertices, and by how many px it was smoothed for that. */
function thin(area) {
  let [thinned, tolerance] = [area, 0];
  while (verticesOf(thinned) > MOST_VERTICES && tolerance < 64) {
    tolerance = tolerance ? 4 * tolerance : 0.5;
    thinned = simplified(area, tolerance);
  }
  return [thinned, tolerance];
}

