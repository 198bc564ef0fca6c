// Regions of a drawing as features of the map.

import { Circle, Feature, Fill, MultiPolygon, Stroke, Style } from "../vendor/openlayers/openlayers.js";

/** A geometry of the map as an area in pixels: rows count downwards there. */
export function toArea(geometry) {
  const coordinates = geometry.getType() === "Polygon" ? [geometry.getCoordinates()] : geometry.getCoordinates();
  return coordinates.map((polygon) => polygon.map((ring) => ring.map(([x, y]) => [x, -y])));
}

const toGeometry = (area) => new MultiPolygon(area.map((polygon) => polygon.map((ring) => ring.map(([x, y]) => [x, -y]))));

/** Keeps the features of a source in step with a drawing. */
export class Regions {
  #source;
  #features = new Map(); // id -> feature
  #shown = new Map(); // id -> region it was made of
  #colours = new Map();
  #opacity = 0.4;
  chosen = null;

  constructor(source) {
    this.#source = source;
  }

  /** Show a drawing or nothing; says whether the chosen region went or changed. */
  show(drawing, colours, opacity) {
    const regions = new Map((drawing?.regions ?? []).map((region) => [region.id, region]));
    let isChosenOld = false;
    for (const [id, feature] of this.#features) {
      if (regions.get(id) === this.#shown.get(id)) continue;
      this.#source.removeFeature(feature);
      this.#features.delete(id);
      isChosenOld ||= id === this.chosen;
    }
    for (const [id, region] of regions) {
      if (this.#features.has(id)) continue;
      const feature = new Feature(toGeometry(region.area));
      feature.set("label", region.label);
      feature.setId(id);
      this.#features.set(id, feature);
      this.#source.addFeature(feature);
    }
    this.#shown = regions;
    if (this.chosen !== null && !regions.has(this.chosen)) this.chosen = null;
    if (colours !== this.#colours || opacity !== this.#opacity) {
      this.#colours = colours;
      this.#opacity = opacity;
      this.#source.changed();
    }
    return isChosenOld;
  }

  choose(id) {
    this.chosen = id;
    this.#source.changed();
  }

  chosenFeature() {
    return this.#features.get(this.chosen) ?? null;
  }

  styleOf(feature) {
    const colour = this.#colours.get(feature.get("label")) ?? "#888888";
    const isChosen = feature.getId() === this.chosen;
    const fill = new Fill({ color: colour + hex(this.#opacity * (isChosen ? 0.6 : 1)) });
    const line = new Stroke({ color: isChosen ? "#ffffff" : colour, width: isChosen ? 2.5 : 1.5 });
    const halo = new Style({ stroke: new Stroke({ color: "#000000aa", width: isChosen ? 4.5 : 2.5 }) });
    return [halo, new Style({ fill, stroke: line })];
  }

  /** Of what is being drawn. */
  sketch() {
    const [fill, stroke] = [new Fill({ color: "#ffffff33" }), new Stroke({ color: "#ffffff", width: 2 })];
    const corner = new Circle({ radius: 5, fill: new Fill({ color: "#ffffff" }), stroke: new Stroke({ color: "#000000", width: 1 }) });
    return [new Style({ stroke: new Stroke({ color: "#000000aa", width: 4 }) }), new Style({ fill, stroke, image: corner })];
  }
}

const hex = (share) => Math.round(255 * share).toString(16).padStart(2, "0");
