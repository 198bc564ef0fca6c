// Calls of the service. Every failure becomes an ApiError with one plain sentence.

import { recall, remember } from "./memory.js";
import { ROOT } from "./root.js";

const TIMEOUT_MS = 30_000;

/** The service refused (`status`), or did not answer (`status` 0). */
export class ApiError extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  get isOffline() {
    return this.status === 0;
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

async function send(method, path, body) {
  for (;;) {
    const token = recall("token");
    const headers = token ? { Authorization: `Bearer ${token}` } : {};
    if (body !== undefined) headers["Content-Type"] = "application/json";
    let response;
    try {
      const signal = AbortSignal.timeout(TIMEOUT_MS);
      response = await fetch(path, { method, headers, body: body && JSON.stringify(body), signal, cache: "no-store" });
    } catch {
      throw new ApiError(0, "The service does not answer.");
    }
    if (response.ok) return response;
    const sentence = await problemOf(response);
    if (response.status !== 401) throw new ApiError(response.status, sentence);
    if (token === recall("token")) await newToken(token ? sentence : "");
  }
}

async function problemOf(response) {
  try {
    return (await response.json()).detail ?? `The service answered ${response.status}.`;
  } catch {
    return `The service answered ${response.status}.`;
  }
}

const json = async (...call) => (await send(...call)).json();
const query = (values) => new URLSearchParams(values).toString();

export const listCampaigns = () => json("GET", `${ROOT}campaigns`);

/** The calls about one campaign, on behalf of one annotator. */
export function campaignApi(campaign, annotator) {
  const base = `${ROOT}campaigns/${encodeURIComponent(campaign)}`;
  const sample = (id) => `${base}/samples/${id}`;
  return {
    name: campaign,
    campaign: () => json("GET", base),
    curve: async () => (await json("GET", `${base}/learning-curve`)).points,
    round: (number) => json("GET", `${base}/rounds/${number}`),
    leases: () => json("GET", `${base}/leases?${query({ annotator, include_ended: true })}`),
    more: (size) => json("POST", `${base}/queries`, { annotator, query_size: size }),
    batch: () => json("POST", `${base}/scaneo/batches`, { annotator, query_size: null }),
    extend: (ids = null) => json("POST", `${base}/leases/extend`, { annotator, sample_ids: ids }),
    skip: (id) => json("POST", `${base}/leases/skip`, { annotator, sample_ids: [id] }),
    label: async (answers) => {
      const labels = answers.map((answer) => ({ ...answer, annotator }));
      return (await json("POST", `${base}/labels`, labels)).label_ids;
    },
    retract: (labelId) => json("DELETE", `${base}/labels/${labelId}?${query({ annotator })}`),
    suggest: (id) => json("POST", `${sample(id)}/suggest`, { annotator }),
    accept: async (id, shown) => {
      return (await json("POST", `${sample(id)}/accept`, { annotator, prediction_ids: shown })).label_ids;
    },
    picture: async (id, size, overlay) => {
      const asked = overlay === "none" ? { size } : { size, overlay };
      return (await send("GET", `${sample(id)}/thumbnail.png?${query(asked)}`)).blob();
    },
  };
}
