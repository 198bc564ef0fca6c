"""What a round went on without, noted in the store and in words."""

from collections.abc import Sequence
from datetime import datetime

from al_loop.campaigns.imagery.checking import check_images
from al_loop.campaigns.notices import counted, named
from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import SkippedPath
from al_loop.store import LabelStore
from al_loop.store.tables.renewals import FileProblem
from models.training.data.left_out import LeftOutSample


def unreadable_since(
    store: LabelStore, campaign: Campaign, left_out: Sequence[LeftOutSample], now: datetime
) -> list[SkippedPath]:
    """Note in the store what a training could not read; returns it with paths relative to the campaign's root."""
    if not left_out:
        return []
    check_images(store, campaign, now, [entry.sample_id for entry in left_out])
    samples = store.samples.get_many(campaign.campaign_id, [entry.sample_id for entry in left_out])
    damaged = {
        entry.sample_id: FileProblem(entry.reason, sample.modified_ns)
        for entry in left_out
        if (sample := samples.get(entry.sample_id)) is not None and entry.unreadable and sample.file_problem is None
    }
    store.images.fail(campaign.campaign_id, damaged, now)
    return [
        SkippedPath(path=samples[entry.sample_id].path, reason=entry.reason)
        for entry in left_out
        if entry.sample_id in samples
    ]


def left_out_sentence(left_out: Sequence[SkippedPath]) -> str | None:
    """All of it in one sentence; None: nothing was left out."""
    if not left_out:
        return None
    listed = named([f"{entry.path} ({entry.reason})" for entry in left_out])
    return f"{counted(len(left_out), 'labelled image')} left out: {listed}"
