// What the page asks of one campaign, on behalf of one annotator.

import { json, jsonOr, query, send } from "./api.js";

export const listCampaigns = () => json("GET", "campaigns");

/** Who the token names, as far as the service knows. */
export const whoAmI = () => jsonOr({ name: null }, "whoami", "GET", "whoami");

export const pathOf = (campaign) => `campaigns/${encodeURIComponent(campaign)}`;

/** The calls; writes take the key that makes a repeat harmless. */
export function campaignApi(campaign, annotator) {
  const base = pathOf(campaign);
  const sample = (id) => `${base}/samples/${id}`;
  return {
    name: campaign,
    annotator,
    base,
    campaign: () => json("GET", base),
    curve: async () => (await json("GET", `${base}/learning-curve`)).points,
    round: (number) => json("GET", `${base}/rounds/${number}`),
    leases: () => json("GET", `${base}/leases?${query({ annotator, include_ended: true })}`),
    progress: () => jsonOr(null, "progress", "GET", `${base}/progress?${query({ annotator })}`),
    classes: () => jsonOr(null, "classes", "GET", `${base}/classes`),
    views: () => jsonOr(null, "views", "GET", `${base}/views`),
    view: (id) => jsonOr(null, "view", "GET", `${sample(id)}/view`),
    more: (size, unit) => json("POST", `${base}/queries`, { annotator, query_size: size, ...(unit ? { unit } : {}) }),
    relabels: (size) => json("POST", `${base}/relabels/queries`, { annotator, query_size: size }),
    batch: () => json("POST", `${base}/scaneo/batches`, { annotator, query_size: null }),
    extend: (ids = null) => json("POST", `${base}/leases/extend`, { annotator, sample_ids: ids }),
    suggest: (id) => json("POST", `${sample(id)}/suggest?regions=true`, { annotator }),
    outline: (form) => json("POST", `${base}/predictions/sam`, form),
    alike: async (id) => (await json("GET", `${sample(id)}/alike?${query({ annotator, limit: 24 })}`)).samples,
    comments: (id) => json("GET", `${sample(id)}/comments`),
    history: (cursor) => json("GET", `${base}/labels?${query({ annotator, order: "newest", limit: 40, cursor })}`),
    search: (text) => json("GET", `${base}/samples?${query({ search: text, annotator, limit: 40 })}`),
    labelsOf: (id) => json("GET", `${sample(id)}/labels`),
    picture: async (id, size, { overlay = "none", view, stretch } = {}) => {
      const isOverlay = overlay !== "none"; // on a transparent ground, to be laid over the picture
      const asked = isOverlay ? `overlay.png?${query({ overlay, size })}` : `thumbnail.png?${query({ size, view, stretch })}`;
      return (await send("GET", `${sample(id)}/${asked}`)).blob();
    },
    tile: async (id, z, x, y, asked) => {
      const answer = await send("GET", `${sample(id)}/tiles/${z}/${x}/${y}.png?${query(asked)}`, undefined, { cache: "default" });
      return answer.blob();
    },

    label: async (labels, key) => {
      const body = labels.map((label) => ({ ...label, annotator }));
      return (await json("POST", `${base}/labels`, body, { key })).label_ids;
    },
    accept: async (id, shown, task, key) => {
      const body = { annotator, prediction_ids: shown, ...(task ? { task } : {}) };
      return (await json("POST", `${sample(id)}/accept`, body, { key })).label_ids;
    },
    retract: (labelId, key) => json("DELETE", `${base}/labels/${labelId}?${query({ annotator })}`, undefined, { key }),
    skip: (ids, reason, key) => json("POST", `${base}/leases/skip`, { annotator, sample_ids: ids, reason }, { key }),
    unskip: (ids, key) => jsonOr(null, "unskip", "POST", `${base}/leases/unskip`, { annotator, sample_ids: ids }, { key }),
    comment: (id, text, flag, key) => json("POST", `${sample(id)}/comments`, { annotator, text, flag }, { key }),
  };
}
