// The drawing tools on the map: polygon, box, brush, eraser, click to outline; without a tool, regions are chosen, moved by
// their corners and deleted.

import { Collection, Draw, Modify, Snap } from "../vendor/openlayers/openlayers.js";
import { Box } from "./box.js";
import { Brush } from "./brush.js";
import { Regions, toArea } from "./regions.js";

const SNAP_PX = 8; // on the screen

/** Tools over `image`; `act` is told what was done: area(area), erase(area), outline(column, row), reshape(id, area). */
export class Tools {
  #image;
  #act;
  #regions;
  #tool = null;
  #running = []; // interactions of the tool in use
  #brush;
  #box;

  constructor(image, act) {
    this.#image = image;
    this.#act = act;
    this.#regions = new Regions(image.regions.getSource());
    image.regions.setStyle((feature) => this.#regions.styleOf(feature));
    this.#brush = new Brush(image, (area) => (this.#tool === "erase" ? act.erase(area) : act.area(area)));
    this.#box = new Box(image, this.#regions.sketch(), (area) => act.area(area));
    image.map.on("click", (event) => this.#onClick(event));
  }

  get brush() { return this.#brush; }
  get chosen() { return this.#regions.chosen; }

  /** Show the drawing of the image on screen, or nothing; `colours` maps classes to #rrggbb. */
  show(drawing, colours, opacity) {
    if (this.#regions.show(drawing, colours, opacity)) this.#use();
  }

  /** Take up a tool for a sample; null: none. What is begun on another sample is given up. */
  take(tool, isAllowed, sampleId) {
    const next = isAllowed ? tool : null;
    if (next === this.#tool && this.#isAllowed === isAllowed && this.#sampleId === sampleId) return;
    this.#tool = next;
    this.#sampleId = sampleId;
    this.#isAllowed = isAllowed;
    if (next) this.#regions.choose(null);
    this.#use();
  }

  #isAllowed = false;
  #sampleId;

  choose(id) {
    this.#regions.choose(id);
    this.#use();
  }

  /** Give up what is being drawn; says whether there was something. */
  abort() {
    if (this.#box.abort()) return true;
    const drawing = this.#running.find((one) => one instanceof Draw);
    const begun = Boolean(drawing?.getOverlay().getSource().getFeatures().length > 1);
    if (begun) drawing.abortDrawing();
    return begun;
  }

  /** Take the last corner of the polygon or the first of the box back; says whether there was one. */
  undoCorner() {
    if (this.#box.abort()) return true;
    const drawing = this.#running.find((one) => one instanceof Draw);
    if (!drawing || this.#tool !== "polygon" || drawing.getOverlay().getSource().getFeatures().length < 2) return false;
    drawing.removeLastPoint();
    return true;
  }

  #use() {
    const { map } = this.#image;
    for (const one of this.#running) map.removeInteraction(one);
    this.#box.abort();
    this.#running = this.#made();
    for (const one of this.#running) map.addInteraction(one);
    this.#image.map.getTargetElement().dataset.tool = this.#tool ?? "";
  }

  #made() {
    const source = this.#image.regions.getSource();
    if (this.#tool === "polygon") {
      const draw = new Draw({ type: "Polygon", style: this.#regions.sketch(), stopClick: true });
      draw.on("drawend", ({ feature }) => this.#act.area(toArea(feature.getGeometry())));
      return [draw, snapTo(source)];
    }
    if (this.#tool === "box") return [this.#box.interaction, snapTo(source)];
    if (this.#tool === "brush" || this.#tool === "erase") return [this.#brush.interaction];
    const chosen = this.#isAllowed && !this.#tool ? this.#regions.chosenFeature() : null;
    if (!chosen) return [];
    const modify = new Modify({ features: new Collection([chosen]), style: this.#regions.sketch(), pixelTolerance: 12 });
    modify.on("modifyend", () => this.#act.reshape(this.#regions.chosen, toArea(chosen.getGeometry())));
    return [modify, snapTo(source)];
  }

  #onClick({ coordinate: [x, y] }) {
    const [width, height] = this.#image.size;
    if (!this.#isAllowed || x < 0 || -y < 0 || x >= width || -y >= height) return;
    if (this.#tool === "trace") this.#act.outline(x, -y);
    else if (!this.#tool) this.#act.choose(x, -y);
  }
}

/** Corners go to those of other regions nearby; not while Shift is held, with which outlines are drawn freehand. */
function snapTo(source) {
  const snap = new Snap({ source, pixelTolerance: SNAP_PX });
  const handle = snap.handleEvent;
  snap.handleEvent = (event) => Boolean(event.originalEvent?.shiftKey) || handle.call(snap, event);
  return snap;
}
