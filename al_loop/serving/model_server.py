"""Keeps one loaded model per campaign: loads at start with a fall-back, prepares candidates, swaps without a gap."""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.errors import ConflictError, NoModelError, NotFoundError
from al_loop.runtime.heap import trim_heap
from al_loop.store import LabelStore
from models.errors import RegistryError
from models.inference.batching import Batcher, OnBatch
from models.inference.predictor import Predictor
from models.registry import ModelRegistry

logger = logging.getLogger(__name__)

LOAD_ERRORS = (RegistryError, NotFoundError, ConflictError, OSError)


class ModelServer:
    """The models that answer predictions, one `Batcher` a campaign."""

    def __init__(self, store: LabelStore, layout: DataLayout, *, threads: int | None = None) -> None:
        self._store = store
        self._layout = layout
        self._threads = threads
        self._batchers: dict[int, Batcher] = {}
        self._lock = threading.Lock()
        self.on_batch: OnBatch = lambda tasks, images, seconds: None
        """Called after each run of a model, whichever campaign's it is."""

    def start(self, now: datetime) -> None:
        """Load what the store says is serving; where that is corrupt, fall back to the last good version and say so."""
        for campaign in self._store.campaigns.list():
            if campaign.current_version is not None:
                self._load_or_fall_back(campaign, now)

    def remove_leftovers(self) -> None:
        """Remove what a crash left half-published; call it before anything can be published."""
        for campaign in self._store.campaigns.list():
            if self._layout.models(campaign.folder).is_dir():
                for name in self.registry(campaign).clean():
                    logger.warning("campaign %s: removed %s, left by a crash", campaign.name, name)

    def registry(self, campaign: Campaign) -> ModelRegistry:
        """The campaign's model registry."""
        return ModelRegistry(self._layout.models(campaign.folder))

    def prepare(self, campaign: Campaign, version: str) -> Predictor:
        """Load, verify and warm up a version without serving it.

        Raises:
            NotFoundError: The campaign has no such version.
            ConflictError: Its files were pruned.
            CorruptVersionError: A file is missing or changed.
        """
        known = [entry.version for entry in self._store.versions.list(campaign.campaign_id)]
        if version not in known:
            raise NotFoundError("model version", version, f"known: {', '.join(known) or 'none yet'}")
        self._store.versions.check_present(campaign.campaign_id, version)
        registry = self.registry(campaign)
        registry.verify(version)
        return Predictor(registry.path(version), threads=self._threads)

    def promote(
        self,
        campaign: Campaign,
        version: str,
        reason: str,
        clock: Callable[[], datetime],
        round_number: int | None = None,
    ) -> None:
        """Make a version the one that serves: loaded first, then stored, then swapped in.

        Requests in flight are answered by the old version; none is dropped.
        """
        predictor = self.prepare(campaign, version)
        self._store.versions.promote(
            campaign.campaign_id, version, reason=reason, now=clock(), round_number=round_number
        )
        self._store.versions.set_problem(campaign.campaign_id, version, None)
        self.registry(campaign).set_current(version)
        self._swap(campaign, predictor)
        logger.info("campaign %s: %s serves (%s)", campaign.name, version, reason)

    def batcher(self, campaign: Campaign) -> Batcher:
        """The campaign's serving model.

        Raises:
            NoModelError: Nothing is promoted, or nothing that was can be loaded.
        """
        batcher = self._batchers.get(campaign.campaign_id)
        if batcher is None:
            raise NoModelError(f"campaign {campaign.name!r} has no model that can serve yet")
        return batcher

    def serving_version(self, campaign: Campaign) -> str | None:
        """The version in memory, or None."""
        batcher = self._batchers.get(campaign.campaign_id)
        return None if batcher is None else batcher.version

    def unload(self, campaign: Campaign) -> None:
        """Let a campaign's model go."""
        with self._lock:
            batcher = self._batchers.pop(campaign.campaign_id, None)
        if batcher is not None:
            batcher.close()

    def close(self) -> None:
        """Let every model go."""
        with self._lock:
            for batcher in self._batchers.values():
                batcher.close()
            self._batchers.clear()

    def _load_or_fall_back(self, campaign: Campaign, now: datetime) -> None:
        tried: set[str] = set()
        history = self._store.versions.promotions(campaign.campaign_id)
        candidates = [campaign.current_version, *(entry.version for entry in reversed(history))]
        for version in candidates:
            if version is None or version in tried:
                continue
            tried.add(version)
            try:
                predictor = self.prepare(campaign, version)
            except LOAD_ERRORS as error:
                logger.error("campaign %s: %s cannot be served: %s", campaign.name, version, error)
                self._store.versions.set_problem(campaign.campaign_id, version, str(error))
                continue
            if version != campaign.current_version:
                reason = f"{campaign.current_version} cannot be served; fell back to the last good version"
                self._store.versions.promote(campaign.campaign_id, version, reason=reason, now=now)
            self.registry(campaign).set_current(version)
            self._swap(campaign, predictor)
            return

    def _swap(self, campaign: Campaign, predictor: Predictor) -> None:
        with self._lock:
            batcher = self._batchers.get(campaign.campaign_id)
            if batcher is None:
                self._batchers[campaign.campaign_id] = Batcher(predictor, on_batch=lambda *run: self.on_batch(*run))
            else:
                batcher.swap(predictor)
                trim_heap()  # of what the model before had, and loading this one
