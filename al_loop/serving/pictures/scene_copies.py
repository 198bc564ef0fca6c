"""Keeps reduced copies of large scenes without overviews: made in the background, one at a time, the oldest removed."""

import logging
import os
import shutil
import threading
import time
import uuid
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.samples import Sample
from models.files import STAGING_PREFIX
from models.pictures.copies import write_copies
from models.pictures.levels import Levels
from models.rasters.opening.sidecars import stamp

logger = logging.getLogger(__name__)

MAX_BYTES = 4 * 2**30
"""Of all campaigns together; a scene of 10,000 px and four bands takes 0.14 GB."""
IN_USE_S = 120.0
"""Copies that were used this recently are not removed to make room."""


class SceneCopies:
    """Folders `<pictures>/scenes/<sample>-<modification time>`, each whole or not there."""

    def __init__(self, layout: DataLayout, max_bytes: int = MAX_BYTES) -> None:
        self._layout, self._max_bytes = layout, max_bytes
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="scene-copies")
        self._pending: dict[Path, Future[Path | None]] = {}
        self._lock = threading.Lock()

    def close(self) -> None:
        """Finish the copy that is being made and start no other."""
        self._worker.shutdown(cancel_futures=True)

    def of(self, campaign: Campaign, sample: Sample, path: Path, levels: Levels) -> Path | None:
        """The folder of a scene's copies, made now if it is missing; None where none are needed or can be written.

        Raises:
            UnreadableRasterError: The scene is gone or damaged.
        """
        future = self.prepare(campaign, sample, path, levels)
        return None if future is None else future.result()

    def prepare(self, campaign: Campaign, sample: Sample, path: Path, levels: Levels) -> Future[Path | None] | None:
        """Begin to make a scene's copies; None where none are needed."""
        if not levels.needs_copies:
            return None
        now = stamp(path)
        folder = self._scenes(campaign.folder) / f"{sample.sample_id}-{now.modified_ns}-{now.file_bytes}"
        with self._lock:
            if folder.is_dir():
                os.utime(folder)
                done: Future[Path | None] = Future()
                done.set_result(folder)
                return done
            if folder not in self._pending:
                self._pending[folder] = self._worker.submit(self._make, folder, path, sample, levels)
            return self._pending[folder]

    def remove(self, campaign_folder: str, sample_id: int) -> None:
        """Remove the copies of one sample."""
        for folder in self._scenes(campaign_folder).glob(f"{sample_id}-*"):
            shutil.rmtree(folder, ignore_errors=True)

    def _make(self, folder: Path, path: Path, sample: Sample, levels: Levels) -> Path | None:
        draft = folder.with_name(STAGING_PREFIX + uuid.uuid4().hex)
        started = time.monotonic()
        try:
            for unfinished in folder.parent.glob(f"{STAGING_PREFIX}*"):  # of a process that was killed
                shutil.rmtree(unfinished, ignore_errors=True)
            draft.mkdir(parents=True)
            write_copies(path, sample.path, draft, levels.policy)
            for older in folder.parent.glob(f"{sample.sample_id}-*"):
                shutil.rmtree(older, ignore_errors=True)
            draft.rename(folder)
            logger.info("reduced copies of %s made in %.1f s", sample.path, time.monotonic() - started)
            self._make_room(folder)
            return folder
        except OSError as error:
            logger.warning("no reduced copies of %s, its pictures will be slow: %s", sample.path, error)
            return None
        finally:
            shutil.rmtree(draft, ignore_errors=True)
            with self._lock:
                self._pending.pop(folder, None)

    def _make_room(self, newest: Path) -> None:
        found = [folder for folder in self._layout.root.glob("campaigns/*/pictures/scenes/*") if folder != newest]
        sizes = {folder: sum(file.stat().st_size for file in folder.iterdir()) for folder in [*found, newest]}
        total = sum(sizes.values())
        for folder in sorted(found, key=lambda folder: folder.stat().st_mtime):
            if total <= self._max_bytes or time.time() - folder.stat().st_mtime < IN_USE_S:
                break
            shutil.rmtree(folder, ignore_errors=True)
            total -= sizes[folder]

    def _scenes(self, campaign_folder: str) -> Path:
        return self._layout.pictures(campaign_folder) / "scenes"
