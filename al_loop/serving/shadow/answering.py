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
from al_loop.runtime.background import Background
from al_loop.serving.prediction_log import packed
from al_loop.serving.shadow.homes import ShadowHome
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

    def __init__(self, home: ShadowHome, clock: Callable[[], datetime]) -> None:
        """Nothing is answered before `attend`.

        Args:
            home: Where versions lie and pairs of answers go.
            clock: Gives aware UTC times.
        """
        self._home, self._clock = home, clock
        self._shadows: dict[int, _Shadow] = {}
        self._waiting: deque[_Asked] = deque()
        self._waiting_bytes = 0
        self._lock = threading.Lock()
        self._closed = False
        self._background: Background | None = None

    def attend(self, campaign: Campaign, challenger: Challenger | None) -> None:
        """Let this version answer in the shadow from now on; None: none."""
        known = self._shadows.get(campaign.campaign_id)
        if challenger is None:
            self._shadows.pop(campaign.campaign_id, None)
        elif known is None or known.challenger != challenger:
            self._shadows[campaign.campaign_id] = _Shadow(challenger)
            with self._lock:
                if self._background is None and not self._closed:
                    self._background = Background("shadow")

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
        with self._lock:
            if self._closed or self._background is None:
                return
            if len(self._waiting) >= MOST_WAITING or self._waiting_bytes + image.nbytes > MOST_WAITING_BYTES:
                shadow.dropped += 1
                return
            self._waiting.append(_Asked(campaign, task, shown, codes, image, bands))
            self._waiting_bytes += image.nbytes
            self._background.ask("answers", self._answer_waiting, "answers in the shadow")

    def counts(self, campaign: Campaign) -> ShadowCounts:
        """What was not answered."""
        shadow = self._shadows.get(campaign.campaign_id)
        return ShadowCounts() if shadow is None else ShadowCounts(shadow.dropped, shadow.failed)

    def flush(self, timeout_s: float | None = None) -> bool:
        """Return once all that was offered is answered and stored; whether that came in time."""
        return self._background is None or self._background.wait(timeout_s)

    def close(self) -> None:
        """Forget what waits and stop; the store must still be open. Safe to call twice."""
        with self._lock:
            self._closed = True
            self._waiting.clear()
        if self._background is not None:
            self._background.close()

    def _answer_waiting(self) -> None:
        while True:
            with self._lock:
                taken = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
                self._waiting_bytes -= sum(asked.image.nbytes for asked in taken)
            if not taken:
                return
            self._answer_all(taken)

    def _answer_all(self, taken: list[_Asked]) -> None:
        answers: dict[int, tuple[Campaign, list[ShadowAnswer]]] = {}
        for asked in taken:
            shadow = self._shadows.get(asked.campaign.campaign_id)
            if shadow is None:
                continue
            try:
                answer = self._answer(shadow, asked)
            except (AlLoopError, ModelsError) as error:
                shadow.failed += 1
                logger.warning("campaign %s: %s failed: %s", asked.campaign.name, shadow.challenger.version, error)
                continue
            except Exception:  # whatever it is: the challenger's trouble is counted against it, and nobody else's
                shadow.failed += 1
                logger.exception("campaign %s: %s failed", asked.campaign.name, shadow.challenger.version)
                continue
            if answer is not None:
                answers.setdefault(answer.campaign_id, (asked.campaign, []))[1].append(answer)
        for campaign, entries in answers.values():
            try:
                self._home.record(campaign, entries)
            except AlLoopError as error:
                logger.warning("campaign %s: %d answers in the shadow are lost: %s", campaign.name, len(entries), error)
                if (shadow := self._shadows.get(campaign.campaign_id)) is not None:
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
            hidden=() if asked.task.per_pixel else self._home.hidden(asked.campaign),
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
        try:
            return Predictor(self._home.find(campaign, version), threads=1)
        except CorruptVersionError as error:
            shadow.broken = str(error)
            raise


def _valid(image: NDArray[np.float32]) -> NDArray[np.bool_] | None:
    """Pixels (H, W) with data; None: all of them."""
    return ~invalid_pixels(image) if np.isnan(image.min()) else None
