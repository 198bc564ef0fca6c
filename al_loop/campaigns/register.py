"""Registers rasters as samples: finds them, reads their headers in parallel, stores what can be used."""

import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from itertools import islice
from pathlib import Path

import msgspec

from al_loop.campaigns.bands import with_bands
from al_loop.campaigns.imagery.checking import check_images
from al_loop.campaigns.imagery.copies import find_doubled, note_copies, sort_out_copies
from al_loop.campaigns.imagery.spelling import one_spelling, spelled
from al_loop.campaigns.importing.layout import image_folders
from al_loop.campaigns.scenes.windowing import windowed
from al_loop.domain.campaign_rules import check_windows
from al_loop.domain.campaigns import Campaign, RegistrationReport, WindowSettings
from al_loop.domain.samples import LISTED_TWICE, REGISTERED_ALREADY, RemarkedPath, SampleHeader, SkippedPath
from al_loop.errors import InvalidValueError
from al_loop.store import LabelStore
from models.errors import RasterError, printable
from models.rasters.files import translated_errors
from models.rasters.opening.digests import quick_digest
from models.rasters.reading import bands_of, read_header, resolve_inside
from models.rasters.windows.locator import file_of

RASTER_SUFFIXES = {".tif", ".tiff", ".jpg", ".jpeg", ".png"}
BATCH = 2_000
AT_ONCE = 20
"""Headers that a thread reads before it is given more: handing out each path takes longer than refusing it."""
SLOW_DISK = 3
"""Times of its work that the reading of a file takes where the disk keeps it waiting."""
REPORTED_SKIPS = 10_000


def register_paths(
    store: LabelStore,
    campaign: Campaign,
    paths: Iterable[str],
    now: datetime,
    windows: WindowSettings | None = None,
) -> RegistrationReport:
    """Register rasters by their path relative to the campaign's root; only headers are read.

    A raster that is larger than a window is cut into windows, where `windows` or the campaign's settings say so: its
    pixels are read once to see which windows are nodata.

    A file that cannot be used is skipped with a reason and hinders no other. A file that is registered already, under
    whatever spelling of its path, is compared with what it was.
    """
    paths = list(paths)
    report = _register(store, campaign, paths, now, windows)
    store.skipped_files.note(campaign.campaign_id, _unusable(report.skipped), paths)
    return report


def _unusable(skipped: Sequence[SkippedPath]) -> list[SkippedPath]:
    return [entry for entry in skipped if not entry.reason.startswith((REGISTERED_ALREADY, LISTED_TWICE))]


def _register(
    store: LabelStore, campaign: Campaign, paths: Sequence[str], now: datetime, windows: WindowSettings | None
) -> RegistrationReport:
    campaign = with_bands(store, campaign, paths)
    check_windows(windows)
    windows = windows or campaign.settings.windows
    if windows is not None and store.scaneo.find(campaign.campaign_id) is not None:
        raise InvalidValueError(
            "$.windows",
            f"campaign {campaign.name!r} is linked to SCANEO, which shows whole files only; register windows in a "
            "campaign of their own",
        )
    registered, skipped_count = 0, 0
    skipped: list[SkippedPath] = []
    remarks: list[RemarkedPath] = []
    iterator = iter(paths)
    with ThreadPoolExecutor(max_workers=min(8, 2 * (os.cpu_count() or 1)), thread_name_prefix="header") as pool:
        while batch := list(islice(iterator, BATCH)):
            results = _read(campaign, batch, pool)
            results, batch, of_windows = _cut(store, campaign, results, batch, windows, remarks)
            headers = [result for result in results if isinstance(result, SampleHeader)]
            given: dict[str, list[str]] = {}
            for result, path in zip(results, batch, strict=True):
                given.setdefault(result.path, []).append(path)
            known = store.samples.by_paths(campaign.campaign_id, [header.path for header in headers])
            if known or of_windows:
                check_images(store, campaign, now, [*known.values(), *of_windows])
            own = sort_out_copies(store, campaign, headers)
            stored = store.samples.register(campaign.campaign_id, own.headers, now, campaign.band_decision)
            note_copies(store, campaign, own.copies)
            refused = {entry.path for entry in own.skipped + stored.skipped}
            problems = [result for result in results if isinstance(result, SkippedPath)]
            problems += [_as_given(skip, given) for skip in own.skipped + stored.skipped]
            registered += stored.registered
            skipped_count += len(problems)
            skipped += problems[: REPORTED_SKIPS - len(skipped)]
            said = [
                RemarkedPath(path=header.path, remark=remark)
                for header in headers
                for remark in header.remarks
                if header.path not in refused
            ]
            remarks += said[: REPORTED_SKIPS - len(remarks)]
    return RegistrationReport(registered=registered, skipped=skipped, skipped_count=skipped_count, remarks=remarks)


def register_scan(
    store: LabelStore, campaign: Campaign, now: datetime, windows: WindowSettings | None = None
) -> RegistrationReport:
    """Register every raster below the campaign's root that is new; those that were removed stay away.

    A scene of which windows are registered is not new, however it would be cut now.

    Files that were registered before are compared with what they were then.
    """
    check_images(store, campaign, now)
    find_doubled(store, campaign)
    known = {file_of(str(path)) for path in store.samples.paths(campaign.campaign_id)[1]}
    removed = {file_of(path) for path in store.samples.removed(campaign.campaign_id)}
    root = Path(campaign.root)
    unreadable: list[SkippedPath] = []
    listed = scan_root(campaign, unreadable)
    found = list(dict.fromkeys(spelled(root, path) if (root / path).is_symlink() else path for path in listed))
    new = [path for path in found if path not in known and path not in removed]
    report = _register(store, campaign, new, now, windows)
    skipped = (unreadable + report.skipped)[:REPORTED_SKIPS]
    store.skipped_files.note(campaign.campaign_id, _unusable(skipped))
    return msgspec.structs.replace(
        report,
        known=sum(path in known for path in found),
        removed=sum(path in removed and path not in known for path in found),
        skipped=skipped,
        skipped_count=report.skipped_count + len(unreadable),
    )


def _cut(
    store: LabelStore,
    campaign: Campaign,
    results: Sequence[SampleHeader | SkippedPath],
    given: Sequence[str],
    windows: WindowSettings | None,
    remarks: list[RemarkedPath],
) -> tuple[list[SampleHeader | SkippedPath], list[str], list[int]]:
    """Headers of windows in the place of those of scenes; and for each of them the path that was asked for, or its own.

    Last the ids of windows of these scenes that are registered already.

    No pixel comes in twice: a file of which windows are registered is not registered whole, and the other way round.
    """
    files = list(dict.fromkeys(file_of(entry.path) for entry in results if isinstance(entry, SampleHeader)))
    known = store.samples.of_files(campaign.campaign_id, files)
    removed: dict[str, set[str]] = {}
    for path in store.samples.removed(campaign.campaign_id) if windows is not None else ():
        removed.setdefault(file_of(path), set()).add(path)
    found: list[SampleHeader | SkippedPath] = []
    paths: list[str] = []
    for entry, path in zip(results, given, strict=True):
        if isinstance(entry, SkippedPath):
            found.append(entry)
            paths.append(path)
            continue
        file = file_of(entry.path)
        own = known.get(file, {})
        made = windowed(campaign, entry, windows, own, removed.get(file, set()))
        if made is None:
            found.append(entry)
            paths.append(path)
            continue
        known[file] = {**own, **{header.path: 0 for header in made.headers}}
        found += made.headers
        paths += [header.path for header in made.headers]
        if made.skipped is not None:
            found.append(made.skipped)
            paths.append(path)
        elif made.remark is not None and len(remarks) < REPORTED_SKIPS:
            remarks.append(made.remark)
    own_ids = [number for own in known.values() for path, number in own.items() if number and path != file_of(path)]
    return found, paths, own_ids


def scan_root(campaign: Campaign, unreadable: list[SkippedPath] | None = None) -> Iterator[str]:
    """Relative paths of all files below the root that look like rasters, see `raster_files`.

    Args:
        campaign: Whose root.
        unreadable: Gets the folders that could not be listed, with the reason.
    """
    return raster_files(Path(campaign.root), unreadable)


def raster_files(folder: Path, unreadable: list[SkippedPath] | None = None) -> Iterator[str]:
    """Relative paths of all files below a folder that look like rasters, in sorted order within each directory.

    Hidden files, label masks (`*_mask.*`) and folders of masks or previews beside one of images are left out; links to
    folders are not followed.

    Args:
        folder: Where to look.
        unreadable: Gets the folders that could not be listed, with the reason.
    """
    root = str(folder)

    def note(error: OSError) -> None:
        if unreadable is not None:
            below = os.path.relpath(error.filename or root, root)
            unreadable.append(SkippedPath(path=below, reason=f"the folder cannot be listed: {error.strerror}"))

    for directory, folders, files in os.walk(root, onerror=note, followlinks=False):
        folders[:] = image_folders(sorted(name for name in folders if not name.startswith(".")))
        below = os.path.relpath(directory, root)
        prefix = "" if below == os.curdir else f"{below}/"
        for name in sorted(files):
            stem, dot, suffix = name.rpartition(".")
            if f"{dot}{suffix}".lower() in RASTER_SUFFIXES and stem and stem[0] != "." and not stem.endswith("_mask"):
                yield prefix + name


def _read(campaign: Campaign, paths: Sequence[str], pool: ThreadPoolExecutor) -> list[SampleHeader | SkippedPath]:
    """Headers of files in their order; by threads where the disk keeps one waiting.

    Otherwise threads only wait for each other: rasterio opens a file without giving the interpreter away, and four
    threads read 370 files a second where one reads 570.
    """
    first, *others = [paths[start : start + AT_ONCE] for start in range(0, len(paths), AT_ONCE)]
    started, worked = time.perf_counter(), time.thread_time()
    results = _headers(campaign, first)
    worked = time.thread_time() - worked
    waits = time.perf_counter() - started > SLOW_DISK * worked
    read = partial(_headers, campaign)
    for part in (pool.map if waits else map)(read, others):
        results += part
    return results


def _headers(campaign: Campaign, paths: Sequence[str]) -> list[SampleHeader | SkippedPath]:
    root = Path(campaign.root)
    top = root.resolve()
    return [_header(campaign, root, top, path) for path in paths]


def _header(campaign: Campaign, root: Path, top: Path, path: str) -> SampleHeader | SkippedPath:
    try:
        with translated_errors(path):
            file = resolve_inside(root, path)
            header = read_header(file, name=path, policy=campaign.band_policy)
            if campaign.source_bands not in (None, header.band_count):
                return SkippedPath(path=path, reason=_other_bands(campaign, bands_of(file, path)))
            digest = quick_digest(file, path)
            spelling = one_spelling(top, file, path)
    except RasterError as error:
        return SkippedPath(path=path, reason=_without_name(str(error), path))
    except OSError as error:  # the disk's or the system's trouble, not the file's; the next scan tries again
        return SkippedPath(path=path, reason=error.strerror or "it cannot be read")
    return SampleHeader(path=spelling, digest=digest, **msgspec.structs.asdict(header))


def _as_given(skip: SkippedPath, given: Mapping[str, list[str]]) -> SkippedPath:
    """What was left out, by the path that was asked for; of several spellings the first is the one that counted."""
    path = given[skip.path].pop()
    reason = f"{skip.reason} as {skip.path}" if path != skip.path and skip.reason == REGISTERED_ALREADY else skip.reason
    return SkippedPath(path=path, reason=reason)


def _other_bands(campaign: Campaign, found: str) -> str:
    """Why a file with other bands than the campaign's is left out."""
    decision = campaign.band_decision
    wanted = f"{campaign.source_bands} band{'' if campaign.source_bands == 1 else 's'}"
    if decision is not None and decision.rgb:
        wanted += ", red, green and blue in 8 bits, or 8-bit grey"
    return f"{found}; this campaign reads {wanted}"


def _without_name(message: str, path: str) -> str:
    for name in (printable(path), printable(repr(path))):
        message = message.removeprefix(f"{name}: ")
    return message
