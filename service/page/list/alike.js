// Look-alikes: a grid of pool samples that resemble the one on screen, to be given one class together.

import { ApiError } from "../net/api.js";
import { element, write } from "../core/dom.js";
import { fileName } from "../core/format.js";
import { toast } from "../core/messages.js";
import { activeTask, classesOf, isDrawn, selectedLease, state } from "../core/state.js";

const PICTURE_PX = 192;

/** The dialog; `labelAll(samples, spec, name)` saves the choice. */
export class AlikeView {
  #api;
  #pictures;
  #labelAll;
  #chosen = new Map(); // sample_id -> sample
  #dialog = document.getElementById("alike-dialog");

  constructor(api, pictures, labelAll) {
    this.#api = api;
    this.#pictures = pictures;
    this.#labelAll = labelAll;
  }

  async open() {
    const lease = selectedLease();
    const spec = activeTask();
    if (!lease || isDrawn(spec)) return;
    let samples;
    try {
      samples = await this.#api.alike(lease.sample_id);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast(error.message, "problem");
      return;
    }
    if (!samples.length) {
      toast("There are no look-alikes that nobody else holds.");
      return;
    }
    this.#chosen = new Map();
    const grid = document.getElementById("alike-grid");
    grid.replaceChildren(...samples.map((sample) => this.#tile(sample)));
    const choice = document.getElementById("alike-classes");
    choice.replaceChildren(...classesOf(spec).map(({ name }) => {
      const button = element("button", "button", name);
      button.type = "button";
      button.dir = "auto";
      button.addEventListener("click", () => this.#give(spec, name));
      return button;
    }));
    this.#count();
    this.#dialog.showModal();
  }

  #tile(sample) {
    const button = element("button", "tile");
    button.type = "button";
    button.title = sample.path;
    button.setAttribute("aria-pressed", "false");
    const picture = element("img");
    picture.alt = fileName(sample.path);
    this.#pictures.get(sample.sample_id, PICTURE_PX, { view: state.view, stretch: state.stretch })
      .then((url) => { picture.src = url; }, () => button.remove());
    button.append(picture);
    button.addEventListener("click", () => {
      const isChosen = !this.#chosen.delete(sample.sample_id);
      if (isChosen) this.#chosen.set(sample.sample_id, sample);
      button.setAttribute("aria-pressed", String(isChosen));
      this.#count();
    });
    return button;
  }

  #count() {
    write(document.getElementById("alike-count"), this.#chosen.size ? `${this.#chosen.size} chosen: which class are they?` : "Click those that belong together.");
    for (const button of document.getElementById("alike-classes").children) button.disabled = !this.#chosen.size;
  }

  #give(spec, name) {
    this.#dialog.close();
    this.#labelAll([...this.#chosen.values()], spec, name);
  }
}
