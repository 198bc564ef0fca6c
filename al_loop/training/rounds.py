"""Runs rounds: snapshot, training, evaluation, export, gate, promotion, scoring; one at a time per campaign.

Every state is stored before it is acted on. By default one worker runs the rounds of all campaigns in order, so that
two trainings never fight for the machine; the others wait in state `queued`. Pretrainings take places of the same kind
(`al_loop.slots`).
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
from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import Round, RoundState
from al_loop.errors import ConflictError, NotEnoughLabelsError
from al_loop.runtime.processes import ProcessCancelledError, ProcessFailedError, log_tail, run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from al_loop.training.gate import should_promote
from al_loop.training.snapshot import write_snapshot
from al_loop.training.starting_weights import starting_weights
from models.card import Evaluation, ModelCard
from models.progress import ProgressLine
from models.registry import ONNX_FILE

logger = logging.getLogger(__name__)

TRAINING_PHASES = {
    "training": RoundState.TRAINING,
    "evaluating": RoundState.EVALUATING,
    "exporting": RoundState.EXPORTING,
}


class RoundRunner:
    """Starts, follows and cancels rounds."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        server: ModelServer,
        scorer: PoolScorer,
        clock: Callable[[], datetime],
        *,
        rounds_at_once: int = 1,
        slots: TrainingSlots | None = None,
    ) -> None:
        """Make a runner without rounds.

        Args:
            store: Where states are kept.
            layout: Where rounds and models lie.
            server: Promotes.
            scorer: Scores the pool after a promotion.
            clock: Gives aware UTC times.
            rounds_at_once: How many campaigns may train side by side; a campaign has one running round at most.
            slots: Places shared with pretrainings; None: as many as `rounds_at_once`, not shared.
        """
        self._slots = slots or TrainingSlots(rounds_at_once)
        self._store = store
        self._layout = layout
        self._server = server
        self._scorer = scorer
        self._clock = clock
        self._executor = ThreadPoolExecutor(max_workers=rounds_at_once, thread_name_prefix="round")
        self._running: set[int] = set()
        self._begun: set[tuple[int, int]] = set()
        self._waiting: dict[int, int] = {}
        """Campaigns with a round at a worker, and their next round's number."""
        self._cancelled: dict[tuple[int, int], threading.Event] = {}
        self._progress: dict[tuple[int, int], ProgressLine] = {}
        self._lock = threading.Lock()
        self._closing = False

    def start(self, campaign: Campaign, reason: str, *, queue: bool = False) -> Round:
        """Store a new round and hand it to the worker.

        Args:
            campaign: Whose labels are trained on.
            reason: Who or what asked for it.
            queue: While a round runs, queue one more (requests for a second one are answered with the same) instead of
                refusing.

        Raises:
            NotEnoughLabelsError: Too few labels, too few in the reserve, or one class only.
            RoundRunningError: One runs and `queue` is false.
        """
        if (problem := readiness(self._store, campaign, self._clock())) is not None:
            raise problem
        with self._lock:
            created = self._store.rounds.create(campaign.campaign_id, reason=reason, now=self._clock(), queue=queue)
            if (campaign.campaign_id, created.number) not in self._cancelled:
                self._resume(campaign, created.number)
        return created

    def resume(self, campaign: Campaign, number: int) -> None:
        """Take up a stored round in state `queued`."""
        with self._lock:
            self._resume(campaign, number)

    def cancel(self, campaign: Campaign, number: int) -> Round:
        """Ask a round to stop; its whole process tree ends within seconds, and a queued round at once.

        Raises:
            NotFoundError: No such round.
            ConflictError: It has ended already.
        """
        key = (campaign.campaign_id, number)
        with self._lock:
            entry = self._store.rounds.get(*key)
            event = self._cancelled.get(key)
            if entry.state.is_end or event is None:
                raise ConflictError(f"round {number} of campaign {campaign.name!r} has ended already: {entry.state}")
            event.set()
            if key not in self._begun:
                del self._cancelled[key]  # whoever takes it up finds that it is over
                self._end(campaign, number, RoundState.CANCELLED, "cancelled while it was queued")
        return self._store.rounds.get(*key)

    def progress(self, campaign_id: int, number: int) -> ProgressLine | None:
        """The newest line of progress of a round that runs in this process."""
        return self._progress.get((campaign_id, number))

    def log(self, campaign: Campaign, number: int) -> list[str]:
        """Last lines of the training subprocess's output."""
        return log_tail(self._layout.round(campaign.name, number) / "training")

    def close(self) -> None:
        """Interrupt the round that runs and wait for its end; queued rounds stay queued. The store must be open."""
        with self._lock:
            self._closing = True
            for event in self._cancelled.values():
                event.set()
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _resume(self, campaign: Campaign, number: int) -> None:
        self._cancelled[(campaign.campaign_id, number)] = threading.Event()
        if campaign.campaign_id in self._running:
            self._waiting[campaign.campaign_id] = number
        else:
            self._running.add(campaign.campaign_id)
            self._executor.submit(self._work, campaign, number)

    def _work(self, campaign: Campaign, number: int) -> None:
        """One round, unless it was cancelled meanwhile; then hand the campaign's next one to the workers."""
        key = (campaign.campaign_id, number)
        with self._lock:
            cancelled = self._cancelled.get(key)
        try:
            if cancelled is not None:
                with self._slots.hold(campaign.campaign_id, cancelled):
                    self._run_if_wanted(campaign, number)
        finally:
            with self._lock:
                following = self._waiting.pop(campaign.campaign_id, None)
                if following is None or self._closing:
                    self._running.discard(campaign.campaign_id)
                else:
                    self._executor.submit(self._work, campaign, following)

    def _run_if_wanted(self, campaign: Campaign, number: int) -> None:
        key = (campaign.campaign_id, number)
        with self._lock:
            wanted = key in self._cancelled and not self._closing  # at a stop it stays queued, for the next start
            if wanted:
                self._begun.add(key)
        if wanted:
            self._run(campaign.name, number)

    def _run(self, campaign_name: str, number: int) -> None:
        """Carry one round to an end state, whatever happens."""
        campaign = self._store.campaigns.get(campaign_name)
        key = (campaign.campaign_id, number)
        cancelled = self._cancelled[key]
        try:
            if cancelled.is_set():
                raise ProcessCancelledError("cancelled while it was queued")
            self._carry_out(campaign, number, cancelled)
        except ProcessCancelledError as error:
            if self._closing:
                self._end(campaign, number, RoundState.INTERRUPTED, "the service was stopped")
            else:
                self._end(campaign, number, RoundState.CANCELLED, str(error))
        except (ProcessFailedError, NotEnoughLabelsError) as error:
            self._end(campaign, number, RoundState.FAILED, str(error))
        except OSError as error:
            disk = "the disk is full; free space and start a new round" if error.errno == errno.ENOSPC else "I/O error"
            self._end(campaign, number, RoundState.FAILED, f"{disk}: {error}")
        except Exception as error:  # The supervisor's duty: no fault in a round may leave it without an end.
            logger.exception("campaign %s: round %d", campaign.name, number)
            self._end(campaign, number, RoundState.FAILED, f"{type(error).__name__}: {error}")
        finally:
            self._progress.pop(key, None)
            self._cancelled.pop(key, None)
            self._begun.discard(key)

    def _carry_out(self, campaign: Campaign, number: int, cancelled: threading.Event) -> None:
        directory = self._layout.round(campaign.name, number)
        version = f"v{number}"
        self._set(campaign, number, RoundState.SNAPSHOT, version=version)
        self._snapshot(campaign, number, directory / "snapshot", version)
        run_supervised(
            "models.train",
            [str((directory / "snapshot").resolve())],
            directory / "training",
            on_phase=lambda phase: self._set(campaign, number, TRAINING_PHASES[phase]),
            on_progress=lambda line: self._note(campaign, number, line),
            cancelled=cancelled,
        )
        self._set(campaign, number, RoundState.GATE)
        evaluation = msgspec.json.decode((directory / "training" / "evaluation.json").read_bytes(), type=Evaluation)
        verdict = should_promote(evaluation, tolerance=campaign.policy.tolerance)
        self._publish(campaign, number, directory / "training", version)
        if not verdict.promote:
            self._set(
                campaign,
                number,
                RoundState.REJECTED,
                evaluation=evaluation,
                verdict=verdict.reason,
                detail=verdict.reason,
            )
            return
        self._set(
            campaign, number, RoundState.GATE, evaluation=evaluation, verdict=verdict.reason, detail=verdict.reason
        )
        self._server.promote(campaign, version, f"round {number}: {verdict.reason}", self._clock, round_number=number)
        self._score(campaign, number, version, cancelled)

    def _snapshot(self, campaign: Campaign, number: int, directory: Path, version: str) -> None:
        incumbent = self._server.serving_version(campaign)
        path = None if incumbent is None else self._server.registry(campaign).path(incumbent) / ONNX_FILE
        manifest, digest, _ = write_snapshot(
            self._store, campaign, number, directory, version=version, incumbent=path, incumbent_version=incumbent,
            now=self._clock(), start=starting_weights(self._store, self._layout, campaign),
        )  # fmt: skip
        self._set(
            campaign,
            number,
            RoundState.SNAPSHOT,
            label_event_id=manifest.label_event_id,
            manifest_sha256=digest,
            labels=manifest.counts["train"] + manifest.counts["calibration"],
            reserve_labels=manifest.counts["test"],
        )

    def _publish(self, campaign: Campaign, number: int, staged: Path, version: str) -> None:
        card = msgspec.json.decode((staged / "card.json").read_bytes(), type=ModelCard)
        self._server.registry(campaign).publish(version, staged, card)
        self._store.versions.add(campaign.campaign_id, version, number, self._clock())

    def _score(self, campaign: Campaign, number: int, version: str, cancelled: threading.Event) -> None:
        """Score the pool with the promoted model; trouble here does not take the promotion back."""
        problem = None
        try:
            self._scorer.score(
                campaign,
                version,
                on_phase=lambda phase: None,
                on_progress=lambda line: self._note(campaign, number, line),
                cancelled=cancelled,
            )
        except (ProcessFailedError, ProcessCancelledError, OSError) as error:
            problem = f"{version} serves, but scoring the pool ended early and will be resumed: {error}"
        self._set(campaign, number, RoundState.PROMOTED, error=problem)

    def _note(self, campaign: Campaign, number: int, line: ProgressLine) -> None:
        self._progress[(campaign.campaign_id, number)] = line

    def _set(
        self,
        campaign: Campaign,
        number: int,
        state: RoundState,
        *,
        detail: str | None = None,
        **fields: str | int | Evaluation | None,
    ) -> None:
        self._store.rounds.set_state(campaign.campaign_id, number, state, self._clock(), detail=detail, **fields)

    def _end(self, campaign: Campaign, number: int, state: RoundState, error: str) -> None:
        logger.warning("campaign %s: round %d %s: %s", campaign.name, number, state, error)
        self._set(campaign, number, state, error=error, detail=error)
