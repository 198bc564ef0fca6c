// The legend of what is drawn: classes with their colours and shares of the image, opacity, press and hold to compare.

import { element, show } from "../core/dom.js";
import { percent } from "../core/format.js";
import { activeTask, change, classesOf, drawnOn, draws, isBoxed, selectedLease, state } from "../core/state.js";
import { remember } from "../core/memory.js";

/** Below the image, wherever something is drawn over it. */
export class LegendView {
  #parts;
  #shown = "";

  constructor(parts, stage) {
    this.#parts = parts;
    parts.opacity.value = String(Math.round(100 * state.opacity));
    parts.opacity.addEventListener("input", () => {
      change({ opacity: Number(parts.opacity.value) / 100 });
      remember("opacity", state.opacity);
      stage.fade();
    });
    for (const kind of ["pointerdown", "pointerup", "pointerleave", "pointercancel"]) {
      parts.compare.addEventListener(kind, () => stage.image.showOver(kind !== "pointerdown"));
    }
  }

  render() {
    const lease = selectedLease();
    const drawing = lease && draws() ? drawnOn(lease.sample_id) : null;
    const isShown = Boolean(lease) && (Boolean(drawing?.regions.length) || state.overlaid);
    show(this.#parts.legendBar, isShown);
    const counted = isBoxed(activeTask());
    const said = counted ? String : percent;
    const shares = drawing ? [...(counted ? drawing.counts() : drawing.shares())] : [];
    const left = counted ? 0 : 1 - shares.reduce((sum, [, share]) => sum + share, 0);
    const text = shares.map(([name, share]) => `${name} ${said(share)}`).join("|");
    if (text === this.#shown) return;
    this.#shown = text;
    const colours = coloursOf(activeTask());
    const entries = shares.sort((one, other) => other[1] - one[1]).map(([name, share]) => entry(colours.get(name) ?? "#888888", name ?? "not judged", said(share)));
    if (shares.length && left > 0.0005) entries.push(entry("transparent", "background", said(left)));
    this.#parts.legendEntries.replaceChildren(...entries);
  }
}

/** Map of class to colour. */
export function coloursOf(spec) {
  return new Map(classesOf(spec).map(({ name, colour }) => [name, colour]));
}

function entry(colour, name, said) {
  const item = element("li");
  const swatch = element("i", "swatch");
  swatch.style.setProperty("background", colour);
  const text = element("span", "", name);
  text.dir = "auto";
  item.append(swatch, text, element("b", "", said));
  return item;
}
