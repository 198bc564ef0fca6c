"""What deleting a campaign removes, said before it is done, and its files, removed after it."""

import logging
import shutil
from collections.abc import Sequence

from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.notices import counted
from al_loop.domain.campaigns import Campaign, Deletion
from al_loop.store import LabelStore

logger = logging.getLogger(__name__)


def describe_deletion(store: LabelStore, layout: DataLayout, campaign: Campaign, running: Sequence[str]) -> Deletion:
    """What deleting a campaign would remove.

    Args:
        store: Where it is.
        layout: Where its files are.
        campaign: Which.
        running: What of it runs now, such as "round 3".
    """
    counts = store.removals.count(campaign.campaign_id)
    folder = layout.campaign(campaign.folder)
    file_bytes = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file() and not file.is_symlink())
    sentence = (
        f"campaign {campaign.name!r} would be gone for good: {counted(counts.labels, 'label')} of "
        f"{counted(counts.annotators, 'annotator')} on {counted(counts.samples, 'sample')} with their history, "
        f"{counted(counts.rounds, 'round')}, {counted(counts.models, 'model')}, "
        f"{file_bytes / 1e6:.1f} MB in {folder}"
        + (f"; {' and '.join(running)} would be cancelled" if running else "")
        + f". The images in {campaign.root} stay."
    )
    return Deletion(
        campaign=campaign.name,
        samples=counts.samples,
        labels=counts.labels,
        annotators=counts.annotators,
        rounds=counts.rounds,
        models=counts.models,
        file_bytes=file_bytes,
        images=campaign.root,
        running=list(running),
        sentence=sentence,
    )


def remove_files(store: LabelStore, layout: DataLayout) -> None:
    """Remove the directories of deleted campaigns; one that cannot be removed now is tried again at the next start."""
    for name in store.removals.directories():
        folder = layout.campaign(name)
        try:
            if folder.exists():
                shutil.rmtree(folder)
        except OSError as error:
            logger.warning("%s of a deleted campaign is left until the next start: %s", folder, error)
        else:
            store.removals.forget_directory(name)
