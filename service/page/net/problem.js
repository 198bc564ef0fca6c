// What went wrong, in a sentence, of an answer that is no success.

const GATEWAY = [502, 503, 504]; // of a proxy, where the service behind it is away

/**
 * {sentence, path}: what the service says, or a sentence on its status where the answer has none; and the place in what was sent
 * that it is about, such as `$[0].features.features[2].geometry`, or null.
 */
export async function problemOf(response) {
  try {
    const { detail, reason, path } = await response.json();
    if (typeof reason === "string" && typeof path === "string") return { sentence: reason, path };
    if (detail) return { sentence: detail, path: null };
  } catch {
    // no JSON: not from the service
  }
  const isAway = GATEWAY.includes(response.status);
  return { sentence: isAway ? "The service does not answer. It may be restarting." : `The service answered ${response.status}.`, path: null };
}
