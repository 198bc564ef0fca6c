// Where and when: scale bar, coordinates under the pointer, date, links to maps.

import { element, show, write } from "../core/dom.js";

const WIDEST_BAR_PX = 100;

/** The line below the image. */
export class PlaceView {
  #parts;
  #stage;
  #facts = null; // what the service tells about the image on screen

  constructor(parts, stage) {
    this.#parts = parts;
    this.#stage = stage;
    stage.map.on("pointermove", (event) => this.#point(event.coordinate));
    stage.map.on("postrender", () => this.#scale());
    parts.canvas.addEventListener("pointerleave", () => write(parts.coordinates, ""));
  }

  /** The facts of `samples/{id}/view`, or null. */
  show(facts) {
    this.#facts = facts;
    const { date, links, coordinates } = this.#parts;
    write(date, facts?.datetime ? new Date(facts.datetime).toLocaleDateString("en-GB", { dateStyle: "medium" }) : "");
    write(coordinates, "");
    const named = { openstreetmap: "OpenStreetMap", copernicus: "Copernicus" };
    const given = Object.entries(facts?.links ?? {}).filter(([kind, url]) => named[kind] && /^https:/.test(url));
    links.replaceChildren(...given.map(([kind, url]) => {
      const link = element("a", "link", named[kind]);
      Object.assign(link, { href: url, target: "_blank", rel: "noopener noreferrer" });
      return link;
    }));
    this.#scale();
  }

  #scale() {
    const metres = this.#facts?.pixel_size_m;
    const { scale, scaleText } = this.#parts;
    show(scale, Boolean(metres));
    if (!metres) return;
    const perScreenPx = metres * this.#stage.resolution;
    const length = roundLength(WIDEST_BAR_PX * perScreenPx);
    scale.style.setProperty("width", `${(length / perScreenPx).toFixed(1)}px`);
    write(scaleText, length >= 1000 ? `${length / 1000} km` : `${length} m`);
  }

  #point([x, y]) {
    const [width, height] = this.#stage.size;
    const [column, row] = [Math.floor(x), Math.floor(-y)];
    if (column < 0 || row < 0 || column >= width || row >= height) return write(this.#parts.coordinates, "");
    const bounds = this.#facts?.bounds;
    const at = bounds ? `${degrees(bounds[3] + (bounds[1] - bounds[3]) * (-y / height), "N", "S")} `
      + `${degrees(bounds[0] + (bounds[2] - bounds[0]) * (x / width), "E", "W")} · ` : "";
    return write(this.#parts.coordinates, `${at}${column}, ${row} px`);
  }
}

/** The largest of 1, 2, 5, 10, ... that is not above a length. */
function roundLength(length) {
  const power = 10 ** Math.floor(Math.log10(length));
  return Number((power * ([5, 2, 1].find((step) => step * power <= length) ?? 1)).toPrecision(1));
}

const degrees = (value, plus, minus) => `${Math.abs(value).toFixed(5)}° ${value < 0 ? minus : plus}`;
