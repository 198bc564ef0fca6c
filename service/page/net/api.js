// Calls of the service. Every failure becomes an ApiError with one plain sentence.

import { recall, remember } from "../core/memory.js";
import { problemOf } from "./problem.js";
import { at } from "./root.js";

const TIMEOUT_MS = 30_000;

/** The service refused (`status`), or did not answer (`status` 0). */
export class ApiError extends Error {
  constructor(status, message, path = null) {
    super(message);
    this.status = status;
    this.path = path; // in what was sent, if the service names one
  }

  get isOffline() {
    return this.status === 0;
  }

  /** Whether the same request may succeed later: no answer, a gateway or service in trouble, or too many requests. */
  get isPassing() {
    return this.status === 0 || this.status === 429 || this.status >= 500;
  }
}

let askForToken = async () => {};
let asking = null;

/** Say how a token is asked for: an async function of the service's sentence that returns it. */
export function onTokenNeeded(ask) {
  askForToken = ask;
}

async function newToken(sentence) {
  asking ??= askForToken(sentence).then((token) => {
    remember("token", token);
    asking = null;
  });
  await asking;
}

/** Send a request; asks for a token as often as the service does. Throws ApiError. */
export async function send(method, path, body, { key, ...more } = {}) {
  for (;;) {
    const token = recall("token");
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    const isForm = body instanceof FormData;
    if (body !== undefined && !isForm) headers["Content-Type"] = "application/json";
    if (key) headers["Idempotency-Key"] = key;
    let response;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      const content = isForm ? body : body && JSON.stringify(body);
      response = await fetch(at(path), { method, headers, body: content, signal, cache: "no-store", ...more });
    } catch {
      throw new ApiError(0, "The service does not answer.");
    }
    if (response.ok) return response;
    const { sentence, path: place } = await problemOf(response);
    if (response.status !== 401) throw new ApiError(response.status, sentence, place);
    if (token === recall("token")) await newToken(token ? sentence : "");
  }
}

/** The JSON of an answer. */
export const json = async (...call) => (await send(...call)).json();

const missing = new Set();

/**
 * The JSON of an answer, or `otherwise` where this service has no such route: it is then asked for that kind of thing
 * (`kind`) no more.
 */
export async function jsonOr(otherwise, kind, ...call) {
  if (missing.has(kind)) return otherwise;
  try {
    return await json(...call);
  } catch (error) {
    if (!(error instanceof ApiError) || (error.status !== 404 && error.status !== 405)) throw error;
    missing.add(kind);
    return otherwise;
  }
}

/** A query string; undefined and null values are left out. */
export function query(values) {
  return new URLSearchParams(Object.entries(values).filter(([, value]) => value != null)).toString();
}
