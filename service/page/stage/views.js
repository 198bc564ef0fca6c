// The choice of band combinations, brightness and gamma above the image.

import { element, show, write } from "../core/dom.js";
import { capital } from "../core/format.js";
import { state } from "../core/state.js";

/** The controls of how the image is seen. */
export class ViewsView {
  #parts;
  #of = null;

  constructor(parts, actions) {
    this.#parts = parts;
    parts.viewChoice.addEventListener("change", () => actions.view(parts.viewChoice.value));
  }

  render() {
    const { viewChoice, stretch, gamma, synthetic } = this.#parts;
    const isMade = state.synthetic !== null && state.view === state.synthetic.name && state.views.length > 0;
    show(synthetic, isMade);
    write(synthetic, isMade ? capital(state.synthetic.words) : "");
    if (this.#of !== state.views) {
      this.#of = state.views;
      viewChoice.replaceChildren(...state.views.map(({ name, title, key }) => {
        const option = element("option", "", key ? `${title} (${key})` : title);
        option.value = name;
        return option;
      }));
    }
    show(viewChoice.parentElement, state.views.length > 1);
    if (state.view && viewChoice.value !== state.view) viewChoice.value = state.view;
    const isOwn = (state.stretch ?? state.usualStretch) === "image";
    show(stretch, state.views.length > 0);
    stretch.setAttribute("aria-pressed", String(isOwn));
    show(gamma, state.gamma !== null);
    write(gamma, `γ ${(state.gamma ?? state.usualGamma).toFixed(2)}`);
  }
}
