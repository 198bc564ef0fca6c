"""Backups of a data directory that is at work: exactly what a kill at one moment would leave, which every start mends.

At that moment the database is copied and every other file gets a second name (a hard link), while nothing is written to
the database. Files are replaced and never rewritten, so the second names keep what was there however long reading
takes. Labels wait meanwhile, for as long as the database takes to copy; queries and predictions do not.
"""

import logging
import os
import shutil
import uuid
import weakref
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

from al_loop import __version__
from al_loop.campaigns.layout import DataLayout
from al_loop.store import LabelStore
from al_loop.training.super_resolution.program import part_of
from al_loop.upkeep.archive import ArchivedCampaign, BackupHead, Compression, write_archive
from models.files import STAGING_PREFIX

logger = logging.getLogger(__name__)

MADE_AGAIN = ("pictures",)
"""Folders of a campaign whose files are made again where they are missing."""
EMBEDDINGS = "scores"
PREFIX = "backup-"


class BackupStream:
    """The bytes of one backup. What it was made from is removed when it was read, closed or forgotten."""

    def __init__(self, parts: Iterator[bytes], staged: Path) -> None:
        self._parts = parts
        self._remove = weakref.finalize(self, shutil.rmtree, staged, ignore_errors=True)

    def __iter__(self) -> "BackupStream":
        return self

    def __next__(self) -> bytes:
        try:
            return next(self._parts)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Remove what the backup was made from. Safe to call twice."""
        self._remove()


def take_backup(
    store: LabelStore,
    layout: DataLayout,
    clock: Callable[[], datetime],
    *,
    embeddings: bool = False,
    compression: Compression = "none",
) -> BackupStream:
    """Hold the present state fast, and return it as an archive to be read at leisure.

    Left out are unfinished files, pictures, which are made again, and what rounds, pretrainings, predictions of
    scenes and trainings of super-resolution work on at that moment: a restored service calls them interrupted.

    Args:
        store: Of the data directory.
        layout: Where things lie in it.
        clock: Gives aware UTC times.
        embeddings: Whether embeddings and scores of the pool are wanted, which are made again where they are missing.
        compression: Of the archive.

    Raises:
        StoreError: The database could not be copied.
        OSError: There is no room for the copy, or a file cannot be read.
    """
    staged = layout.temporary / f"{PREFIX}{uuid.uuid4().hex}"
    heads: list[BackupHead] = []

    def beside() -> None:
        campaigns = store.campaigns.list()
        heads.append(
            BackupHead(
                al_loop=__version__, schema_version=store.schema_version, made_at=clock(), embeddings=embeddings,
                campaigns=[ArchivedCampaign(name=entry.name, root=entry.root) for entry in campaigns],
            )
        )  # fmt: skip
        for source in _files(store, layout, embeddings=embeddings):
            _link(source, staged / source.relative_to(layout.root))

    try:
        store.copy_files(staged, beside)
    except BaseException:
        shutil.rmtree(staged, ignore_errors=True)
        raise
    head = heads[-1]
    logger.info("a backup of %d campaigns is being read", len(head.campaigns))
    return BackupStream(write_archive(head, staged, compression), staged)


def _files(store: LabelStore, layout: DataLayout, *, embeddings: bool) -> Iterator[Path]:
    """Every file and link that belongs to a backup, but for the database."""
    skipped = {layout.temporary, layout.database, layout.database.with_name(layout.database.name + ".wal")}
    for campaign in store.campaigns.list():
        folder = layout.campaign(campaign.folder)
        skipped |= {folder / name for name in MADE_AGAIN}
        if not embeddings:
            skipped.add(folder / EMBEDDINGS)
        skipped |= {layout.round(campaign.folder, e.number) for e in store.rounds.unfinished(campaign.campaign_id)}
        skipped |= {
            layout.pretraining(campaign.folder, entry.number)
            for entry in store.pretrainings.unfinished(campaign.campaign_id)
        }
        skipped |= {
            layout.scene_prediction(campaign.folder, entry.number)
            for entry in store.scene_predictions.unfinished(campaign.campaign_id)
        }
        skipped |= {
            part_of(layout.super_resolution(campaign.folder, entry.number))
            for entry in store.super_resolutions.list(campaign.campaign_id)
        }
        skipped.add(layout.frozen_encoder(campaign.folder))
    yield from _below(layout.root, skipped)


def _below(directory: Path, skipped: set[Path]) -> Iterator[Path]:
    with os.scandir(directory) as entries:
        for entry in entries:
            path = Path(entry.path)
            if path in skipped or entry.name.startswith((STAGING_PREFIX, ".probe-")):
                continue
            if entry.is_dir(follow_symlinks=False):
                yield from _below(path, skipped)
            elif entry.is_symlink() or entry.is_file():
                yield path


def _link(source: Path, target: Path) -> None:
    """Give a file a second name, or copy it where the file system knows none; what vanished meanwhile is left out."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target, follow_symlinks=False)
    except FileNotFoundError:
        if source.is_symlink() or source.exists():
            raise
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)
