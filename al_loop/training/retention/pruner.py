"""Removes what is not kept any more, after each round or on request; says first what would go."""

import logging
import os
import shutil
import threading
from collections.abc import Callable, Hashable, Iterable
from datetime import datetime
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.notices import counted
from al_loop.domain.campaigns import Campaign
from al_loop.domain.retention import PrunedItem, PruneReport
from al_loop.errors import ConflictError, NotFoundError
from al_loop.scoring.embedding_versions import ENCODER_PREFIX
from al_loop.store import LabelStore
from al_loop.training.retention.plan import PrunePlan, plan_pruning
from al_loop.training.running.round_files import ATTEMPTS_FILE, RoundFiles
from models.errors import RegistryError
from models.manifest import MANIFEST_FILE
from models.registry import ModelRegistry

logger = logging.getLogger(__name__)


class Pruner:
    """Keeps the files of campaigns within bounds. Safe to share between threads."""

    def __init__(self, store: LabelStore, layout: DataLayout, clock: Callable[[], datetime]) -> None:
        """Look at nothing yet.

        Args:
            store: What there is, and what was decided.
            layout: Where files lie.
            clock: Gives aware UTC times.
        """
        self._store, self._layout, self._clock = store, layout, clock
        self._lock = threading.Lock()
        self._seen: dict[int, Hashable] = {}

    def look(self, campaign: Campaign) -> None:
        """Prune where a round has ended or something else serves since the last look.

        A policy that has just changed removes nothing by itself: a dry run can say first what would go.
        """
        rounds = self._store.rounds.list(campaign.campaign_id)
        ended = sum(entry.state.is_end for entry in rounds)
        seen = ended, len(rounds), campaign.current_version
        if rounds and self._seen.get(campaign.campaign_id) != seen:
            self.prune(campaign)
            self._seen[campaign.campaign_id] = seen

    def prune(self, campaign: Campaign, *, dry_run: bool = False) -> PruneReport:
        """Remove what goes by the policy, or only say what that is.

        The store knows of it first: what a kill leaves is removed the next time.
        """
        with self._lock:
            plan = self._plan(campaign)
            found = [(item, paths) for item, paths in self._items(campaign, plan) if any(map(Path.exists, paths))]
            if not dry_run:
                found = [entry for entry in found if self._remove(campaign, *entry)]
                self._remove_checkpoints(campaign)
            items = [item for item, _ in found]
            total = sum(item.bytes for item in items)
            report = PruneReport(
                dry_run=dry_run, items=items, bytes=total, kept=plan.kept,
                sentence=_sentence(items, total, dry_run=dry_run), as_of=self._clock(),
            )  # fmt: skip
        if items and not dry_run:
            logger.info("campaign %s: %s", campaign.name, report.sentence)
        return report

    def _plan(self, campaign: Campaign) -> PrunePlan:
        number = campaign.campaign_id
        encoders = self._layout.encoders(campaign.folder)
        made = sorted(
            (path.name for path in encoders.glob(f"{ENCODER_PREFIX}*") if path.is_dir()),
            key=lambda name: int(name.removeprefix(ENCODER_PREFIX)),
        )
        scores = self._layout.scores(campaign.folder)
        return plan_pruning(
            campaign.policy.retention,
            self._store.rounds.list(number),
            self._store.versions.list(number),
            self._store.versions.promotions(number),
            made,
            [path.name for path in scores.iterdir()] if scores.is_dir() else [],
        )

    def _items(self, campaign: Campaign, plan: PrunePlan) -> Iterable[tuple[PrunedItem, list[Path]]]:
        """What goes, with its files."""
        layout, folder = self._layout, campaign.folder
        gone = [entry.version for entry in self._store.versions.list(campaign.campaign_id) if entry.pruned_at]
        for version in (*gone, *plan.versions):
            directory = layout.models(folder) / version
            heavy = [path for path in directory.glob("*") if path.suffix != ".json"]
            yield PrunedItem(kind="version", name=version, bytes=size(heavy)), heavy
        for number in plan.rounds:
            heavy = _heavy_files(layout.round(folder, number))
            yield PrunedItem(kind="round", name=str(number), bytes=size(heavy)), heavy
        for version in plan.scores:
            paths = [layout.scores(folder) / version]
            yield PrunedItem(kind="scores", name=version, bytes=size(paths)), paths
        for name in plan.encoders:
            number = int(name.removeprefix(ENCODER_PREFIX))
            paths = [layout.encoders(folder) / name, layout.pretraining(folder, number)]
            yield PrunedItem(kind="encoder", name=name, bytes=size(paths)), paths

    def _remove(self, campaign: Campaign, item: PrunedItem, paths: list[Path]) -> bool:
        """Whether it went; something may have begun to serve, or been pinned, meanwhile."""
        try:
            if item.kind == "version":
                self._store.versions.mark_pruned(campaign.campaign_id, item.name, self._clock())
            elif item.kind == "scores":
                self._store.scores.forget_version(campaign.campaign_id, item.name)
            elif item.kind == "encoder":
                ModelRegistry(self._layout.encoders(campaign.folder)).remove(item.name)
        except (ConflictError, NotFoundError, RegistryError) as error:
            logger.info("campaign %s: %s %s is kept: %s", campaign.name, item.kind, item.name, error)
            return False
        for path in paths:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)
        return True

    def _remove_checkpoints(self, campaign: Campaign) -> None:
        """Of rounds that failed or were cancelled, and what their attempts made; logs stay."""
        for entry in self._store.rounds.list(campaign.campaign_id):
            files = RoundFiles(self._layout.round(campaign.folder, entry.number))
            if entry.state.is_end and files.checkpoint.is_dir():
                files.registered()


def size(paths: Iterable[Path]) -> int:
    """Bytes that go from the disk with files and folders; of a file with another name elsewhere none."""
    total = 0
    names: dict[tuple[int, int], int] = {}
    for path in paths:
        inside = [path] if not path.is_dir() else (Path(at) / name for at, _, files in os.walk(path) for name in files)
        for file in inside:
            try:
                status = file.lstat()
            except OSError:
                continue
            key = status.st_dev, status.st_ino
            names[key] = names.get(key, 0) + 1
            total += status.st_size if names[key] == status.st_nlink else 0
    return total


def _heavy_files(directory: Path) -> list[Path]:
    """What a round does without: all but its manifest and what is known of its attempts."""
    light = {directory / "snapshot" / MANIFEST_FILE, directory / ATTEMPTS_FILE}
    return [path for path in directory.rglob("*") if path.is_file() and path not in light]


def _sentence(items: list[PrunedItem], total: int, *, dry_run: bool) -> str:
    if not items:
        return "nothing to prune"
    counts = {kind: sum(item.kind == kind for item in items) for kind in ("version", "round", "scores", "encoder")}
    parts = [counted(counts[kind], kind) for kind in ("version", "round", "encoder") if counts[kind]]
    if counts["scores"]:
        parts.append(f"scores by {counted(counts['scores'], 'version')}")
    return f"{total / 1e6:,.1f} MB {'would go' if dry_run else 'went'}: {', '.join(parts)}"
