"""Files under several names: found by their digests and their pixels, brought together, and taken out on request."""

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import REGISTERED_ALREADY, DuplicateGroup, Sample, SampleCopy, SampleHeader, SkippedPath
from al_loop.store import LabelStore
from al_loop.store.tables.copies import KnownFile
from al_loop.store.tables.renewals import FileProblem
from models.errors import MissingRasterError, RasterError
from models.rasters.opening.digests import equal_bytes
from models.rasters.reading import content_hash, resolve_inside

READERS = min(4, os.cpu_count() or 1)
BATCH = 500
MAX_VALUES = 2**28
"""Width x height x bands of a file that is read whole to find its equals; larger scenes are known by their digest."""


class Sorted(NamedTuple):
    """Headers of a request, looked at for files that are known."""

    headers: list[SampleHeader]
    """Those that are files of their own."""
    skipped: list[SkippedPath]
    """One file under another name: a hard link, or another case where the file system makes no difference."""
    copies: dict[str, str]
    """Path of each copy, and of the file that it equals byte by byte."""


def sort_out_copies(store: LabelStore, campaign: Campaign, headers: Sequence[SampleHeader]) -> Sorted:
    """Find files that are registered already, or stand twice in a request, under other names."""
    digests = {header.digest for header in headers if header.digest is not None}
    known: dict[str, list[KnownFile]] = {}
    for entry in store.copies.of_digests(campaign.campaign_id, sorted(digests)):
        known.setdefault(entry.digest, []).append(entry)
    found = Sorted([], [], {})
    root = Path(campaign.root)
    for header in headers:
        alike = [] if header.digest is None else known.setdefault(header.digest, [])
        if any(entry.path == header.path for entry in alike):
            found.headers.append(header)  # the store says that it is registered already
            continue
        same = next((entry for entry in alike if _is_one_file(root / entry.path, root / header.path)), None)
        if same is not None:
            found.skipped.append(SkippedPath(path=header.path, reason=f"{REGISTERED_ALREADY} as {same.path}"))
            continue
        equal = next((entry for entry in alike if equal_bytes(root / entry.path, root / header.path)), None)
        if equal is not None:
            found.copies[header.path] = equal.path
        found.headers.append(header)
        if header.digest is not None:
            alike.append(KnownFile(0, header.path, header.digest))
    return found


def note_copies(store: LabelStore, campaign: Campaign, copies: Mapping[str, str]) -> None:
    """Remember which registered files are copies of others, by path."""
    if copies:
        ids = store.samples.by_paths(campaign.campaign_id, {*copies, *copies.values()})
        pairs = [(ids[copy], ids[first]) for copy, first in copies.items() if copy in ids and first in ids]
        store.copies.join(campaign.campaign_id, pairs)


def find_doubled(store: LabelStore, campaign: Campaign) -> None:
    """Notice equal files among the samples of a directory that was made before copies were noticed."""
    root = Path(campaign.root)
    for group in store.copies.doubled_digests(campaign.campaign_id):
        first, *others = group
        pairs = [
            (entry.sample_id, first.sample_id) for entry in others if equal_bytes(root / entry.path, root / first.path)
        ]
        store.copies.join(campaign.campaign_id, pairs)


def read_contents(
    store: LabelStore, campaign: Campaign, samples: Mapping[int, Sample], now: datetime
) -> list[SkippedPath]:
    """Read the pixels of samples once: equal ones are brought together, unreadable ones are left out from now on.

    Args:
        store: Where hashes go.
        campaign: Whose samples.
        samples: By id; those whose pixels are known are not read.
        now: When it is noticed.

    Returns:
        Files that cannot be read.
    """
    unread = [samples[sample_id] for sample_id in store.copies.unread(campaign.campaign_id, list(samples))]
    unread = [sample for sample in unread if sample.width * sample.height * sample.band_count <= MAX_VALUES]
    skipped: list[SkippedPath] = []
    with ThreadPoolExecutor(READERS, thread_name_prefix="contents") as pool:
        for start in range(0, len(unread), BATCH):
            batch = unread[start : start + BATCH]
            rows: list[tuple[int, str, int]] = []
            problems: dict[int, FileProblem] = {}
            for sample, found in zip(batch, pool.map(lambda sample: _content(campaign, sample), batch), strict=True):
                if isinstance(found, FileProblem):
                    problems[sample.sample_id] = found
                    skipped.append(SkippedPath(path=sample.path, reason=found.reason))
                else:
                    rows.append((sample.sample_id, found, sample.modified_ns))
            store.images.fail(campaign.campaign_id, problems, now)
            store.copies.set_contents(campaign.campaign_id, rows)
    return skipped


def duplicates(store: LabelStore, campaign: Campaign) -> list[DuplicateGroup]:
    """Samples of a campaign that show one image, those registered first come first."""
    groups = []
    for group in store.copies.groups(campaign.campaign_id):
        kept, *others = sorted(group, key=lambda copy: (-copy.labels, not copy.golden, copy.sample_id))
        groups.append(DuplicateGroup(kept=kept, others=others, conflict=any(copy.labels for copy in others)))
    return groups


def spare_copies(store: LabelStore, campaign: Campaign) -> list[SampleCopy]:
    """Samples that can be taken out: another one shows the image, and they have no labels and no known answer."""
    groups = duplicates(store, campaign)
    return [copy for group in groups for copy in group.others if not copy.labels and not copy.golden]


def _is_one_file(first: Path, second: Path) -> bool:
    try:
        return first.samefile(second)
    except OSError:
        return False


def _content(campaign: Campaign, sample: Sample) -> str | FileProblem:
    try:
        return content_hash(resolve_inside(Path(campaign.root), sample.path), sample.path)
    except RasterError as error:
        known_since = None if isinstance(error, MissingRasterError) else sample.modified_ns
        return FileProblem(str(error).removeprefix(f"{sample.path}: "), known_since)
