// The report of a round in a tab of its own. It is fetched like all else, as a link could not carry a token.

import { askText } from "../start/service.js";
import { button } from "./parts.js";

/** A button that opens what a round's model is worth; annotators have no such page. */
export function reportButton(base, number) {
  const made = button("Report", async () => {
    const tab = window.open("", "_blank"); // at once: browsers block what opens later
    try {
      const page = new Blob([await askText(`${base}/rounds/${number}/report.html`)], { type: "text/html" });
      const address = URL.createObjectURL(page);
      if (tab) tab.location.href = address;
      else location.href = address;
    } catch (error) {
      tab?.close();
      throw error;
    }
  }, `report-${number}`);
  made.title = `By class, place and confidence, with the worst mistakes of round ${number}`;
  return made;
}
