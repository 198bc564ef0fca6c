// The choice between whole images and points, where a campaign has a task that is answered for each pixel.

import { show } from "../core/dom.js";
import { state, unitAsked } from "../core/state.js";

/** The controls of `root`, below the list and at the end of the work. */
export class UnitsView {
  #groups;

  constructor(root) {
    this.#groups = [...root.querySelectorAll(".units")];
  }

  render() {
    const unit = state.campaign ? unitAsked() : undefined;
    for (const group of this.#groups) {
      show(group, unit !== undefined);
      for (const button of group.children) button.setAttribute("aria-pressed", String(button.dataset.unit === unit));
    }
  }
}
