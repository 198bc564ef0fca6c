"""Model versions for other programs: STAC, EOTDL, and QGIS by way of Deepness."""

from collections.abc import Iterator
from datetime import datetime

from al_loop.campaigns.exporting.dataset_readme import Attribution
from al_loop.domain.campaigns import Campaign
from al_loop.serving.exporting.model_folder import (
    MODEL_ENDINGS,
    MODEL_MEDIA_TYPES,
    ModelFormat,
    blocks_of,
    write_folder,
    write_for_deepness,
)
from al_loop.serving.exporting.sample_run import SampleRun
from al_loop.store import LabelStore
from models.card import TaskName
from models.registry import ModelRegistry

__all__ = ["MODEL_ENDINGS", "MODEL_MEDIA_TYPES", "ModelFormat", "export_model"]


def export_model(
    store: LabelStore,
    registry: ModelRegistry,
    campaign: Campaign,
    version: str,
    export_format: ModelFormat,
    now: datetime,
    *,
    task: TaskName | None = None,
    every: bool = False,
    said: Attribution | None = None,
) -> Iterator[bytes]:
    """A version, or all that have their files, in blocks of bytes; complete before the first is given out.

    Raises:
        VersionNotFoundError: There is none of that name.
        As `write_folder` and `write_for_deepness`.
    """
    registry.path(version)
    if export_format == "deepness":
        return blocks_of(write_for_deepness(registry, version, task))
    pruned = {entry.version for entry in store.versions.list(campaign.campaign_id) if entry.pruned_at is not None}
    versions = [name for name in registry.versions() if name not in pruned] if every else [version]
    samples = SampleRun(store, campaign, now)
    eotdl = export_format == "eotdl"
    return write_folder(campaign, registry, versions, samples, eotdl=eotdl, said=said or Attribution())
