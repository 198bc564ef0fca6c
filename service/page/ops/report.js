// The report of a round, or the card of a version, in a tab of its own. It is fetched like all else, as a link could not carry a token.

import { askText } from "../start/service.js";
import { button } from "./parts.js";

/** A button that opens what a round's model is worth; annotators have no such page. */
export function reportButton(base, number) {
  const title = `By class, place and confidence, with the worst mistakes of round ${number}`;
  return pageButton("Report", `${base}/rounds/${number}/report.html`, `report-${number}`, title);
}

/** A button that opens all that a stranger needs to know of a version. */
export function cardButton(base, version) {
  const title = `Bands, map, figures, limits, licence and origin of ${version}`;
  return pageButton("Card", `${base}/models/${encodeURIComponent(version)}/card.html`, `card-${version}`, title);
}

function pageButton(label, address, key, title) {
  const made = button(label, async () => {
    const tab = window.open("", "_blank"); // at once: browsers block what opens later
    try {
      const page = new Blob([await askText(address)], { type: "text/html" });
      const url = URL.createObjectURL(page);
      if (tab) tab.location.href = url;
      else location.href = url;
    } catch (error) {
      tab?.close();
      throw error;
    }
  }, key);
  made.title = title;
  return made;
}
