// The box: pressed, dragged and let go, or clicked at two corners. A second finger gives it up, so that two fingers can zoom.

import { Feature, Pointer, Polygon, VectorLayer, VectorSource } from "../vendor/openlayers/openlayers.js";
import { rectangle } from "./geometry.js";

const CLICK_PX = 6; // a press that moves less is a click

/** A box over `image`, shown in `style` while it is drawn; `done(area)` is told each. */
export class Box {
  #image;
  #done;
  #corner = null; // the first, in map coordinates
  #pressed = null; // where the pointer went down, in screen px
  #isPlaced = false; // the first corner was clicked; the next press ends the box
  #layer = new VectorLayer({ source: new VectorSource({ wrapX: false }), zIndex: 6, updateWhileInteracting: true });

  constructor(image, style, done) {
    this.#image = image;
    this.#done = done;
    this.#layer.setStyle(style);
    this.#layer.setMap(image.map);
    this.interaction = new Pointer({
      handleDownEvent: (event) => this.#down(event),
      handleDragEvent: (event) => this.#drag(event),
      handleUpEvent: (event) => this.#up(event),
      handleMoveEvent: (event) => this.#corner && this.#draw(event.coordinate),
      stopDown: (handled) => handled,
    });
  }

  /** Give up the box that is begun; says whether there was one. */
  abort() {
    const begun = this.#corner !== null;
    [this.#corner, this.#pressed, this.#isPlaced] = [null, null, false];
    this.#layer.getSource().clear();
    return begun;
  }

  #down(event) {
    if (event.originalEvent.button > 0 || event.originalEvent.isPrimary === false) return false;
    this.#pressed = event.pixel;
    if (!this.#isPlaced) this.#corner = event.coordinate;
    this.#draw(event.coordinate);
    return true;
  }

  #drag(event) {
    if (event.originalEvent.isPrimary === false) this.abort();
    else if (this.#corner) this.#draw(event.coordinate);
  }

  #up(event) {
    event.preventDefault(); // two quick clicks are corners, no double click, which zooms
    if (!this.#corner) return false;
    const isClick = Math.hypot(event.pixel[0] - this.#pressed[0], event.pixel[1] - this.#pressed[1]) < CLICK_PX;
    if (isClick && !this.#isPlaced) {
      this.#isPlaced = true;
      return false;
    }
    const area = this.#area(event.coordinate);
    this.abort();
    this.#done(area);
    return false;
  }

  #area([x, y]) {
    const [left, top] = this.#corner;
    return rectangle(Math.min(left, x), Math.min(-top, -y), Math.max(left, x), Math.max(-top, -y));
  }

  #draw(coordinate) {
    const rings = this.#area(coordinate)[0].map((ring) => ring.map(([x, y]) => [x, -y]));
    const source = this.#layer.getSource();
    source.clear(true);
    source.addFeature(new Feature(new Polygon(rings)));
  }
}
