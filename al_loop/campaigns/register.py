"""Registers rasters as samples: finds them, reads their headers in parallel, stores what can be used."""

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import islice
from pathlib import Path

import msgspec

from al_loop.campaigns.bands import with_bands
from al_loop.domain.campaigns import Campaign, RegistrationReport
from al_loop.domain.samples import RemarkedPath, SampleHeader, SkippedPath
from al_loop.store import LabelStore
from models.errors import RasterError
from models.rasters.reading import bands_of, read_header, resolve_inside

RASTER_SUFFIXES = {".tif", ".tiff", ".jpg", ".jpeg", ".png"}
BATCH = 2_000
REPORTED_SKIPS = 10_000


def register_paths(store: LabelStore, campaign: Campaign, paths: Iterable[str], now: datetime) -> RegistrationReport:
    """Register rasters by their path relative to the campaign's root; only headers are read.

    A file that cannot be used is skipped with a reason and hinders no other.
    """
    paths = list(paths)
    campaign = with_bands(store, campaign, paths)
    registered, skipped_count = 0, 0
    skipped: list[SkippedPath] = []
    remarks: list[RemarkedPath] = []
    iterator = iter(paths)
    with ThreadPoolExecutor(max_workers=min(8, 2 * (os.cpu_count() or 1)), thread_name_prefix="header") as pool:
        while batch := list(islice(iterator, BATCH)):
            results = list(pool.map(lambda path: _header(campaign, path), batch))
            headers = [result for result in results if isinstance(result, SampleHeader)]
            stored = store.samples.register(campaign.campaign_id, headers, now, campaign.band_decision)
            problems = [result for result in results if isinstance(result, SkippedPath)] + stored.skipped
            registered += stored.registered
            skipped_count += len(problems)
            skipped += problems[: REPORTED_SKIPS - len(skipped)]
            refused = {entry.path for entry in stored.skipped}
            said = [
                RemarkedPath(path=header.path, remark=remark)
                for header in headers
                for remark in header.remarks
                if header.path not in refused
            ]
            remarks += said[: REPORTED_SKIPS - len(remarks)]
    return RegistrationReport(registered=registered, skipped=skipped, skipped_count=skipped_count, remarks=remarks)


def register_scan(store: LabelStore, campaign: Campaign, now: datetime) -> RegistrationReport:
    """Register every raster below the campaign's root that is new; those that were removed stay away."""
    known, removed = set(store.samples.paths(campaign.campaign_id)[1]), store.samples.removed(campaign.campaign_id)
    found = list(scan_root(campaign))
    new = [path for path in found if path not in known and path not in removed]
    report = register_paths(store, campaign, new, now)
    return msgspec.structs.replace(
        report,
        known=sum(path in known for path in found),
        removed=sum(path in removed and path not in known for path in found),
    )


def scan_root(campaign: Campaign) -> Iterator[str]:
    """Relative paths of all files below the root that look like rasters, in sorted order within each directory.

    Hidden files, label masks (`*_mask.*`) and links that leave the root are left out.
    """
    root = Path(campaign.root)
    for directory, folders, files in os.walk(root, followlinks=False):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            path = Path(directory) / name
            if path.suffix.lower() in RASTER_SUFFIXES and not name.startswith(".") and not path.stem.endswith("_mask"):
                yield path.relative_to(root).as_posix()


def _header(campaign: Campaign, path: str) -> SampleHeader | SkippedPath:
    try:
        file = resolve_inside(Path(campaign.root), path)
        header = read_header(file, name=path, policy=campaign.band_policy)
        if campaign.source_bands not in (None, header.band_count):
            return SkippedPath(path=path, reason=_other_bands(campaign, bands_of(file, path)))
    except RasterError as error:
        return SkippedPath(path=path, reason=str(error).removeprefix(f"{path}: "))
    return SampleHeader(path=path, **msgspec.structs.asdict(header))


def _other_bands(campaign: Campaign, found: str) -> str:
    """Why a file with other bands than the campaign's is left out."""
    decision = campaign.band_decision
    wanted = f"{campaign.source_bands} band{'' if campaign.source_bands == 1 else 's'}"
    if decision is not None and decision.rgb:
        wanted += ", red, green and blue in 8 bits, or 8-bit grey"
    return f"{found}; this campaign reads {wanted}"
