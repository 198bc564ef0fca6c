"""The file of a sample, and one sentence where it is gone."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from al_loop.campaigns.imagery.checking import check_images, is_as_stored
from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import Sample
from al_loop.errors import NotFoundError
from al_loop.store import LabelStore
from models.errors import UnreadableRasterError
from models.rasters.opening.sidecars import Stamp, stamp
from models.rasters.reading import resolve_inside
from models.rasters.windows.locator import file_of as file_named


class SampleFile(NamedTuple):
    """A sample and its file."""

    sample: Sample
    path: Path
    stamp: Stamp
    """Of the file as it is now; part of the keys of whatever is kept of it."""


def file_of(store: LabelStore, campaign: Campaign, sample_id: int) -> SampleFile:
    """The file of a sample, which is looked at: if it is not as it was registered, the sample is renewed first.

    Raises:
        NotFoundError: No such sample, or its file is gone.
        PathOutsideRootError: A link leads out of the campaign's root.
    """
    sample = store.samples.get(campaign.campaign_id, sample_id)
    try:
        path = resolve_inside(Path(campaign.root), sample.path)
        if sample.file_problem is not None or not is_as_stored(path, sample):
            sample = _renewed(store, campaign, sample)
        return SampleFile(sample, path, stamp(path))
    except (UnreadableRasterError, OSError) as error:
        _renewed(store, campaign, sample)
        raise _gone(sample) from error


@contextmanager
def named_if_gone(sample: Sample, path: Path) -> Iterator[None]:
    """Say that a file is gone where it vanished while it was read."""
    try:
        yield
    except (UnreadableRasterError, FileNotFoundError) as error:
        if file_named(path).exists():
            raise
        raise _gone(sample) from error


def _renewed(store: LabelStore, campaign: Campaign, sample: Sample) -> Sample:
    check_images(store, campaign, datetime.now(UTC), [sample.sample_id])
    return store.samples.get(campaign.campaign_id, sample.sample_id)


def _gone(sample: Sample) -> NotFoundError:
    return NotFoundError("file", sample.path, "it was moved or deleted; put it back, or remove the sample")
