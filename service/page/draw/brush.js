// The round brush: a line under the pointer becomes an area when it is let go. A second finger gives the stroke up, so that
// two fingers can zoom.

import { Pointer, VectorLayer, VectorSource, Feature, Style, Stroke, Fill, Circle, Point, LineString } from "../vendor/openlayers/openlayers.js";
import { stroke } from "./geometry.js";

const CLOSEST_PX = 1.5; // screen px between two points of a stroke

/** A brush over `image`; `done(area)` is told each stroke. */
export class Brush {
  #image;
  #done;
  #line = null;
  #layer = new VectorLayer({ source: new VectorSource({ wrapX: false }), zIndex: 6, updateWhileInteracting: true });
  diameter = 24; // screen px
  colour = "#ffffff";

  constructor(image, done) {
    this.#image = image;
    this.#done = done;
    this.#layer.setMap(image.map);
    this.interaction = new Pointer({
      handleDownEvent: (event) => this.#down(event),
      handleDragEvent: (event) => this.#drag(event),
      handleUpEvent: () => this.#up(),
      handleMoveEvent: (event) => this.#hover(event.coordinate),
      stopDown: (handled) => handled,
    });
    image.map.getTargetElement().addEventListener("pointerleave", () => this.#layer.getSource().clear());
  }

  /** Half of the diameter in image px. */
  get radius() {
    return (this.diameter / 2) * this.#image.resolution;
  }

  #down(event) {
    if (event.originalEvent.button > 0 || event.originalEvent.isPrimary === false) return false;
    this.#line = [event.coordinate];
    this.#draw();
    return true;
  }

  #drag(event) {
    if (!this.#line) return;
    if (event.originalEvent.isPrimary === false) {
      this.#line = null;
      this.#layer.getSource().clear();
      return;
    }
    const [x, y] = this.#line.at(-1);
    const [nextX, nextY] = event.coordinate;
    if (Math.hypot(nextX - x, nextY - y) < CLOSEST_PX * this.#image.resolution) return;
    this.#line.push(event.coordinate);
    this.#draw();
  }

  #up() {
    const line = this.#line;
    this.#line = null;
    this.#layer.getSource().clear();
    if (line) this.#done(stroke(line.map(([x, y]) => [x, -y]), this.radius));
    return false;
  }

  #draw() {
    const geometry = this.#line.length > 1 ? new LineString(this.#line) : new Point(this.#line[0]);
    this.#put(geometry, `${this.colour}99`);
  }

  #hover(coordinate) {
    if (!this.#line) this.#put(new Point(coordinate), "#ffffff22");
  }

  #put(geometry, colour) {
    const feature = new Feature(geometry);
    feature.setStyle([
      new Style({ stroke: new Stroke({ color: colour, width: this.diameter, lineCap: "round", lineJoin: "round" }),
        image: new Circle({ radius: this.diameter / 2, fill: new Fill({ color: colour }), stroke: new Stroke({ color: "#ffffff", width: 1 }) }) }),
    ]);
    const source = this.#layer.getSource();
    source.clear(true);
    source.addFeature(feature);
  }
}
