// Addresses of the service, wherever it lies.

import { ROOT } from "../root.js";

/** Address of a path of the service, such as `campaigns/fields`. */
export const at = (path) => ROOT + path;

/** The parts of the document's path below the root, decoded: ["annotate", "fields"]. */
export function placeOf(address) {
  const below = address.pathname.slice(ROOT.length);
  return below.split("/").filter(Boolean).map(decodeURIComponent);
}
