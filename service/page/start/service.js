// Questions to the service. A missing, unknown or revoked token is asked for once, whoever asks first.

import { problemOf } from "../net/problem.js";
import { ROOT } from "../root.js";
import { askToken } from "./dialogs.js";
import { recall, remember } from "./storage.js";

const TIMEOUT_MS = 30_000;

/** The service refused (`status`), or did not answer (`status` 0); the message is one plain sentence. */
export class ServiceError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

let given = recall("token");
let asking = null;

/** The JSON answer to a GET below the root of the service; `also`: further statuses that are answers. */
export const ask = async (path, { also = [] } = {}) => (await send("GET", path, undefined, also)).json();

/** The answer to a GET as text. */
export const askText = async (path) => (await send("GET", path)).text();

/** The JSON answer to a request that changes something; `body` is sent as JSON. */
export const change = async (method, path, body) => (await send(method, path, body)).json();

/** The file at a path as a blob. */
export const askFile = async (path) => (await send("GET", path)).blob();

/** The picture at a path as a blob; null where there is none to show. */
export async function askPicture(path) {
  try {
    return await (await send("GET", path)).blob();
  } catch (error) {
    if (!(error instanceof ServiceError) || error.status === 0) throw error;
    return null;
  }
}

async function send(method, path, body, also = []) {
  for (;;) {
    const token = given;
    let response;
    try {
      const headers = token ? { Authorization: `Bearer ${token}` } : {};
      if (body !== undefined) headers["Content-Type"] = "application/json";
      const options = { method, headers, cache: "no-store", signal: AbortSignal.timeout(TIMEOUT_MS) };
      response = await fetch(ROOT + path, body === undefined ? options : { ...options, body: JSON.stringify(body) });
    } catch {
      throw new ServiceError(0, "The service does not answer. This page tries again by itself.");
    }
    if (response.ok || also.includes(response.status)) return response;
    const { whole: sentence } = await problemOf(response);
    if (response.status !== 401) throw new ServiceError(response.status, sentence);
    if (token === given) await newToken(token ? sentence : "");
  }
}

async function newToken(sentence) {
  asking ??= askToken(sentence).then((token) => {
    given = token;
    remember("token", token);
    asking = null;
  });
  await asking;
}
