"""Looks for what keeps an installation or a data directory from working, and says what to do. Changes nothing."""

import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.notices import counted
from al_loop.errors import StoreError, StoreLockedError
from al_loop.runtime.disk import LITTLE_BYTES
from al_loop.store.schema.peek import SeenCampaign, StorePeek, peek
from al_loop.training.installed import PACKAGES, embedding_problem, missing_packages
from al_loop.upkeep.findings import Finding, ok
from models.errors import RegistryError
from models.registry import ModelRegistry


def examine_installation() -> Iterator[Finding]:
    """What is installed, and what this machine has."""
    yield ok("python", f"{platform.python_version()} on {platform.system()} {platform.machine()}")
    missing = missing_packages(PACKAGES)
    if missing:
        yield Finding(
            about="training", verdict="warning", said=f"not installed: {', '.join(missing)}",
            remedy="pip install 'al-loop[train]' to train here; labels and predictions work without",
        )  # fmt: skip
    else:
        yield ok("training", "installed")
        problem = embedding_problem()
        if problem is None:
            yield ok("encoder", "the shipped weights can be used")
        else:
            yield Finding(
                about="encoder", verdict="warning", said=f"the shipped weights cannot be used: {problem}",
                remedy="pip install 'al-loop[train]'; until then models learn from random weights",
            )  # fmt: skip
    yield _device()
    yield _temporary()


def _device() -> Finding:
    from models.inference.predictor import sees_gpu

    cores = os.cpu_count() or 1
    return ok("device", "a CUDA GPU, for training and serving" if sees_gpu() else f"no GPU; {cores} CPU cores")


def _temporary() -> Finding:
    try:
        folder = tempfile.gettempdir()
    except FileNotFoundError:
        return Finding(
            about="temporary files", verdict="warning", said="there is no temporary directory to write to",
            remedy="none is needed: tmp/ of the data directory is used; or set TMPDIR",
        )  # fmt: skip
    return ok("temporary files", folder)


def examine_directory(data: Path) -> Iterator[Finding]:
    """A data directory: its disk, its store, the model of each campaign and where images are looked for.

    Args:
        data: The directory; of one that a service has open only the disk is looked at.
    """
    if not data.is_dir():
        yield Finding(
            about="data", verdict="wrong", said=f"{data} is no directory", remedy="al-loop serve --data makes it"
        )
        return
    if not os.access(data, os.W_OK):
        yield Finding(
            about="data", verdict="wrong", said=f"{data} cannot be written",
            remedy="give it to the user that the service runs as",
        )  # fmt: skip
    free = shutil.disk_usage(data).free
    if free < LITTLE_BYTES:
        yield Finding(
            about="disk", verdict="wrong", said=f"only {free / 1e6:.0f} MB are free in {data}", remedy="free space"
        )
    else:
        yield ok("disk", f"{free / 1e9:,.1f} GB free in {data}")
    layout = DataLayout(data)
    try:
        seen = peek(layout.database)
    except StoreLockedError as error:
        of = "a running service" if error.process_id is None else f"a running service (pid {error.process_id})"
        yield ok("store", f"{of} has it open; what that says of it stands below")
        return
    except StoreError as error:
        yield Finding(
            about="store", verdict="wrong", said=str(error), remedy="al-loop restore of a backup into a new directory"
        )
        return
    yield _schema(seen)
    for campaign in seen.campaigns:
        yield from _campaign(layout, campaign)


def _schema(seen: StorePeek) -> Finding:
    if seen.schema_version > seen.newest_known:
        return Finding(
            about="store", verdict="wrong", said="it was opened by a newer al-loop",
            remedy="upgrade al-loop, or restore a backup from before the upgrade",
        )  # fmt: skip
    older = "; the next start brings it up to date" if seen.schema_version < seen.newest_known else ""
    return ok("store", f"schema {seen.schema_version}, {counted(len(seen.campaigns), 'campaign')}{older}")


def _campaign(layout: DataLayout, campaign: SeenCampaign) -> Iterator[Finding]:
    about = f"campaign {campaign.name}"
    if not os.access(campaign.root, os.R_OK | os.X_OK):
        yield Finding(
            about=about, verdict="wrong", said=f"its images are looked for in {campaign.root}, which cannot be read",
            remedy="put them there, or restore a backup with --path-map",
        )  # fmt: skip
    if campaign.current_version is None:
        yield ok(about, "no model serves yet")
        return
    if not layout.models(campaign.folder).is_dir():  # or the registry would make it
        yield Finding(
            about=about, verdict="wrong", said=f"{layout.models(campaign.folder)}, where its models are, is missing",
            remedy="restore a backup, or retrain",
        )  # fmt: skip
        return
    try:
        ModelRegistry(layout.models(campaign.folder)).verify(campaign.current_version)
    except RegistryError as error:
        yield Finding(
            about=about, verdict="wrong", said=str(error),
            remedy=f"promote another version (al-loop model promote {campaign.name} VERSION) or retrain",
        )  # fmt: skip
        return
    yield ok(about, f"{campaign.current_version} serves, and is undamaged")
