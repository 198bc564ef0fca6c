"""Removes what a killed service left in the middle of a write; called while nothing is written."""

import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from models.files import STAGING_PREFIX

logger = logging.getLogger(__name__)

OLD_PREFIX = "al-loop-"
OLD_FILES = {"uncertainty.tif", "uncertainty.tif.aux.xml", "uncertainty.tif.ovr"}
OLD_S = 24 * 3600.0
"""Age at which a folder of an earlier version in the system's temporary directory belongs to no living service."""


def remove_leftovers(layout: DataLayout) -> None:
    """Remove unfinished files below the data directory, and what earlier versions left in the temporary directory.

    Needs the data directory for itself, as the owner of its database has it. What cannot be removed is logged and left.
    """
    for path in [*_unfinished(layout), *_of_earlier_versions()]:
        try:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink(missing_ok=True)
            logger.info("removed %s, left by a stop in the middle of a write", path)
        except OSError as error:
            logger.warning("%s was left by a stop in the middle of a write and cannot be removed: %s", path, error)


def _unfinished(layout: DataLayout) -> Iterator[Path]:
    if layout.temporary.is_dir():
        yield from layout.temporary.iterdir()
    yield from layout.root.glob(".probe-*")
    for campaign in layout.root.glob("campaigns/*"):
        yield from campaign.glob(f"{STAGING_PREFIX}*")
        yield from campaign.glob(f"*/{STAGING_PREFIX}*")
        yield from campaign.glob(f"*/*/{STAGING_PREFIX}*")


def _of_earlier_versions() -> Iterator[Path]:
    """Folders of ours that hold nothing but what an uncertainty map was made in."""
    try:
        temporary = Path(tempfile.gettempdir())
    except FileNotFoundError:
        return  # there is none that can be written
    for folder in temporary.glob(f"{OLD_PREFIX}*"):
        try:
            status = folder.lstat()
            is_ours = status.st_uid == os.geteuid() and time.time() - status.st_mtime > OLD_S
            if is_ours and not folder.is_symlink() and {file.name for file in folder.iterdir()} <= OLD_FILES:
                yield folder
        except OSError:
            continue  # a file, or gone meanwhile
