// The first images of a campaign as a strip, read once, when its card comes on screen.

import { ServiceError, ask, askPicture } from "./service.js";

const SHOWN = 4;
const SIZE_PX = 160;
const strips = new Map(); // by campaign: the element, which moves from card to card as they are drawn again

/** The strip of a campaign: empty until `fill` found images, for which it keeps the place free. */
export function strip({ name, samples }) {
  if (!strips.has(name)) {
    const made = document.createElement("div");
    made.className = "strip";
    made.hidden = !samples.total;
    strips.set(name, made);
  }
  return strips.get(name);
}

/** Read the images of a campaign, unless that was done; images that cannot be shown are left out. */
export async function fill(campaign) {
  const box = strip(campaign);
  if (box.dataset.asked || !campaign.samples.total) return;
  box.dataset.asked = "yes";
  const base = `campaigns/${encodeURIComponent(campaign.name)}/samples`;
  try {
    const { samples } = await ask(`${base}?limit=${SHOWN}`);
    const found = await Promise.all(samples.map(({ sample_id }) => askPicture(`${base}/${sample_id}/thumbnail.png?size=${SIZE_PX}`)));
    box.replaceChildren(...found.filter(Boolean).map(image));
    box.hidden = !box.children.length;
  } catch (error) {
    if (!(error instanceof ServiceError)) throw error;
    delete box.dataset.asked; // another look may find it
    box.hidden = true;
  }
}

function image(blob) {
  const made = new Image();
  made.alt = "";
  made.src = URL.createObjectURL(blob);
  made.onload = () => URL.revokeObjectURL(made.src);
  return made;
}
