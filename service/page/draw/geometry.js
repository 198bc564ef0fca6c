// Areas in pixels of an image: join, cut out, brush strokes. Coordinates are [column, row] from the upper left corner; an
// area is a list of polygons, each an outer ring and its holes, as GeoJSON's MultiPolygon has them. By Clipper 6.

import { clipper } from "../vendor/openlayers/openlayers.js";

const UNITS = 256; // of Clipper's whole numbers in one pixel
const SMALLEST_PX = 0.5; // areas below this are slips of the hand
const EDGE_PX = 1 / 1024; // what lies nearer to an edge counts as on it

/** The union of areas. */
export const union = (...areas) => clip(clipper.ClipType.ctUnion, areas.flat(), []);

/** What of `area` lies outside of `others`. */
export const difference = (area, others) => clip(clipper.ClipType.ctDifference, area, others);

/** What of `area` lies inside of `other`. */
export const intersection = (area, other) => clip(clipper.ClipType.ctIntersection, area, other);

/** The area of a whole image. */
export function rectangle(left, top, right, bottom) {
  return [[[[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]]];
}

/** What a round brush of `radius` px covers along a line. */
export function stroke(line, radius) {
  const offset = new clipper.ClipperOffset(2, Math.max(0.25 * UNITS * 0.2, radius * UNITS * 0.01));
  offset.AddPath(toPath(line), clipper.JoinType.jtRound, clipper.EndType.etOpenRound);
  const tree = new clipper.PolyTree();
  offset.Execute(tree, radius * UNITS);
  return fromTree(tree);
}

/** Fewer vertices: those that lie within `tolerance` px of the line between others are left out (Douglas and Peucker). */
export function simplified(area, tolerance) {
  return area.map((polygon) => polygon.map((ring) => simplifiedRing(ring, tolerance)).filter((ring) => ring.length > 3))
    .filter((polygon) => polygon.length);
}

function simplifiedRing(ring, tolerance) {
  const last = ring.length - 1;
  const far = farthest(ring, 0, last).index; // a ring begins where it ends: it is halved first
  const kept = new Set([0, far, last]);
  const spans = [[0, far], [far, last]];
  while (spans.length) {
    const [from, to] = spans.pop();
    const { index, distance } = farthest(ring, from, to);
    if (distance <= tolerance) continue;
    kept.add(index);
    spans.push([from, index], [index, to]);
  }
  return ring.filter((_, index) => kept.has(index));
}

function farthest(ring, from, to) {
  const [[x, y], [endX, endY]] = [ring[from], ring[to]];
  const [dx, dy] = [endX - x, endY - y];
  const length = Math.hypot(dx, dy);
  let [index, distance] = [from, -1];
  for (let i = from + 1; i < to; i += 1) {
    const [px, py] = [ring[i][0] - x, ring[i][1] - y];
    const away = length ? Math.abs(dx * py - dy * px) / length : Math.hypot(px, py);
    if (away > distance) [index, distance] = [i, away];
  }
  return { index, distance };
}

/** Square pixels of an area. */
export function areaOf(area) {
  return area.reduce((sum, [outer, ...holes]) => sum + ringArea(outer) - holes.reduce((cut, hole) => cut + ringArea(hole), 0), 0);
}

/** Whether a polygon covers the centre of a pixel, and not by its edge alone: what covers none is no part of any mask. */
export function holdsCentre(polygon) {
  const [left, top, right, bottom] = boundsOf([polygon]);
  if (Math.floor(right + 0.5) === Math.floor(left + 0.5)) return false; // between two columns of centres
  for (let y = Math.floor(top + 0.5) + 0.5; y < bottom; y += 1) {
    const crossings = polygon.flatMap((ring) => crossingsAt(ring, y)).sort((one, other) => one - other);
    for (let i = 0; i + 1 < crossings.length; i += 2) {
      if (Math.floor(crossings[i] + EDGE_PX + 0.5) + 0.5 < crossings[i + 1] - EDGE_PX) return true;
    }
  }
  return false;
}

function crossingsAt(ring, y) {
  const found = [];
  for (let i = 1; i < ring.length; i += 1) {
    const [[x0, y0], [x1, y1]] = [ring[i - 1], ring[i]];
    if (y0 <= y !== y1 <= y) found.push(x0 + ((y - y0) / (y1 - y0)) * (x1 - x0));
  }
  return found;
}

/** Number of vertices. */
export const verticesOf = (area) => area.flat().reduce((sum, ring) => sum + ring.length, 0);

/** Left, top, right, bottom. */
export function boundsOf(area) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const [outer] of area) {
    for (const [x, y] of outer) {
      left = Math.min(left, x);
      right = Math.max(right, x);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y);
    }
  }
  return [left, top, right, bottom];
}

/** Whether two areas can touch at all. */
export function mayTouch(one, other) {
  const [a, b] = [boundsOf(one), boundsOf(other)];
  return a[0] <= b[2] && b[0] <= a[2] && a[1] <= b[3] && b[1] <= a[3];
}

function clip(type, subject, cutter) {
  const work = new clipper.Clipper();
  work.AddPaths(subject.flat().map(toPath), clipper.PolyType.ptSubject, true);
  if (cutter.length) work.AddPaths(cutter.flat().map(toPath), clipper.PolyType.ptClip, true);
  const tree = new clipper.PolyTree();
  const [evenOdd, nonZero] = [clipper.PolyFillType.pftEvenOdd, clipper.PolyFillType.pftNonZero];
  work.Execute(type, tree, type === clipper.ClipType.ctUnion ? nonZero : evenOdd, nonZero);
  return fromTree(tree);
}

function fromTree(tree) {
  return clipper.JS.PolyTreeToExPolygons(tree)
    .map(({ outer, holes }) => [toRing(outer), ...holes.map(toRing)])
    .filter((polygon) => ringArea(polygon[0]) >= SMALLEST_PX);
}

const toPath = (ring) => ring.map(([x, y]) => ({ X: Math.round(x * UNITS), Y: Math.round(y * UNITS) }));

function toRing(path) {
  const ring = path.map(({ X, Y }) => [X / UNITS, Y / UNITS]);
  ring.push([...ring[0]]);
  return ring;
}

function ringArea(ring) {
  let twice = 0;
  for (let i = 1; i < ring.length; i += 1) twice += ring[i - 1][0] * ring[i][1] - ring[i][0] * ring[i - 1][1];
  return Math.abs(twice) / 2;
}
