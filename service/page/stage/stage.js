// The middle of the page: the image, what lies over it, and the calm end of the list.

import { ApiError } from "../net/api.js";
import { show, write } from "../core/dom.js";
import { capital, fileName } from "../core/format.js";
import { change, drawnOn, draws, madeZooms, openLeases, selectedLease, shownOverlay, state } from "../core/state.js";
import { ending } from "./ending.js";
import { ImageMap, TILE_PX } from "./map.js";
import { PlaceView } from "./place.js";

export const LARGE_PX = 768;
export const THUMB_PX = 96;
const AHEAD = 3; // pictures that are fetched before they are asked for
const MOST_FACTS = 500;
const AROUND_PX = 256;

/** Shows the selected sample. */
export class StageView {
  #parts;
  #api;
  #pictures;
  #image;
  #place;
  #shown = ""; // sample and look that the stage shows or is about to show
  #sample = null;
  #facts = new Map(); // sample_id -> promise of what the service tells about it
  #overlaid = "";
  #url = null; // of the picture that is on the stage
  #surrounded = null;
  #warm = new Set(); // tiles that were asked for before they are shown

  constructor(parts, api, pictures) {
    this.#parts = parts;
    this.#api = api;
    this.#pictures = pictures;
    this.#image = new ImageMap(parts.map, (z, x, y) => this.#tile(z, x, y));
    this.#place = new PlaceView(parts, this.#image);
  }

  /** The map, for drawing tools. */
  get image() {
    return this.#image;
  }

  render() {
    const lease = selectedLease();
    const parts = this.#parts;
    const at = lease ? state.leases.findIndex((one) => one.sample_id === lease.sample_id) + 1 : 0;
    write(parts.rank, at ? `${at} of ${state.leases.length}` : "");
    write(parts.file, lease ? fileName(lease.path) : "");
    if (lease && parts.file.title !== lease.path) parts.file.title = lease.path;
    for (const button of parts.overlays.querySelectorAll("button")) {
      const { overlay } = button.dataset;
      button.setAttribute("aria-pressed", String(overlay === shownOverlay()));
      if (overlay === "suggestion") show(button, draws());
    }
    parts.canvas.classList.toggle("empty", !lease);
    show(parts.map, Boolean(lease));
    show(parts.finished, !lease && (state.loaded || state.missing));
    show(parts.finishedWay, state.missing);
    parts.canvas.closest(".workspace").classList.toggle("missing", state.missing);
    if (lease) {
      this.#picture(lease);
      this.#overlay(lease);
    } else this.#nothing();
  }

  /** What the service tells about a sample, asked for once. */
  facts(sampleId) {
    if (!this.#facts.has(sampleId)) {
      const asked = this.#api.view(sampleId);
      asked.catch(() => this.#facts.delete(sampleId));
      this.#facts.set(sampleId, asked);
      if (this.#facts.size > MOST_FACTS) this.#facts.delete(this.#facts.keys().next().value);
    }
    return this.#facts.get(sampleId);
  }

  #nothing() {
    const { finishedTitle, finishedText, finishedSize, note, legend } = this.#parts;
    this.#shown = this.#overlaid = "";
    this.#sample = null;
    for (const hidden of [note, legend]) show(hidden, false);
    const done = state.leases.filter((lease) => lease.state === "labelled").length;
    const [title, text, more] = ending(done);
    write(finishedTitle, title);
    write(finishedText, text);
    write(finishedSize, String(state.querySize));
    this.#parts.finished.querySelector("button.button").classList.toggle("primary", more);
  }

  /** Show the picture that is here at once, the whole one as soon as it comes, tiles where it has more to show. */
  async #picture(lease) {
    const { view, stretch } = state;
    const look = { view, stretch };
    const wanted = [lease.sample_id, view, stretch, state.gamma].join(" ");
    if (wanted === this.#shown) return;
    this.#shown = wanted;
    const { note, map } = this.#parts;
    const isSharp = Math.max(lease.width, lease.height) <= LARGE_PX;
    if (this.#sample !== lease.sample_id) {
      this.#sample = lease.sample_id;
      this.#overlaid = "";
      this.#surrounded = null;
      this.#url = null;
      this.#image.reset(lease.width, lease.height);
      this.#image.overlay(null, 1);
      this.#place.show(null);
      show(note, false);
      const here = this.#pictures.peek(lease.sample_id, LARGE_PX, look) ?? this.#pictures.peek(lease.sample_id, THUMB_PX);
      map.dataset.shows = "";
      if (here) this.#thumb(lease, here, isSharp);
    }
    this.#image.tiles(null);
    map.setAttribute("aria-label", `Satellite image ${fileName(lease.path)}`);
    try {
      const url = await this.#pictures.get(lease.sample_id, LARGE_PX, look, true);
      if (this.#shown !== wanted) return;
      this.#thumb(lease, url, isSharp);
      if (needsTiles(lease)) this.#image.tiles(zoomsOf(lease), madeZooms());
      this.#ahead(look);
      const facts = await this.facts(lease.sample_id);
      if (this.#sample !== lease.sample_id || !facts) return;
      this.#place.show(facts);
      this.#surround(facts);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.#shown !== wanted) return;
      if (error.isOffline) this.#shown = ""; // tried again with the next news
      write(note, error.isOffline ? "The picture comes when the service is back." : `The image cannot be shown: ${error.message}`);
      show(note, true);
    }
  }

  #thumb(lease, url, isSharp) {
    if (this.#url === url) return; // it is there already
    this.#url = url;
    this.#image.thumb(url, isSharp, () => {
      if (this.#sample === lease.sample_id) this.#parts.map.dataset.shows = String(lease.sample_id);
    });
  }

  async #tile(z, x, y) {
    const { view, stretch, gamma } = state;
    return URL.createObjectURL(await this.#api.tile(this.#sample, z, x, y, { view, stretch, gamma }));
  }

  /** What the model says, drawn over the image; where it says nothing, one quiet sentence. */
  async #overlay(lease) {
    const model = state.campaign?.current_model?.version;
    const over = shownOverlay();
    const asked = over === "suggestion" && drawnOn(lease.sample_id) ? "none" : over;
    const wanted = [lease.sample_id, asked, model, state.suggestions.has(lease.sample_id)].join(" ");
    if (wanted === this.#overlaid) return;
    this.#overlaid = wanted;
    const { note, legend } = this.#parts;
    let said = "";
    let url = null;
    if (asked === "suggestion" && !state.suggestions.has(lease.sample_id)) {
      said = model ? "No suggestion for this image yet: press g to ask for one." : "There is no model yet that could suggest anything.";
    } else if (asked !== "none") {
      try {
        url = await this.#pictures.get(lease.sample_id, LARGE_PX, { overlay: asked }, true);
      } catch (error) {
        if (!(error instanceof ApiError)) throw error;
        if (error.isOffline) this.#overlaid = "";
        said = error.isOffline ? "The overlay comes when the service is back." : capital(error.message);
      }
      if (this.#overlaid !== wanted && this.#overlaid) return;
    }
    this.#image.overlay(url, state.opacity);
    if (state.overlaid !== Boolean(url)) change({ overlaid: Boolean(url) });
    write(note, said);
    show(note, Boolean(said));
    show(legend, asked === "uncertainty" && !said);
  }

  async #surround(facts) {
    if (!state.around || this.#surrounded === this.#sample) return;
    const sample = this.#surrounded = this.#sample;
    const found = await Promise.allSettled((facts.neighbours ?? []).map(async ({ sample_id: id, dx, dy, width, height }) => {
      return { url: await this.#pictures.get(id, AROUND_PX, { view: state.view, stretch: state.stretch }), left: dx, top: dy, width, height };
    }));
    if (sample === this.#sample) this.#image.surround(found.filter((one) => one.value).map((one) => one.value));
  }

  /** Show what lies around the image, or only the image; gives true where nothing does. */
  async around() {
    const lease = selectedLease();
    if (!lease) return false;
    change({ around: !state.around });
    const [width, height] = this.#image.size;
    this.#surrounded = null;
    if (!state.around) {
      this.#image.surround([]);
      this.#image.fit();
      return false;
    }
    this.#image.fit([-0.7 * width, -1.7 * height, 1.7 * width, 0.7 * height], 150);
    const facts = await this.facts(lease.sample_id);
    return facts && this.#surround(facts).then(() => !facts.neighbours?.length);
  }

  /** Draw opacity of overlays anew. */
  fade() {
    this.#overlaid = "";
    this.render();
  }

  /** Fetch what is around a place of a sample before it is shown, with `scale` screen px for one image px. */
  warm(lease, { column, row }, scale) {
    const { view, stretch, gamma } = state;
    if (!needsTiles(lease) || scale < 1) return;
    const zoom = zoomsOf(lease);
    const [left, right] = tilesAcross(column, this.#parts.map.clientWidth / scale, lease.width);
    const [top, bottom] = tilesAcross(row, this.#parts.map.clientHeight / scale, lease.height);
    for (let x = left; x <= right; x += 1) {
      for (let y = top; y <= bottom; y += 1) {
        const key = [lease.sample_id, x, y, view, stretch, gamma].join(" ");
        if (this.#warm.has(key)) continue;
        if (this.#warm.size > MOST_FACTS) this.#warm.clear();
        this.#warm.add(key);
        this.#api.tile(lease.sample_id, zoom, x, y, { view, stretch, gamma }).catch(() => {}); // the browser keeps it
      }
    }
  }

  /** Fetch the next open samples' pictures before they are asked for. */
  #ahead(look) {
    const at = state.leases.findIndex((lease) => lease.sample_id === state.selected);
    const open = openLeases().filter((lease) => lease.sample_id !== state.selected);
    const next = [...open.filter((lease) => state.leases.indexOf(lease) > at), ...open].slice(0, AHEAD);
    for (const lease of next) {
      this.#pictures.get(lease.sample_id, LARGE_PX, look).catch(() => {});
      this.facts(lease.sample_id).catch(() => {});
    }
  }
}

/** Whether one picture does not show all there is of an image. */
const needsTiles = ({ width, height }) => Math.max(width, height) * 2 ** madeZooms() > LARGE_PX || state.gamma !== null;

/** First and last tile along a side of `length` px that a window of `width` px around a place touches. */
function tilesAcross(place, width, length) {
  const tile = (at) => Math.floor(Math.min(Math.max(at, 0), length - 1) / TILE_PX);
  return [tile(place - width / 2), tile(place + width / 2)];
}

/** How many times the image is halved until it fits into one tile. */
const zoomsOf = ({ width, height }) => Math.max(0, Math.ceil(Math.log2(Math.max(width, height) / TILE_PX)));
