// The map: OpenLayers over the pixels of one image. x is the column, y is minus the row, both from the upper left corner.

import {
  Feature, ImageLayer, ImageStatic, Map, Polygon, Projection, TileGrid, TileImage, TileLayer, VectorLayer, VectorSource,
  View, defaultInteractions,
} from "../vendor/openlayers/openlayers.js";

export const TILE_PX = 256;
const LARGEST_PIXEL = 64; // screen px that one image px may fill
const PADDING = [14, 14, 14, 14];
const ZOOM_MS = 150;

/** The stage of the page. `loadTile(z, x, y)` resolves with the URL of a tile of the image on screen. */
export class ImageMap {
  #target;
  #map;
  #size = [0, 0];
  #projection = null;
  #thumb = new ImageLayer();
  #tiles = new TileLayer({ preload: 1 });
  #overlay = new ImageLayer();
  #around = [];
  #regions = new VectorLayer({ source: new VectorSource({ wrapX: false }), zIndex: 5, updateWhileInteracting: true });
  #points = new VectorLayer({ source: new VectorSource({ wrapX: false }), zIndex: 6, updateWhileInteracting: true, updateWhileAnimating: true });
  #loadTile;
  #isAtFit = true;
  #isAimed = false;

  constructor(target, loadTile) {
    this.#target = target;
    this.#loadTile = loadTile;
    this.#map = new Map({
      target,
      controls: [],
      interactions: defaultInteractions({ altShiftDragRotate: false, pinchRotate: false, keyboard: false, doubleClickZoom: true }),
      layers: [this.#thumb, this.#tiles, this.#overlay, this.#regions, this.#points],
      maxTilesLoading: 8,
    });
    this.#tiles.setZIndex(2);
    this.#overlay.setZIndex(3);
    new ResizeObserver(() => this.#onResize()).observe(target);
    addEventListener("resize", () => { this.#isAtFit = !this.#isAimed; }); // a turned phone shows all of the image again
    this.#map.on("movestart", () => { this.#isAtFit = false; });
  }

  /** Of OpenLayers, for drawing tools. */
  get map() { return this.#map; }
  get regions() { return this.#regions; }
  get points() { return this.#points; }
  get size() { return this.#size; }
  /** Screen px to image px. */
  get resolution() { return this.#map.getView().getResolution() ?? 1; }
  get isAtFit() { return this.resolution >= 0.99 * this.#fitResolution(); }

  /** Show another image of `width` x `height` px, all of it; nothing of the one before is left. */
  reset(width, height) {
    this.#size = [width, height];
    const extent = [0, -height, width, 0];
    this.#projection = new Projection({ code: "image", units: "pixels", extent });
    for (const layer of [this.#thumb, this.#tiles, this.#overlay]) layer.setSource(null);
    this.surround([]);
    this.#map.setView(this.#newView(extent));
    this.fit();
  }

  #newView(extent) {
    const [width, height] = this.#size;
    return new View({
      projection: this.#projection,
      center: [width / 2, -height / 2],
      extent: [extent[0] - width, extent[1] - height, extent[2] + width, extent[3] + height],
      minResolution: 1 / LARGEST_PIXEL,
      maxResolution: Math.max(width, height) / 24 + 1,
      constrainOnlyCenter: true,
      resolution: 1,
    });
  }

  /** All of the image, or a place around it, on screen. */
  fit(extent = [0, -this.#size[1], this.#size[0], 0], duration = 0) {
    if (!this.#projection || !this.#map.getSize()) return;
    this.#map.getView().fit(extent, { padding: PADDING, minResolution: 1 / LARGEST_PIXEL, duration });
    this.#isAtFit = true;
    this.#isAimed = false;
  }

  /** Put a place in the middle, with `scale` screen px for one image px. */
  aim(column, row, scale) {
    const view = this.#map.getView();
    view.cancelAnimations();
    view.setResolution(1 / scale);
    view.setCenter([column, -row]);
    this.#isAtFit = false;
    this.#isAimed = true;
  }

  /** Whether a place was put in the middle, and not all of the image shown since. */
  get isAimed() { return this.#isAimed; }

  /** Screen px of one image px where all of the image is shown. */
  get fitScale() { return 1 / this.#fitResolution(); }

  /** One image px on one screen px, or all of the image. */
  toggleActualSize() {
    const actual = 1 / (window.devicePixelRatio || 1);
    const isActual = Math.abs(this.resolution / actual - 1) < 0.01;
    if (isActual) this.fit(undefined, ZOOM_MS);
    else this.#map.getView().animate({ resolution: actual, duration: ZOOM_MS });
  }

  zoom(steps) {
    this.#map.getView().adjustZoom(steps);
  }

  /** A picture of all of the image, at once; it stays below the tiles. `shown` is called when it is on the screen. */
  thumb(url, isSharp, shown) {
    const source = this.#put(this.#thumb, url, [0, -this.#size[1], this.#size[0], 0], isSharp);
    source.once("imageloadend", shown);
    this.#map.renderSync();
  }

  /** Something drawn over all of the image, or nothing. */
  overlay(url, opacity) {
    if (url) this.#put(this.#overlay, url, [0, -this.#size[1], this.#size[0], 0], false);
    else this.#overlay.setSource(null);
    this.#overlay.setOpacity(opacity);
  }

  /** Tiles with `maxZoom` zooms below the whole image, and `further` ones whose pixels are finer; null: none. */
  tiles(maxZoom, further = 0) {
    if (maxZoom === null) return this.#tiles.setSource(null);
    const [width, height] = this.#size;
    const extent = [0, -height, width, 0];
    const resolutions = Array.from({ length: maxZoom + further + 1 }, (_, z) => 2 ** (maxZoom - z));
    const source = new TileImage({
      projection: this.#projection,
      tileGrid: new TileGrid({ extent, origin: [0, 0], resolutions, tileSize: TILE_PX }),
      tileUrlFunction: ([z, x, y]) => `${z}/${x}/${y}`,
      tileLoadFunction: (tile, place) => this.#load(tile, place),
      interpolate: false,
      transition: 0,
      wrapX: false,
    });
    return this.#tiles.setSource(source);
  }

  /** Pictures of other samples around this one: [{url, extent}] in image px, y downwards. */
  surround(pictures) {
    for (const layer of this.#around) this.#map.removeLayer(layer);
    this.#around = pictures.map(({ url, left, top, width, height }) => {
      const layer = new ImageLayer({ zIndex: -1, opacity: 0.6 });
      this.#put(layer, url, [left, -top - height, left + width, -top], false);
      this.#map.addLayer(layer);
      return layer;
    });
  }

  /** Hide everything that lies over the image, or show it again. */
  showOver(visible) {
    this.#overlay.setVisible(visible);
    this.#regions.setVisible(visible);
    this.#points.setVisible(visible);
  }

  /** The frame of the image, for what is drawn around it. */
  frame() {
    const [width, height] = this.#size;
    return new Feature(new Polygon([[[0, 0], [width, 0], [width, -height], [0, -height], [0, 0]]]));
  }

  renderNow() {
    this.#map.renderSync();
  }

  async #load(tile, place) {
    const picture = tile.getImage();
    try {
      const url = await this.#loadTile(...place.split("/"));
      for (const over of ["load", "error"]) picture.addEventListener(over, () => URL.revokeObjectURL(url), { once: true }); // the decoded picture stays
      picture.src = url;
    } catch {
      tile.setState(3); // an error: the thumbnail shows through
    }
  }

  #put(layer, url, imageExtent, isSharp) {
    const source = new ImageStatic({ url, imageExtent, projection: this.#projection, interpolate: !isSharp });
    layer.setSource(source);
    return source;
  }

  #fitResolution() {
    const [width, height] = this.#size;
    const [across, down] = this.#map.getSize() ?? [1, 1];
    return Math.max(width / Math.max(1, across - 28), height / Math.max(1, down - 28), 1 / LARGEST_PIXEL);
  }

  #onResize() {
    this.#map.updateSize();
    if (this.#isAtFit) this.fit();
  }
}
