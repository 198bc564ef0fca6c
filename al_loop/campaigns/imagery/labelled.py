"""Looks at the images of a campaign before their labels are trained on."""

from datetime import datetime

from al_loop.campaigns.imagery.checking import check_images
from al_loop.campaigns.imagery.copies import find_doubled, read_contents
from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore


def look_at_images(store: LabelStore, campaign: Campaign, now: datetime) -> None:
    """Bring what the store knows of a campaign's images up to date, so that a snapshot holds what can be trained on.

    Every file is compared with what it was. Labelled images are read whole once: those that cannot be are left out from
    now on, and no image of the test reserve is trained on under another name.
    """
    check_images(store, campaign, now)
    find_doubled(store, campaign)
    labelled = {label.sample_id for label in store.labels.current(campaign.campaign_id)}
    samples = store.samples.get_many(campaign.campaign_id, labelled)
    read_contents(store, campaign, {key: found for key, found in samples.items() if found.file_problem is None}, now)
