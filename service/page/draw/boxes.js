// Objects that are marked on one image, a box each. Boxes may overlap, and stay boxes whatever is done to them.

import { Drawing } from "./drawing.js";
import { boundsOf, rectangle } from "./geometry.js";

const LEAST_PX = 0.5; // what the service takes

/** Boxes [{id, label, area}] on an image of `width` x `height` px; acts as a Drawing does. */
export class BoxDrawing extends Drawing {
  /** A new box around an area. */
  add(area, label) {
    const box = this.#inside(boundsOf(area));
    if (!box) return this;
    return this.changed([...this.regions, { id: this.nextId, label, area: box }], { nextId: this.nextId + 1 });
  }

  /** Nothing: a box goes as a whole. */
  erase() {
    return this;
  }

  /** Nothing: the rest of the image is no object. */
  fill() {
    return this;
  }

  /** Put a box where its corner or its side was dragged to. */
  reshape(id, area) {
    const region = this.regions.find((one) => one.id === id);
    const box = this.#inside(dragged(boundsOf(region.area), area[0][0]));
    // too small: as it was, and shown again
    return this.changed(this.regions.map((one) => (one.id === id ? { ...one, area: box ?? one.area } : one)));
  }

  relabel(id, label) {
    return this.changed(this.regions.map((one) => (one.id === id ? { ...one, label } : one)));
  }

  /** How many boxes each class has: Map of label to number. */
  counts() {
    const counts = new Map();
    for (const { label } of this.regions) counts.set(label, (counts.get(label) ?? 0) + 1);
    return counts;
  }

  /** The smallest box at a place, or null. */
  at(column, row) {
    const size = ([left, top, right, bottom]) => (right - left) * (bottom - top);
    const there = this.regions.map((region) => ({ region, bounds: boundsOf(region.area) }))
      .filter(({ bounds: [left, top, right, bottom] }) => left - 1 <= column && column <= right + 1 && top - 1 <= row && row <= bottom + 1);
    return there.sort((one, other) => size(one.bounds) - size(other.bounds))[0]?.region ?? null;
  }

  #inside([left, top, right, bottom]) {
    const [x, y] = [Math.max(0, left), Math.max(0, top)];
    const [toX, toY] = [Math.min(this.width, right), Math.min(this.height, bottom)];
    return toX - x >= LEAST_PX && toY - y >= LEAST_PX ? rectangle(x, y, toX, toY) : null;
  }
}

/** The box after one corner of its ring, or a place on one of its sides, was moved. */
function dragged([left, top, right, bottom], ring) {
  const isOld = ([x, y]) => (x === left || x === right) && (y === top || y === bottom);
  const at = ring.findIndex((corner) => !isOld(corner));
  if (at < 0) return [left, top, right, bottom];
  const [x, y] = ring[at];
  const corners = [[left, top], [right, top], [right, bottom], [left, bottom]];
  const gone = corners.find(([cx, cy]) => !ring.some(([ox, oy]) => ox === cx && oy === cy));
  if (gone) {
    const [fixedX, fixedY] = [gone[0] === left ? right : left, gone[1] === top ? bottom : top];
    return [Math.min(x, fixedX), Math.min(y, fixedY), Math.max(x, fixedX), Math.max(y, fixedY)];
  }
  const [before, after] = [ring[at - 1] ?? ring.at(-2), ring[at + 1] ?? ring[1]];
  if (before[0] === after[0]) return before[0] === left ? [x, top, right, bottom] : [left, top, x, bottom];
  return before[1] === top ? [left, y, right, bottom] : [left, top, right, y];
}
