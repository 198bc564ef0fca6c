"""Compares the files of samples with what was registered: replaced, touched, damaged, gone, or back again.

A world file, `.aux.xml`, `.msk` or `.ovr` beside an image counts as well: it moves the image or takes pixels from it.
"""

import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Label
from al_loop.domain.painting import label_polygons
from al_loop.domain.samples import SampleHeader
from al_loop.store import LabelStore
from al_loop.store.tables.images import FileState
from al_loop.store.tables.renewals import FileProblem, RenewedFile
from models.errors import RasterError
from models.rasters.opening.digests import quick_digest
from models.rasters.opening.sidecars import sidecars_in, stamp
from models.rasters.reading import RasterHeader, content_hash, read_header, resolve_inside

THREADS = min(8, 2 * (os.cpu_count() or 1))
_MANY = 200
"""Files of one folder from which on it is listed once."""
MOST_VALUES = 2**25
"""Width x height x bands of an image whose pixels are read to see whether they changed; of more, the file decides."""
BATCH = 1_000
"""Changed files whose changes are stored in one commit."""


def check_images(
    store: LabelStore, campaign: Campaign, now: datetime, sample_ids: Sequence[int] | None = None
) -> list[int]:
    """Look whether files of samples changed, and store what did; see `ImageTable.update`.

    Only sizes and modification times are looked at where they are as they were, 5 microseconds a file; else the header
    is read again and the digest decides whether it is another image.

    Args:
        store: Where samples are.
        campaign: Whose.
        now: When it is noticed.
        sample_ids: Which samples; None: all.

    Returns:
        Ids of the samples that are not as they were: replaced, gone, damaged or back.
    """
    states = store.images.states(campaign.campaign_id, sample_ids)
    listed = _sidecars(campaign, states)
    suspects = [state for state in states if _is_suspect(campaign, state, listed.get(_folder(state)))]
    changed: list[int] = []
    with ThreadPoolExecutor(THREADS, thread_name_prefix="check") as pool:
        for start in range(0, len(suspects), BATCH):
            batch = suspects[start : start + BATCH]
            renewals: dict[int, RenewedFile] = {}
            problems: dict[int, FileProblem] = {}
            for state, found in zip(batch, pool.map(lambda state: _look(store, campaign, state), batch), strict=True):
                if isinstance(found, FileProblem):
                    problems[state.sample_id] = found
                    changed.append(state.sample_id)
                elif found is not None:
                    renewals[state.sample_id] = found
                    if found.replaced or found.beside or state.file_problem is not None:
                        changed.append(state.sample_id)
            if renewals or problems:
                store.images.update(campaign.campaign_id, renewals, problems, now)
    return changed


def is_as_stored(path: Path, header: SampleHeader) -> bool:
    """Whether a file, and what is read with it, has the size and the time that it was registered with.

    Raises:
        OSError: It is gone.
    """
    return stamp(path) == (header.file_bytes, header.modified_ns)


def _sidecars(campaign: Campaign, states: Sequence[FileState]) -> dict[str, set[str]]:
    """Names of the sidecars in each folder that many of the files lie in; of few, each possible name is asked for."""
    files = Counter(map(_folder, states))
    return {folder: sidecars_in(f"{campaign.root}/{folder}") for folder, count in files.items() if count >= _MANY}


def _folder(state: FileState) -> str:
    return state.path.rpartition("/")[0]


def _is_suspect(campaign: Campaign, state: FileState, sidecars: set[str] | None) -> bool:
    try:
        now = stamp(f"{campaign.root}/{state.path}", sidecars)
    except (OSError, ValueError):
        return True
    if state.file_problem is not None:
        return now.modified_ns != state.problem_ns
    return state.digest is None or now != (state.file_bytes, state.modified_ns)


def _look(store: LabelStore, campaign: Campaign, state: FileState) -> RenewedFile | FileProblem | None:
    """What became of a file; None: the problem that is known."""
    try:
        file = resolve_inside(Path(campaign.root), state.path)
        header = read_header(file, name=state.path, policy=campaign.band_policy)
        digest = quick_digest(file, state.path)
        rewritten = state.digest is not None and digest != state.digest and _has_same_pixels(store, state, header, file)
    except RasterError as error:
        return _problem(state, str(error).removeprefix(f"{state.path}: "))
    if campaign.source_bands is not None and header.band_count != campaign.source_bands:
        wanted = campaign.source_bands
        return _problem(state, f"{header.band_count} bands; the rasters of this campaign have {wanted}")
    renewed = SampleHeader(path=state.path, digest=digest, **msgspec.structs.asdict(header))
    resized = header.file_bytes != state.file_bytes  # of the modification time alone, backups make a new one
    replaced = resized if state.digest is None else digest != state.digest and not rewritten
    beside = rewritten or (not replaced and (resized or header.file_bytes != file.stat().st_size))
    return RenewedFile(renewed, replaced, beside, _lost(store, campaign, state, renewed) if replaced or beside else ())


def _has_same_pixels(store: LabelStore, state: FileState, header: RasterHeader, file: Path) -> bool:
    """Whether an image was only written again, compressed or tagged in another way: its pixels were hashed before."""
    if header.width * header.height * header.band_count > MOST_VALUES:
        return False
    before = store.copies.content_of(state.sample_id, state.modified_ns)
    return before is not None and content_hash(file, state.path) == before


def _problem(state: FileState, reason: str) -> FileProblem | None:
    return None if reason == state.file_problem and state.problem_ns is None else FileProblem(reason)


def _lost(store: LabelStore, campaign: Campaign, state: FileState, header: SampleHeader) -> list[int]:
    """Ids of labels in world coordinates of which nothing lies in the image as it is now."""
    labels = store.images.world_labels(campaign.campaign_id, state.sample_id)
    return [label.label_id for label in labels if not _is_inside(campaign, label, header)]


def _is_inside(campaign: Campaign, label: Label, header: SampleHeader) -> bool:
    spec = campaign.task(label.task)
    if spec is None or not header.placed:
        return False
    return bool(label_polygons(spec.classes, label, header))
