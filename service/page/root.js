// Where the service lies at its address: the script's own address tells it, whatever path a proxy put before.

/** Path of the service's root: a slash, or such as /al-loop/ behind a proxy. */
export const ROOT = new URL("..", import.meta.url).pathname;
