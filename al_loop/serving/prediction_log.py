"""Remembers what was shown: noted in a journal before it is answered, stored in the background, many in one commit."""

import logging
import threading
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.domain.predictions import ShownPrediction
from al_loop.errors import StoreError
from al_loop.runtime.journal import Journal
from al_loop.runtime.tick_errors import TickErrors
from al_loop.store import LabelStore
from al_loop.store.mask_codec import pack
from models.tasks import kind_of

logger = logging.getLogger(__name__)

FLUSH_S = 0.2
MAX_WAITING_BYTES = 256 * 2**20
"""Packed masks that may wait while the store cannot write (full disk); beyond, answers are kept without their mask."""


class _Waiting(NamedTuple):
    """An answer, and the codes of its mask as long as they are not packed."""

    shown: ShownPrediction
    codes: NDArray[np.uint8] | None


class PredictionLog:
    """Writes shown predictions to the store. Safe to share between threads.

    A kill between answer and record costs at most the masks of the last fifth of a second: that an answer was given, by
    which version and for which pixels, is in the journal before anybody is answered, and is stored at the next start.
    """

    def __init__(self, store: LabelStore, journal: Path, errors: TickErrors | None = None) -> None:
        """Store what an earlier process left in the journal, then begin to write.

        Args:
            store: Where shown predictions go; stays open longer than this.
            journal: Directory of the journal.
            errors: Where writing that failed is shown; None: it is only logged.
        """
        self._errors = errors or TickErrors()
        self._store = store
        self._journal = Journal(journal, ShownPrediction)
        self._take_up()
        self._waiting: list[_Waiting] = []
        self._pages: list[Path] = []
        """Of the journal: those that hold what waits, but for the one that is written."""
        self._lock = threading.Lock()
        self._flushing = threading.Lock()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._run, name="predictions", daemon=True)
        self._writer.start()

    def add(self, shown: ShownPrediction, codes: NDArray[np.uint8] | None = None) -> None:
        """Remember a prediction: noted when this returns, stored soon.

        Args:
            shown: Without its mask.
            codes: Its mask, shape (H, W), which the caller changes no more; None for a task without.
        """
        with self._lock:
            try:
                self._journal.note(shown)
            except OSError:  # full disk: the answer is given all the same
                logger.exception("a shown prediction could not be noted; it is lost if the service is killed now")
            self._waiting.append(_Waiting(shown, codes))

    def flush(self) -> None:
        """Write all that was added before; it is in the store when this returns, unless the store cannot write."""
        with self._flushing:
            with self._lock:
                waiting, self._waiting = self._waiting, []
                self._pages += self._journal.rotate()
            if not waiting:
                return
            ready = [packed(entry.shown, entry.codes) for entry in waiting]
            try:
                self._store.predictions.record(ready)
            except StoreError:
                logger.exception("%d shown predictions could not be stored; trying again", len(ready))
                with self._lock:
                    self._waiting = [_Waiting(entry, None) for entry in _bounded(ready)] + self._waiting
                return
            self._journal.discard(self._pages)
            self._pages = []

    def close(self) -> None:
        """Write what is still waiting; the store must still be open."""
        self._closing.set()
        self._writer.join()
        self.flush()

    def _take_up(self) -> None:
        """Store what an earlier process had answered and not yet stored."""
        noted, pages = self._journal.recover()
        try:
            missing = self._store.predictions.missing([_without_mask(entry) for entry in noted])
            if missing:
                self._store.predictions.record(missing)
                logger.warning("%d predictions had been shown just before the last stop; stored now", len(missing))
        except StoreError:
            logger.exception("%d predictions shown before the last stop could not be stored; next start", len(noted))
            return
        self._journal.discard(pages)

    def _run(self) -> None:
        while not self._closing.wait(FLUSH_S):
            with self._errors.watch("shown predictions"):
                self.flush()


def packed(shown: ShownPrediction, codes: NDArray[np.uint8] | None) -> ShownPrediction:
    """The prediction with its mask, its size and the pixels of each code; as it is without codes."""
    if codes is None:
        return shown
    counts = np.bincount(codes.reshape(-1))
    answer = shown.answer | {
        "pixels": {str(code): int(count) for code, count in enumerate(counts) if count},
        "height": codes.shape[0],
        "width": codes.shape[1],
    }
    mask = pack(codes)
    return msgspec.structs.replace(shown, answer=answer if mask else answer | {"mask": False}, mask=mask)


def _bounded(shown: list[ShownPrediction]) -> list[ShownPrediction]:
    """Predictions without the masks of the oldest if all masks would take too much memory."""
    kept, total = [], 0
    for entry in reversed(shown):
        total += len(entry.mask or b"")
        lighter = _without_mask(entry)
        kept.append(lighter if entry.mask is not None and total > MAX_WAITING_BYTES else entry)
    return kept[::-1]


def _without_mask(shown: ShownPrediction) -> ShownPrediction:
    """The prediction without its mask; its answer says that the mask was not kept."""
    if not kind_of(shown.task).per_pixel:
        return shown
    return msgspec.structs.replace(shown, answer=shown.answer | {"mask": False}, mask=None)
