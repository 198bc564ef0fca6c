// What went wrong, in a sentence, of an answer that is no success.

const GATEWAY = [502, 503, 504]; // of a proxy, where the service behind it is away

const PLACE = new RegExp(" - at `[^`]*`", "g");

/**
 * {sentence, whole, path}: what the service says, or a sentence on its status where the answer has none; the same with the place in
 * what was sent that it is about; and that place, such as `$[0].features.features[2].geometry`, or null.
 */
export async function problemOf(response) {
  try {
    const { detail, path = null } = await response.json();
    if (detail) return { sentence: detail.replace(PLACE, ""), whole: detail, path };
  } catch {
    // no JSON: not from the service
  }
  const isAway = GATEWAY.includes(response.status);
  const sentence = isAway ? "The service does not answer. It may be restarting." : `The service answered ${response.status}.`;
  return { sentence, whole: sentence, path: null };
}
