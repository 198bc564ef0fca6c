// The first page: the campaigns to choose from.

import { ApiError, listCampaigns } from "./api.js";
import { askName } from "./dialogs.js";
import { element, fill, fromTemplate, partsOf, write } from "./dom.js";
import { counted } from "./format.js";
import { banner } from "./messages.js";
import { ROOT } from "./root.js";

/** Show the campaigns for an annotator. */
export async function showStart(app, annotator) {
  app.replaceChildren(fromTemplate("start"));
  const parts = partsOf(app);
  let name = annotator;
  write(parts.name, name);
  let campaigns;
  try {
    campaigns = await listCampaigns();
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    banner(error.isOffline ? "The service does not answer. Start it, then reload this page." : error.message);
    return;
  }
  const render = () => {
    write(parts.name, name);
    parts.campaigns.replaceChildren(...campaigns.map((campaign) => card(campaign, name)));
    if (!campaigns.length) {
      parts.campaigns.append(element("li", "soft", "There is no campaign yet. Its operator makes one with al-loop import."));
    }
  };
  parts.name.addEventListener("click", async () => {
    name = await askName();
    render();
  });
  render();
}

function card(campaign, annotator) {
  const { samples, current_model: model, tasks } = campaign;
  const labelled = samples.labelled + samples.reserve_labelled;
  const link = element("a", "card");
  link.href = `${ROOT}annotate/${campaign.name}?${new URLSearchParams({ annotator })}`;
  const bar = element("span", "bar");
  const done = element("i", "done");
  fill(done, labelled / samples.total);
  bar.append(done);
  const facts = [
    `${labelled.toLocaleString("en")} of ${counted(samples.total, "sample")} labelled`,
    model ? `model ${model.version}` : "no model yet",
  ];
  const classes = [...new Set(tasks.flatMap((task) => task.classes))];
  const named = classes.slice(0, 6).join(", ") + (classes.length > 6 ? ` and ${classes.length - 6} more` : "");
  link.append(element("strong", "", campaign.name), element("span", "soft", named), bar, element("span", "soft", facts.join(" · ")));
  const item = element("li");
  item.append(link);
  return item;
}
