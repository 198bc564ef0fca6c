// The drawing tools on the map: polygon, box, brush, eraser, click to outline; without a tool, regions are chosen, moved by
// their corners and deleted.

import { Collection, Draw, Modify, Snap, createBox } from "../vendor/openlayers/openlayers.js";
import { Brush } from "./brush.js";
import { Regions, toArea } from "./regions.js";

export const TOOLS = ["polygon", "brush", "erase", "box", "trace"];

/** Tools over `image`; `act` is told what was done: area(area), erase(area), outline(column, row), reshape(id, area). */
export class Tools {
  #image;
  #act;
  #regions;
  #tool = null;
  #running = []; // interactions of the tool in use
  #brush;

  constructor(image, act) {
    this.#image = image;
    this.#act = act;
    this.#regions = new Regions(image.regions.getSource());
    image.regions.setStyle((feature) => this.#regions.styleOf(feature));
    this.#brush = new Brush(image, (area) => (this.#tool === "erase" ? act.erase(area) : act.area(area)));
    image.map.on("click", (event) => this.#onClick(event));
  }

  get brush() { return this.#brush; }
  get chosen() { return this.#regions.chosen; }

  /** Show the drawing of the image on screen, or nothing; `colours` maps classes to #rrggbb. */
  show(drawing, colours, opacity) {
    if (this.#regions.show(drawing, colours, opacity)) this.#use();
  }

  /** Take up a tool; null: none. */
  take(tool, isAllowed) {
    const next = isAllowed ? tool : null;
    if (next === this.#tool && this.#isAllowed === isAllowed) return;
    this.#tool = next;
    this.#isAllowed = isAllowed;
    if (next) this.#regions.choose(null);
    this.#use();
  }

  #isAllowed = false;

  choose(id) {
    this.#regions.choose(id);
    this.#use();
  }

  /** Give up what is being drawn; says whether there was something. */
  abort() {
    const drawing = this.#running.find((one) => one instanceof Draw);
    const begun = Boolean(drawing?.getOverlay().getSource().getFeatures().length > 1);
    if (begun) drawing.abortDrawing();
    return begun;
  }

  /** Take the last corner of the polygon back; says whether there was one. */
  undoCorner() {
    const drawing = this.#running.find((one) => one instanceof Draw);
    if (!drawing || this.#tool !== "polygon" || drawing.getOverlay().getSource().getFeatures().length < 2) return false;
    drawing.removeLastPoint();
    return true;
  }

  #use() {
    const { map } = this.#image;
    for (const one of this.#running) map.removeInteraction(one);
    this.#running = this.#made();
    for (const one of this.#running) map.addInteraction(one);
    this.#image.map.getTargetElement().dataset.tool = this.#tool ?? "";
  }

  #made() {
    const source = this.#image.regions.getSource();
    if (this.#tool === "polygon" || this.#tool === "box") {
      const box = this.#tool === "box" ? { type: "Circle", geometryFunction: createBox() } : { type: "Polygon" };
      const draw = new Draw({ ...box, style: this.#regions.sketch(), stopClick: true });
      draw.on("drawend", ({ feature }) => this.#act.area(toArea(feature.getGeometry())));
      return [draw, new Snap({ source, pixelTolerance: 8 })];
    }
    if (this.#tool === "brush" || this.#tool === "erase") return [this.#brush.interaction];
    const chosen = this.#isAllowed && !this.#tool ? this.#regions.chosenFeature() : null;
    if (!chosen) return [];
    const modify = new Modify({ features: new Collection([chosen]), style: this.#regions.sketch(), pixelTolerance: 12 });
    modify.on("modifyend", () => this.#act.reshape(this.#regions.chosen, toArea(chosen.getGeometry())));
    return [modify, new Snap({ source, pixelTolerance: 8 })];
  }

  #onClick({ coordinate: [x, y] }) {
    const [width, height] = this.#image.size;
    if (!this.#isAllowed || x < 0 || -y < 0 || x >= width || -y >= height) return;
    if (this.#tool === "trace") this.#act.outline(x, -y);
    else if (!this.#tool) this.#act.choose(x, -y);
  }
}
