"""Makes a data directory out of a backup: all of it, checked, or nothing."""

import shutil
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.campaigns.layout import DataLayout
from al_loop.errors import ArchiveError
from al_loop.store import LabelStore
from al_loop.upkeep.archive import Backup, read_archive

STAGING = ".restoring"


class RestoredCampaign(msgspec.Struct, frozen=True, kw_only=True):
    """A campaign that is back."""

    name: str
    root: str
    """Where its images are looked for now."""
    samples: int
    labels: int
    """Current labels."""
    version: str | None
    """Model version that serves."""
    found: bool
    """Whether `root` is a directory here."""


class Restored(msgspec.Struct, frozen=True, kw_only=True):
    """What a restored directory holds."""

    made_at: datetime
    """The moment whose state it is."""
    files: int
    bytes: int
    campaigns: list[RestoredCampaign]


def restore_backup(archive: Path, data: Path, moved: Mapping[str, str] | None = None) -> Restored:
    """Fill a new data directory from a backup, and open it once.

    Every file is compared with its digest first; the database takes its place last, so that a kill leaves a directory
    that neither a service nor a second restore mistakes for a whole one.

    Args:
        archive: As `al-loop backup` wrote it.
        data: Does not exist, or is empty.
        moved: Folders of images that lie elsewhere here: new path by old one; campaigns whose root is the old path or
            lies in it are changed.

    Raises:
        ArchiveError: `data` is not empty; the archive is damaged, is none, or was made by a newer al-loop. Nothing is
            left in `data`.
        StoreError: The database cannot be opened, or is of a newer al-loop. Nothing is left in `data`.
        OSError: The archive cannot be read, or there is no room. Nothing is left in `data`.
    """
    if data.is_dir() and any(data.iterdir()):
        rest = " (of a restore that was stopped: remove it)" if (data / STAGING).exists() else ""
        raise ArchiveError(f"{data} is not empty{rest}; restore into a new directory")
    made = not data.exists()
    staging = data / STAGING
    try:
        staging.mkdir(parents=True)
        backup = read_archive(archive, staging)
        restored = _opened(staging, backup, moved or {})
        database = DataLayout(staging).database.name
        for entry in sorted(staging.iterdir(), key=lambda path: path.name == database):
            entry.rename(data / entry.name)
        staging.rmdir()
    except BaseException:
        shutil.rmtree(data if made else staging, ignore_errors=True)
        raise
    return restored


def _opened(directory: Path, backup: Backup, moved: Mapping[str, str]) -> Restored:
    layout = DataLayout(directory)
    if not layout.database.is_file():
        raise ArchiveError(f"the backup holds no {layout.database.name}")
    store = LabelStore.open(layout.database)
    try:
        campaigns = []
        for campaign in store.campaigns.list():
            root = _moved(campaign.root, moved)
            if root != campaign.root:
                store.campaigns.set_root(campaign.campaign_id, root)
            counts = store.removals.count(campaign.campaign_id)
            campaigns.append(
                RestoredCampaign(
                    name=campaign.name,
                    root=root,
                    samples=counts.samples,
                    labels=counts.labels,
                    version=campaign.current_version,
                    found=Path(root).is_dir(),
                )
            )
    finally:
        store.close()
    return Restored(made_at=backup.head.made_at, files=backup.files, bytes=backup.bytes, campaigns=campaigns)


def _moved(root: str, moved: Mapping[str, str]) -> str:
    for old, new in moved.items():
        if Path(root).is_relative_to(old):
            return str(Path(new) / Path(root).relative_to(old))
    return root
