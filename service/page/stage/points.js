// The points that are asked: a ring around the one to answer, dots for the others, and the view that puts it in the middle.

import { givenTo } from "../actions/pointing.js";
import { show, write } from "../core/dom.js";
import { isPointed, openLeases, selectedLease, state } from "../core/state.js";
import { Circle, Feature, Fill, Point, Polygon, Stroke, Style } from "../vendor/openlayers/openlayers.js";

const LEAST_SCALE = 4; // screen px of one image px
const NEARER = 1.5; // than the whole image is shown, where that is nearer
const LARGEST_SCALE = 64;
const PIXEL_SHOWN = 8; // screen px from which on the pixel itself has a frame
const SMALLEST_RING = 18; // px, radius
const AHEAD = 2; // points whose surroundings are fetched before they are asked
const INK = [["#000000", 7], ["#ffffff", 3]]; // white between black: seen on any ground, whatever colours somebody sees

/** Shows the points of the sample on screen. */
export class PointsView {
  #parts;
  #stage;
  #image;
  #shown = "";
  #aimed = null; // scale that the view was given
  #scale = null; // the annotator's own

  constructor(parts, stage) {
    this.#parts = parts;
    this.#stage = stage;
    this.#image = stage.image;
    stage.image.points.setStyle(styleOf);
  }

  /** `colours` maps classes to #rrggbb. */
  render(colours) {
    const lease = selectedLease();
    const points = isPointed(lease) ? lease.points : [];
    const given = points.length ? givenTo(lease) : [];
    const asked = points[given.length];
    show(this.#parts.asked, Boolean(asked));
    if (asked) write(this.#parts.asked, `Point ${given.length + 1} of ${points.length}`);
    write(this.#parts.actual, !asked ? "1:1" : state.whole ? "Ring" : "All");
    this.#parts.actual.title = asked ? "The point or the whole image (z)" : "1:1 or the whole image (z)";
    const wanted = points.length ? [lease.sample_id, given.length, state.whole, [...colours], String(points.map(({ column, row }) => [column, row]))].join(" ") : "";
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    const source = this.#image.points.getSource();
    source.clear(true);
    source.addFeatures(points.flatMap((point, index) => featuresOf(point, index - given.length, colours.get(given[index]))));
    if (asked) this.#look(asked);
    else this.#aimed = null;
  }

  #look({ column, row }) {
    const image = this.#image;
    const scale = 1 / image.resolution;
    if (image.isAimed && this.#aimed && Math.abs(scale / this.#aimed - 1) > 0.01) this.#scale = scale;
    this.#aimed = state.whole ? null : (this.#scale ?? Math.min(LARGEST_SCALE, Math.max(LEAST_SCALE, NEARER * image.fitScale)));
    if (state.whole) image.fit();
    else image.aim(column, row, this.#aimed);
    image.renderNow();
    if (this.#aimed) for (const [lease, point] of upcoming().slice(0, AHEAD)) this.#stage.warm(lease, point, this.#aimed);
  }
}

/** The points that are asked after the one on screen: of this sample, then of the next open ones. */
function upcoming() {
  const shown = selectedLease();
  const open = openLeases();
  const rest = open.slice(open.findIndex((lease) => lease.sample_id === shown.sample_id) + 1);
  const left = (lease, from) => (lease.points ?? []).slice(from).map((point) => [lease, point]);
  return [...left(shown, givenTo(shown).length + 1), ...rest.flatMap((lease) => left(lease, givenTo(lease).length))];
}

/** `turn`: 0 for the point that is asked, below 0 for those before it. */
function featuresOf({ column, row }, turn, colour) {
  const [x, y] = [column, -row];
  const place = new Feature(new Point([x, y]));
  place.setProperties({ turn, colour });
  if (turn) return [place];
  const pixel = new Feature(new Polygon([[[x - 0.5, y - 0.5], [x + 0.5, y - 0.5], [x + 0.5, y + 0.5], [x - 0.5, y + 0.5], [x - 0.5, y - 0.5]]]));
  pixel.set("pixel", true);
  return [pixel, place];
}

/** The style of a point or of the frame of the asked pixel. */
function styleOf(feature, resolution) {
  const { turn, colour, pixel } = feature.getProperties();
  if (pixel) return resolution > 1 / PIXEL_SHOWN ? [] : [line("#000000aa", 3), line("#ffffff", 1)];
  if (turn === 0) return [new Style({ renderer: ([x, y], { context, pixelRatio }) => ring(context, x, y, pixelRatio, 1 / resolution) })];
  if (turn > 0) return [circle(4, { line: "#000000", width: 3.5 }), circle(4, { line: "#ffffff", width: 1.5 })];
  return [circle(6, { fill: "#000000" }), circle(5, { fill: "#ffffff" }), circle(3.5, { fill: colour ?? "#000000" })];
}

/** A ring with four marks that point at the middle and leave the pixel free, which is `scale` screen px wide. */
function ring(context, x, y, pixelRatio, scale) {
  const radius = Math.max(SMALLEST_RING, 0.75 * scale + 8);
  const inner = Math.max(0.4 * radius, 0.5 * scale + 3);
  context.save();
  context.translate(x, y);
  context.scale(pixelRatio, pixelRatio);
  for (const [colour, width] of INK) {
    context.beginPath();
    context.arc(0, 0, radius, 0, 2 * Math.PI);
    for (const [across, down] of [[1, 0], [0, 1], [-1, 0], [0, -1]]) {
      context.moveTo(radius * across, radius * down);
      context.lineTo(inner * across, inner * down);
    }
    Object.assign(context, { strokeStyle: colour, lineWidth: width, lineCap: "butt" });
    context.stroke();
  }
  context.restore();
}

const line = (color, width) => new Style({ stroke: new Stroke({ color, width }) });

function circle(radius, { fill, line: color, width }) {
  const image = new Circle({ radius, fill: fill && new Fill({ color: fill }), stroke: color && new Stroke({ color, width }) });
  return new Style({ image });
}
