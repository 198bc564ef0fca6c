// What went wrong, in a sentence, of an answer that is no success.

const GATEWAY = [502, 503, 504]; // of a proxy, where the service behind it is away

/** The sentence of the service, or one on its status where the answer has none. */
export async function problemOf(response) {
  try {
    const { detail } = await response.json();
    if (detail) return detail;
  } catch {
    // no JSON: not from the service
  }
  return GATEWAY.includes(response.status)
    ? "The service does not answer. It may be restarting."
    : `The service answered ${response.status}.`;
}
