"""Lets a challenger answer the requests that the serving version answers: afterwards, in a thread of low priority.

Nobody waits for it and nothing that goes wrong here reaches a caller. What is too much is dropped and counted.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import Challenger
from al_loop.domain.predictions import ShadowAnswer, ShownPrediction
from al_loop.errors import AlLoopError
from al_loop.runtime.background import lower_priority
from al_loop.serving.model_server import ModelServer
from al_loop.serving.prediction_log import packed
from al_loop.store import LabelStore
from models.errors import CorruptVersionError, ModelsError
from models.inference.predictor import Predictor
from models.rasters.bands import invalid_pixels
from models.tasks import Task

logger = logging.getLogger(__name__)

MOST_WAITING = 64
"""Images that may wait for the challenger; further ones are dropped."""
MOST_WAITING_BYTES = 256 * 2**20
"""Pixels that may wait; further images are dropped."""
AT_ONCE = 16
"""Answers stored in one commit."""
MOST_KNOWN = 100_000
"""Images that are remembered as answered, so that equal requests are not answered again."""


class _Asked(NamedTuple):
    """What the serving version answered, and the image."""

    campaign: Campaign
    task: Task
    shown: ShownPrediction
    codes: NDArray[np.uint8] | None
    image: NDArray[np.float32]
    """(C, H, W) raw values of the bands that the serving version reads."""
    bands: list[int]


class ShadowCounts(NamedTuple):
    """Since the challenger began, or the service started."""

    dropped: int = 0
    failed: int = 0


class _Shadow:
    """A challenger at work."""

    def __init__(self, challenger: Challenger) -> None:
        self.challenger = challenger
        self.predictor: Predictor | None = None
        self.broken: str | None = None
        """Why it cannot be loaded."""
        self.dropped = self.failed = 0
        self.known: set[tuple[str, str, str]] = set()
        """Champion, task and pixel hash of what was answered."""


class ShadowModel:
    """The challengers of all campaigns. `offer` may be called from any thread and returns at once."""

    def __init__(self, store: LabelStore, server: ModelServer, clock: Callable[[], datetime]) -> None:
        """Nothing is answered before `attend`.

        Args:
            store: Where pairs of answers go.
            server: Where versions lie.
            clock: Gives aware UTC times.
        """
        self._store, self._server, self._clock = store, server, clock
        self._shadows: dict[int, _Shadow] = {}
        self._waiting: deque[_Asked] = deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()
        self._closed = self._busy = False
        self._thread: threading.Thread | None = None

    def attend(self, campaign: Campaign, challenger: Challenger | None) -> None:
        """Let this version answer in the shadow from now on; None: none."""
        known = self._shadows.get(campaign.campaign_id)
        if challenger is None:
            self._shadows.pop(campaign.campaign_id, None)
        elif known is None or known.challenger != challenger:
            self._shadows[campaign.campaign_id] = _Shadow(challenger)
            self._start()

    def offer(
        self,
        campaign: Campaign,
        task: Task,
        shown: ShownPrediction,
        codes: NDArray[np.uint8] | None,
        image: NDArray[np.float32],
        bands: list[int],
    ) -> None:
        """Have the challenger answer an image that was answered; returns at once and never raises.

        Args:
            campaign: Whose image.
            task: What was asked.
            shown: The answer.
            codes: Its map (H, W), changed no more; None for a task without.
            image: (C, H, W) raw values, changed no more.
            bands: 1-based bands that these are.
        """
        shadow = self._shadows.get(campaign.campaign_id)
        if shadow is None or (shown.version, shown.task, shown.pixel_hash) in shadow.known:
            return
        with self._changed:
            if len(self._waiting) >= MOST_WAITING or self._waiting_bytes + image.nbytes > MOST_WAITING_BYTES:
                shadow.dropped += 1
                return
            self._waiting.append(_Asked(campaign, task, shown, codes, image, bands))
            self._waiting_bytes += image.nbytes
            self._changed.notify_all()

    def counts(self, campaign: Campaign) -> ShadowCounts:
        """What was not answered."""
        shadow = self._shadows.get(campaign.campaign_id)
        return ShadowCounts() if shadow is None else ShadowCounts(shadow.dropped, shadow.failed)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Return once all that was offered is answered and stored; whether that came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: self._closed or not (self._waiting or self._busy), timeout_s)

    def close(self) -> None:
        """Forget what waits and stop; the store must still be open. Safe to call twice."""
        with self._changed:
            self._closed = True
            self._waiting.clear()
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _start(self) -> None:
        with self._changed:
            if self._thread is None and not self._closed:
                self._thread = threading.Thread(target=self._run, name="shadow", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        lower_priority()
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                self._changed.wait_for(lambda: self._closed or self._waiting)
                if self._closed:
                    return
                taken = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                self._waiting_bytes -= sum(asked.image.nbytes for asked in taken)
                self._busy = True
            self._answer_all(taken)

    def _answer_all(self, taken: list[_Asked]) -> None:
        answers: dict[int, list[ShadowAnswer]] = {}
        for asked in taken:
            shadow = self._shadows.get(asked.campaign.campaign_id)
            if shadow is None:
                continue
            try:
                answer = self._answer(shadow, asked)
            except ModelsError as error:
                shadow.failed += 1
                logger.warning("campaign %s: %s failed: %s", asked.campaign.name, shadow.challenger.version, error)
                continue
            except Exception:  # whatever it is: the challenger's trouble is counted against it, and nobody else's
                shadow.failed += 1
                logger.exception("campaign %s: %s failed", asked.campaign.name, shadow.challenger.version)
                continue
            if answer is not None:
                answers.setdefault(answer.campaign_id, []).append(answer)
        for campaign_id, entries in answers.items():
            try:
                self._store.shadow_answers.record(entries)
            except AlLoopError:
                logger.exception("%d answers in the shadow could not be stored", len(entries))
                if (shadow := self._shadows.get(campaign_id)) is not None:
                    shadow.dropped += len(entries)

    def _answer(self, shadow: _Shadow, asked: _Asked) -> ShadowAnswer | None:
        """The pair of answers; None: the same was answered before, or the challenger was not trained for the task."""
        challenger, shown = shadow.challenger, asked.shown
        key = shown.version, shown.task, shown.pixel_hash
        if key in shadow.known or shown.version == challenger.version:
            return None
        if shadow.broken is not None:
            raise ModelsError(shadow.broken)
        if shadow.predictor is None:
            shadow.predictor = self._loaded(shadow, asked.campaign, challenger.version)
        model = shadow.predictor
        if asked.task.name not in model.tasks:
            return None
        if model.card.bands != asked.bands:
            raise ModelsError(f"{challenger.version} reads bands {model.card.bands}, {shown.version} {asked.bands}")
        valid = _valid(asked.image) if asked.task.per_pixel else None
        answer: NDArray[Any] = asked.task.presentable(
            model.answer(asked.task.name, asked.image),
            model.tasks[asked.task.name],
            hidden=() if asked.task.per_pixel else self._store.scaneo.hidden(asked.campaign.campaign_id),
            valid=valid,
            min_area_px=asked.campaign.settings.assist.min_area_px,
        )
        codes = answer if asked.task.per_pixel else None
        own = packed(
            ShownPrediction(
                campaign_id=shown.campaign_id, pixel_hash=shown.pixel_hash, task=shown.task,
                version=challenger.version, answer=asked.task.record(answer), shown_at=self._clock(),
            ),
            codes,
        )  # fmt: skip
        champion = packed(shown, asked.codes)
        if len(shadow.known) < MOST_KNOWN:
            shadow.known.add(key)
        return ShadowAnswer(
            campaign_id=shown.campaign_id,
            pixel_hash=shown.pixel_hash,
            task=shown.task,
            champion=shown.version,
            challenger=challenger.version,
            champion_answer=champion.answer,
            challenger_answer=own.answer,
            champion_mask=champion.mask,
            challenger_mask=own.mask,
            blind=shown.blind,
            answered_at=own.shown_at,
        )

    def _loaded(self, shadow: _Shadow, campaign: Campaign, version: str) -> Predictor:
        """The challenger on one thread: this one, whose priority is low."""
        path = self._server.registry(campaign).path(version)
        try:
            return Predictor(path, threads=1)
        except CorruptVersionError as error:
            shadow.broken = str(error)
            raise


def _valid(image: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Pixels (H, W) with data; None: all of them."""
    return ~invalid_pixels(image) if np.isnan(image.min()) else None
