// The first page: the campaigns to choose from.

import { ApiError } from "../net/api.js";
import { listCampaigns } from "../net/campaign_api.js";
import { at } from "../net/root.js";
import { askName } from "./dialogs.js";
import { element, fill, fromTemplate, partsOf, write } from "./dom.js";
import { counted } from "./format.js";
import { banner } from "./messages.js";

/** Show the campaigns for an annotator; `isNamed`: the token says who that is. */
export async function showStart(app, annotator, isNamed) {
  app.replaceChildren(fromTemplate("start"));
  const parts = partsOf(app);
  let name = annotator;
  write(parts.name, name);
  let campaigns;
  try {
    campaigns = (await listCampaigns()).filter((campaign) => !campaign.archived);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    banner(error.isOffline ? "The service does not answer. Start it, then reload this page." : error.message);
    return;
  }
  campaigns.sort((one, other) => Number(isFinished(one)) - Number(isFinished(other)) || one.name.localeCompare(other.name));
  const render = () => {
    write(parts.name, name);
    parts.campaigns.replaceChildren(...campaigns.map((campaign) => card(campaign, name)));
    if (!campaigns.length) {
      parts.campaigns.append(element("li", "soft", "There is no campaign yet. Its operator makes one with al-loop create."));
    }
  };
  parts.name.disabled = isNamed;
  parts.name.addEventListener("click", async () => {
    name = await askName();
    render();
  });
  render();
}

const labelledOf = ({ samples }) => samples.labelled + samples.reserve_labelled;
const isFinished = (campaign) => campaign.samples.total > 0 && labelledOf(campaign) >= campaign.samples.total;

function card(campaign, annotator) {
  const { samples, current_model: model, tasks } = campaign;
  const labelled = labelledOf(campaign);
  const link = element("a", isFinished(campaign) ? "card finished-card" : "card");
  link.href = `${at("annotate/")}${encodeURIComponent(campaign.name)}?${new URLSearchParams({ annotator })}`;
  const bar = element("span", "bar");
  const done = element("i", "done");
  fill(done, labelled / samples.total);
  bar.append(done);
  const left = samples.total - labelled;
  const facts = [
    left ? `${left.toLocaleString("en")} of ${counted(samples.total, "sample")} wait` : `all ${counted(samples.total, "sample")} labelled`,
    model ? `model ${model.version}` : (campaign.next_round?.sentence ?? "no model yet"),
  ];
  const classes = [...new Set(tasks.flatMap((task) => task.classes))];
  const named = classes.slice(0, 6).join(", ") + (classes.length > 6 ? ` and ${classes.length - 6} more` : "");
  link.append(element("strong", "", campaign.name), element("span", "soft", named), bar, element("span", "soft", facts.join(" · ")));
  const item = element("li");
  item.append(link);
  return item;
}
