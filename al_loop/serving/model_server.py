"""Keeps one loaded model per campaign: loads at start with a fall-back, prepares candidates, swaps without a gap."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import ModelVersion
from al_loop.errors import ConflictError, NoModelError, NotFoundError, RejectedVersionError
from al_loop.runtime.heap import HeapTrimming
from al_loop.store import LabelStore
from models.errors import RegistryError
from models.inference.batching import Batcher, OnBatch
from models.inference.predictor import Predictor
from models.registry import ONNX_FILE, ModelRegistry

logger = logging.getLogger(__name__)

LOAD_ERRORS = (RegistryError, NotFoundError, ConflictError, OSError)

CHAMPION, CHALLENGER = "champion", "challenger"
"""Names of the version that serves, and of the one that waits for the last word, wherever a version is asked for."""


class ModelServer:
    """The models that answer predictions, one `Batcher` a campaign."""

    def __init__(self, store: LabelStore, layout: DataLayout, *, load: Callable[[Path], Predictor] = Predictor) -> None:
        """Nothing is loaded before `start`.

        Args:
            store: Which versions serve.
            layout: Where they lie.
            load: Loads the version of a directory.
        """
        self._store = store
        self._layout = layout
        self._load_version = load
        self._batchers: dict[int, Batcher] = {}
        self._lock = threading.Lock()
        self._trimming = HeapTrimming()
        self._promoting: dict[int, threading.Lock] = {}
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

    def resolve(self, campaign: Campaign, version: str) -> str:
        """The version that a name stands for: itself, or what `champion` or `challenger` is now.

        Raises:
            NotFoundError: There is none of that standing.
        """
        if version == CHAMPION:
            current = self._store.campaigns.get(campaign.name).current_version
            if current is None:
                raise NotFoundError("model version", version, "nothing serves yet")
            return current
        if version == CHALLENGER:
            waiting = self._store.gate.challenger(campaign.campaign_id)
            if waiting is None:
                raise NotFoundError("model version", version, "no version waits for the last word")
            return waiting.version
        return version

    def digest(self, campaign: Campaign, version: str) -> str | None:
        """sha256 of the ONNX file of a version as its card has it; None: the card cannot be read."""
        try:
            return self.registry(campaign).card(version).digests.get(ONNX_FILE)
        except RegistryError:
            return None

    def prepare(self, campaign: Campaign, version: str) -> Predictor:
        """Load, verify and warm up a version without serving it.

        Raises:
            NotFoundError: The campaign has no such version.
            ConflictError: Its files were pruned.
            CorruptVersionError: A file is missing or changed.
        """
        self._version(campaign, version)
        self._store.versions.check_present(campaign.campaign_id, version)
        registry = self.registry(campaign)
        registry.verify(version)
        return self._load_version(registry.path(version))

    def promote(
        self,
        campaign: Campaign,
        version: str,
        reason: str,
        clock: Callable[[], datetime],
        round_number: int | None = None,
        *,
        person: bool = True,
        force: bool = False,
        rollback: bool = False,
    ) -> bool:
        """Make a version the one that serves: loaded first, then stored, then swapped in.

        Requests in flight are answered by the old version; none is dropped. Of two calls at once the later one counts,
        wholly. A version that serves already goes on.

        Args:
            campaign: Whose.
            version: Its name, `champion` or `challenger`.
            reason: Why.
            clock: Gives aware UTC times.
            round_number: The round that made it and goes on with scoring.
            person: Whether a person decided it; the service itself promotes nothing that was rejected or rolled back.
            force: Whether a person promotes it although it was rejected.
            rollback: Whether the version that serves is taken back by it, and not promoted by the service again.

        Returns:
            Whether another version served before.

        Raises:
            NotFoundError: The campaign has no such version.
            CorruptVersionError: A file is missing or changed.
            RejectedVersionError: It was rejected, and `force` is false.
            ConflictError: It was rolled back, and no person asks for it.
        """
        version = self.resolve(campaign, version)
        predictor = self.prepare(campaign, version)
        with self._one_at_a_time(campaign):
            standing = self._version(campaign, version)
            if standing.current and self.serving_version(campaign) == version and round_number is None:
                return False
            if standing.standing == "rejected" and not (person and force):
                raise RejectedVersionError(version, standing.standing_reason or "no reason is known")
            before = self._store.campaigns.get(campaign.name).current_version
            self._store.versions.promote(
                campaign.campaign_id, version, reason=reason, now=clock(), round_number=round_number, person=person,
                rollback=rollback, digest_before=None if before is None else self.digest(campaign, before),
            )  # fmt: skip
            self._store.versions.set_problem(campaign.campaign_id, version, None)
            self.registry(campaign).set_current(version)
            self._swap(campaign, predictor)
        logger.info("campaign %s: %s serves (%s)", campaign.name, version, reason)
        return True

    def roll_back(self, campaign: Campaign, reason: str, clock: Callable[[], datetime]) -> str:
        """Let the version serve again that served before; returns its name. What served is promoted by people only.

        Raises:
            ConflictError: No other version served before that could serve now.
        """
        current = self.resolve(campaign, CHAMPION)
        for version in self._served_before(campaign, current):
            try:
                self.promote(campaign, version, reason, clock, rollback=True)
            except LOAD_ERRORS as error:
                logger.error("campaign %s: %s cannot be served: %s", campaign.name, version, error)
                self._store.versions.set_problem(campaign.campaign_id, version, str(error))
                continue
            return version
        raise ConflictError(f"nothing that served before {current} can serve now; promote a version by its name")

    def reject(self, campaign: Campaign, version: str, reason: str, clock: Callable[[], datetime]) -> str:
        """Take a version out that does not serve; returns its name. The service does not promote it any more.

        Raises:
            NotFoundError: The campaign has no such version.
            ConflictError: It serves.
        """
        version = self.resolve(campaign, version)
        with self._one_at_a_time(campaign):
            self._version(campaign, version)
            digest = self.digest(campaign, version)
            self._store.gate.reject(campaign.campaign_id, version, reason, clock(), digest)
        logger.info("campaign %s: %s rejected (%s)", campaign.name, version, reason)
        return version

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
        self._trimming.close()
        with self._lock:
            for batcher in self._batchers.values():
                batcher.close()
            self._batchers.clear()

    @contextmanager
    def _one_at_a_time(self, campaign: Campaign) -> Iterator[None]:
        """Promotions and rejections of a campaign come one after the other."""
        with self._lock:
            own = self._promoting.setdefault(campaign.campaign_id, threading.Lock())
        with own:
            yield

    def _version(self, campaign: Campaign, version: str) -> ModelVersion:
        known = self._store.versions.list(campaign.campaign_id)
        for entry in known:
            if entry.version == version:
                return entry
        listed = ", ".join(entry.version for entry in known) or "none yet"
        raise NotFoundError("model version", version, f"known: {listed}")

    def _served_before(self, campaign: Campaign, current: str | None) -> list[str]:
        """Versions that served, the last one first, without the one that does and those that were taken back."""
        withdrawn = {entry.version for entry in self._store.gate.withdrawn(campaign.campaign_id)}
        history = self._store.versions.promotions(campaign.campaign_id)
        served = dict.fromkeys(entry.version for entry in reversed(history))
        return [version for version in served if version != current and version not in withdrawn]

    def _load_or_fall_back(self, campaign: Campaign, now: datetime) -> None:
        for version in (campaign.current_version, *self._served_before(campaign, campaign.current_version)):
            if version is None:
                continue
            try:
                predictor = self.prepare(campaign, version)
            except LOAD_ERRORS as error:
                logger.error("campaign %s: %s cannot be served: %s", campaign.name, version, error)
                self._store.versions.set_problem(campaign.campaign_id, version, str(error))
                continue
            if version != campaign.current_version:
                reason = f"{campaign.current_version} cannot be served; fell back to the last good version"
                self._store.versions.promote(campaign.campaign_id, version, reason=reason, now=now, person=False)
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
                self._trimming.ask()  # what the model before had, and loading this one
