// The large picture, its overlay, and the calm end of the list.

import { ApiError } from "./api.js";
import { show, write } from "./dom.js";
import { counted, fileName } from "./format.js";
import { change, openLeases, selectedLease, state } from "./state.js";

export const LARGE_PX = 768;
const THUMB_PX = 96;

/** The middle of the page. */
export class StageView {
  #parts;
  #pictures;
  #shown = ""; // what the picture shows or is about to show

  constructor(parts, pictures) {
    this.#parts = parts;
    this.#pictures = pictures;
  }

  render() {
    const lease = selectedLease();
    const parts = this.#parts;
    const at = lease ? state.leases.indexOf(lease) + 1 : 0;
    write(parts.rank, lease ? `${at} of ${state.leases.length}` : "");
    write(parts.file, lease ? fileName(lease.path) : "");
    if (lease && parts.file.title !== lease.path) parts.file.title = lease.path;
    for (const button of parts.overlays.querySelectorAll("button")) {
      button.setAttribute("aria-pressed", String(button.dataset.overlay === state.overlay));
    }
    parts.canvas.classList.toggle("empty", !lease);
    show(parts.finished, !lease && state.loaded);
    if (lease) this.#picture(lease);
    else this.#nothing();
  }

  #nothing() {
    const { finishedTitle, finishedText, finishedSize, picture, note, legend } = this.#parts;
    this.#shown = "";
    for (const hidden of [picture, note, legend]) show(hidden, false);
    const done = state.leases.filter((lease) => lease.state === "labelled").length;
    write(finishedTitle, state.exhausted ? "Nothing left to hand out" : done ? "All done" : "Ready when you are");
    const sentence = done ? `You labelled ${counted(done, "sample")} in the last 12 hours.` : "You hold no samples yet.";
    write(finishedText, state.exhausted ? `${capital(state.exhausted)}.` : sentence);
    write(finishedSize, String(state.querySize));
  }

  async #picture(lease) {
    const wanted = `${lease.sample_id} ${state.overlay} ${state.campaign?.current_model?.version}`;
    if (wanted === this.#shown) return;
    const another = !this.#shown.startsWith(`${lease.sample_id} `);
    this.#shown = wanted;
    const { picture, note } = this.#parts;
    if (another) {
      const here = this.#pictures.peek(lease.sample_id, LARGE_PX) ?? this.#pictures.peek(lease.sample_id, THUMB_PX);
      if (here) this.#put(lease, here);
      else show(picture, false);
      show(note, false);
    }
    const overlay = state.overlay;
    let said = "";
    try {
      const url = await this.#get(lease, overlay, (sentence) => { said = sentence; });
      if (this.#shown !== wanted) return;
      this.#put(lease, url);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (this.#shown !== wanted) return;
      if (error.isOffline) this.#shown = ""; // tried again with the next news
      said = error.isOffline ? "The picture comes when the service is back." : `The image cannot be shown: ${error.message}`;
    }
    write(note, said);
    show(note, Boolean(said));
    show(this.#parts.legend, overlay === "uncertainty" && !said);
    this.#ahead();
  }

  /** URL of the picture with its overlay, or without it and a sentence why. */
  async #get(lease, overlay, say) {
    if (overlay !== "none") {
      try {
        const url = await this.#pictures.get(lease.sample_id, LARGE_PX, overlay, true);
        if (overlay === "suggestion" && !state.suggestions.has(lease.sample_id)) {
          const suggestion = { text: "Drawn over the image.", shown: null };
          change({ suggestions: new Map(state.suggestions).set(lease.sample_id, suggestion) });
        }
        return url;
      } catch (error) {
        if (!(error instanceof ApiError) || error.isOffline) throw error;
        const none = overlay === "suggestion" && error.status === 404;
        say(none ? "No suggestion for this image yet: press g to ask for one." : capital(error.message));
      }
    }
    return this.#pictures.get(lease.sample_id, LARGE_PX, "none", true);
  }

  #put(lease, url) {
    const { picture } = this.#parts;
    if (picture.src !== url) picture.src = url;
    picture.alt = `Satellite image ${fileName(lease.path)}`;
    picture.classList.toggle("pixels", Math.max(lease.width, lease.height) < 400);
    show(picture, true);
  }

  /** Fetch the next open sample's picture before it is asked for. */
  #ahead() {
    const next = openLeases().find((lease) => lease.sample_id !== state.selected);
    if (next) this.#pictures.get(next.sample_id, LARGE_PX).catch(() => {});
  }
}

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
