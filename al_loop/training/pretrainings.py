"""Runs pretrainings: an encoder from the campaign's own images, exported, and the pool embedded with it.

One runs at a time. It takes one of the places that rounds run in (`al_loop.slots`), so by default nothing else trains
meanwhile, and a campaign never has a round and a pretraining at work together: whichever comes second waits in state
`queued`. Cancel a pretraining to let a round through.
"""

import errno
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import Pretraining, PretrainingState
from al_loop.errors import ConflictError, InvalidValueError
from al_loop.runtime.processes import ProcessCancelledError, ProcessFailedError, log_tail
from al_loop.runtime.slots import TrainingSlots
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.store import LabelStore
from al_loop.training.encoder_run import train_encoder
from models.errors import RegistryError
from models.pretrain_config import PretrainConfig, check_config
from models.progress import ProgressLine

logger = logging.getLogger(__name__)

PHASES = {"training": PretrainingState.TRAINING, "exporting": PretrainingState.EXPORTING}
Key = tuple[int, int]


class PretrainingRunner:
    """Starts, follows and cancels pretrainings."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        scorer: PoolScorer,
        slots: TrainingSlots,
        clock: Callable[[], datetime],
    ) -> None:
        """Make a runner without pretrainings.

        Args:
            store: Where states are kept.
            layout: Where specs and encoders lie.
            scorer: Embeds the pool.
            slots: Shared with the rounds.
            clock: Gives aware UTC times.
        """
        self._store = store
        self._layout = layout
        self._scorer = scorer
        self._slots = slots
        self._clock = clock
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pretraining")
        self._cancelled: dict[Key, threading.Event] = {}
        self._begun: set[Key] = set()
        self._progress: dict[Key, ProgressLine] = {}
        self._lock = threading.Lock()
        self._closing = False

    def start(self, campaign: Campaign, config: PretrainConfig) -> Pretraining:
        """Store a new pretraining and hand it to the worker.

        The test reserve is drawn first, if that was not done yet, and left out.

        Raises:
            InvalidValueError: The request contradicts itself or names a missing file; carries the JSON path.
            ConflictError: No image is registered outside the test reserve.
            PretrainingRunningError: One of the campaign's is not at its end.
        """
        config = _checked(config, campaign)
        self._store.samples.draw_reserve(campaign.campaign_id, self._clock())
        if not len(self._store.samples.paths(campaign.campaign_id, reserve=False)[0]):
            raise ConflictError(f"campaign {campaign.name!r} has no images outside the test reserve; register some")
        with self._lock:
            created = self._store.pretrainings.create(campaign.campaign_id, config, self._clock())
            self._cancelled[(campaign.campaign_id, created.number)] = threading.Event()
            self._executor.submit(self._work, campaign.name, (campaign.campaign_id, created.number))
        return created

    def cancel(self, campaign: Campaign, number: int) -> Pretraining:
        """Ask a pretraining to stop; its whole process tree ends within seconds, and a queued one at once.

        Raises:
            NotFoundError: No such pretraining.
            ConflictError: It has ended already.
        """
        key = (campaign.campaign_id, number)
        with self._lock:
            entry = self._store.pretrainings.get(*key)
            event = self._cancelled.get(key)
            if entry.state.is_end or event is None:
                raise ConflictError(
                    f"pretraining {number} of campaign {campaign.name!r} has ended already: {entry.state}"
                )
            event.set()
            if key not in self._begun:
                del self._cancelled[key]  # whoever takes it up finds that it is over
                self._end(key, PretrainingState.CANCELLED, "cancelled while it was queued")
        return self._store.pretrainings.get(*key)

    def progress(self, campaign_id: int, number: int) -> ProgressLine | None:
        """The newest line of progress of a pretraining that runs in this process."""
        return self._progress.get((campaign_id, number))

    def log(self, campaign: Campaign, number: int) -> list[str]:
        """Last lines of the subprocess's output."""
        return log_tail(self._layout.pretraining(campaign.name, number) / "training")

    def recover(self, campaign: Campaign) -> None:
        """Say what happened to the pretrainings that a stop of the service cut off.

        One whose encoder was exported counts as finished, and the scheduler goes on embedding; others are interrupted.
        """
        for entry in self._store.pretrainings.unfinished(campaign.campaign_id):
            end, message = (
                PretrainingState.INTERRUPTED,
                f"the service stopped while it was {entry.state}; start it again",
            )
            if entry.state is PretrainingState.EMBEDDING:
                end = PretrainingState.FINISHED
                message = "the service stopped while the pool was being embedded; that goes on by itself"
            self._end((campaign.campaign_id, entry.number), end, message)

    def close(self) -> None:
        """Interrupt what runs or waits and wait for its end. The store must be open."""
        with self._lock:
            self._closing = True
            for event in self._cancelled.values():
                event.set()
        self._executor.shutdown(wait=True)

    def _work(self, campaign_name: str, key: Key) -> None:
        """One pretraining, unless it was cancelled while it waited."""
        with self._lock:
            cancelled = self._cancelled.get(key)
        if cancelled is None:
            return
        with self._slots.hold(key[0], cancelled):
            with self._lock:
                if key not in self._cancelled:
                    return
                self._begun.add(key)
            try:
                self._run(self._store.campaigns.get(campaign_name), key, cancelled)
            finally:
                self._progress.pop(key, None)
                self._cancelled.pop(key, None)
                self._begun.discard(key)

    def _run(self, campaign: Campaign, key: Key, cancelled: threading.Event) -> None:
        """Carry one pretraining to an end state, whatever happens."""
        try:
            if cancelled.is_set():
                raise ProcessCancelledError("cancelled while it was queued")
            self._carry_out(campaign, key, cancelled)
        except ProcessCancelledError as error:
            if self._closing:
                self._end(key, PretrainingState.INTERRUPTED, "the service was stopped; start it again")
            else:
                self._end(key, PretrainingState.CANCELLED, str(error))
        except (ProcessFailedError, RegistryError) as error:
            self._end(key, PretrainingState.FAILED, str(error))
        except OSError as error:
            disk = "the disk is full; free space and start again" if error.errno == errno.ENOSPC else "I/O error"
            self._end(key, PretrainingState.FAILED, f"{disk}: {error}")
        except Exception as error:  # The supervisor's duty: no fault may leave a pretraining without an end.
            logger.exception("campaign %s: pretraining %d", campaign.name, key[1])
            self._end(key, PretrainingState.FAILED, f"{type(error).__name__}: {error}")

    def _carry_out(self, campaign: Campaign, key: Key, cancelled: threading.Event) -> None:
        self._set(key, PretrainingState.TRAINING)
        card = train_encoder(
            self._store,
            self._layout,
            campaign,
            key[1],
            self._store.pretrainings.get(*key).config,
            on_phase=lambda phase: self._set(key, PHASES[phase]),
            on_progress=lambda line: self._note(key, line),
            cancelled=cancelled,
        )
        self._store.pretrainings.set_state(
            *key, PretrainingState.EMBEDDING, self._clock(), version=card.version, summary=card.pretraining_summary
        )
        self._embed(campaign, key, card.version, cancelled)

    def _embed(self, campaign: Campaign, key: Key, version: str, cancelled: threading.Event) -> None:
        """Embed the pool; trouble here does not take the encoder back, the scheduler goes on."""
        problem = None
        try:
            self._scorer.score(
                campaign,
                version,
                on_phase=lambda phase: None,
                on_progress=lambda line: self._note(key, line),
                cancelled=cancelled,
            )
        except ProcessCancelledError:
            if not self._closing:
                raise
            problem = "the service was stopped while the pool was being embedded; that goes on by itself"
        except (ProcessFailedError, OSError) as error:
            problem = f"embedding the pool ended early and will be resumed: {error}"
        self._set(key, PretrainingState.FINISHED, problem)

    def _note(self, key: Key, line: ProgressLine) -> None:
        self._progress[key] = line

    def _set(self, key: Key, state: PretrainingState, error: str | None = None) -> None:
        self._store.pretrainings.set_state(*key, state, self._clock(), error=error)

    def _end(self, key: Key, state: PretrainingState, error: str) -> None:
        logger.warning("campaign %d: pretraining %d %s: %s", *key, state, error)
        self._set(key, state, error)


def _checked(config: PretrainConfig, campaign: Campaign) -> PretrainConfig:
    """The config with its encoder named, if it makes sense."""
    if (problem := check_config(config)) is not None:
        raise InvalidValueError(f"$.{problem[0]}", problem[1])
    if config.pretrained_file is not None and not Path(config.pretrained_file).is_file():
        raise InvalidValueError("$.pretrained_file", f"{config.pretrained_file!r} is not a file on this machine")
    if config.pretrained_file is not None:
        config = msgspec.structs.replace(config, pretrained_file=str(Path(config.pretrained_file).absolute()))
    if config.encoder is None:
        return msgspec.structs.replace(config, encoder=campaign.settings.model.encoder)
    return config
