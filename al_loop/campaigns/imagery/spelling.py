"""One image, one path: however a file is named, its sample has the same path."""

from collections.abc import Iterable
from pathlib import Path

from al_loop.domain.campaigns import Campaign
from al_loop.store import LabelStore
from models.errors import RasterError
from models.rasters.reading import resolve_inside


def one_spelling(top: Path, file: Path, given: str) -> str:
    """The path of a file relative to a campaign's root, without `.`, doubled slashes and links.

    A link to a hidden file keeps its own path: tools that keep data apart from names (DVC, git-annex) make such.

    Args:
        top: The campaign's root, links followed.
        file: Below it, as `resolve_inside` returns it for `given`.
        given: How it was named, relative to the root.
    """
    found = file.relative_to(top)
    hidden = any(part.startswith(".") for part in found.parts) or found.suffix.lower() != Path(given).suffix.lower()
    return Path(given).as_posix() if hidden else found.as_posix()


def spelled(root: Path, path: str) -> str:
    """The one spelling of a path; as it is where it leads to no file below the root."""
    try:
        return one_spelling(root.resolve(), resolve_inside(root, path), path)
    except (RasterError, OSError, ValueError):
        return path


def find_samples(store: LabelStore, campaign: Campaign, paths: Iterable[str]) -> dict[str, int]:
    """Ids of samples by their path in any spelling; unknown paths are left out."""
    asked, root = list(paths), Path(campaign.root)
    known = store.samples.by_paths(campaign.campaign_id, asked)
    others = {path: other for path in asked if path not in known and (other := spelled(root, path)) != path}
    if others:
        ids = store.samples.by_paths(campaign.campaign_id, others.values())
        known |= {path: ids[other] for path, other in others.items() if other in ids}
    return known
