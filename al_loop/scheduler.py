"""APScheduler wiring: ticks that start rounds by policy and score what is new. Decisions live elsewhere."""

import logging
import threading
from collections.abc import Callable
from datetime import UTC, datetime

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler

from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign
from al_loop.runtime.background import lower_priority
from al_loop.runtime.processes import ProcessCancelledError, ProcessFailedError
from al_loop.runtime.tick_errors import TickErrors
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.store import LabelStore
from al_loop.training.policy import RetrainState, last_counted_snapshot, should_retrain
from al_loop.training.rounds import RoundRunner

logger = logging.getLogger(__name__)
logging.getLogger("apscheduler").setLevel(logging.WARNING)  # it would log every tick
logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)  # and every tick that finds the last one at work

SCORE_RETRY_S = 300.0


class LoopScheduler:
    """Runs `tick_retraining`, `tick_scoring` and the ticks of others until closed."""

    def __init__(
        self,
        store: LabelStore,
        runner: RoundRunner,
        scorer: PoolScorer,
        clock: Callable[[], datetime],
        *,
        retrain_tick_s: float = 2.0,
        score_tick_s: float = 2.0,
        errors: TickErrors | None = None,
    ) -> None:
        self._errors = errors or TickErrors()
        self._store = store
        self._runner = runner
        self._scorer = scorer
        self._clock = clock
        self._closing = threading.Event()
        self._failed_scoring: dict[tuple[int, str], datetime] = {}
        pools = {
            "default": ThreadPoolExecutor(),
            "quiet": ThreadPoolExecutor(2, pool_kwargs={"initializer": lower_priority}),
        }
        self._scheduler = BackgroundScheduler(timezone=UTC, executors=pools)
        for name, tick, seconds in (
            ("retrain", self.tick_retraining, retrain_tick_s),
            ("score", self.tick_scoring, score_tick_s),
        ):
            self.every(name, seconds, tick)

    def every(self, name: str, seconds: float, tick: Callable[[], None], *, quiet: bool = False) -> None:
        """Run another tick again and again, never twice at once; a `quiet` one leaves the processor to others.

        Whatever it raises is shown and logged (see `TickErrors`), and it is run again like any other.
        """
        self._scheduler.add_job(
            self._errors.watched(name, tick),
            "interval", seconds=seconds, id=name, max_instances=1, coalesce=True, misfire_grace_time=None,
            executor="quiet" if quiet else "default",
        )  # fmt: skip

    @property
    def running(self) -> bool:
        """Whether the ticks are running."""
        return bool(self._scheduler.running)

    def start(self) -> None:
        """Begin to tick."""
        self._scheduler.start()

    def close(self) -> None:
        """Stop ticking, end a scoring run that is going on, and wait for it."""
        self._closing.set()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=True)

    def tick_retraining(self) -> None:
        """Start a round in every campaign whose policy asks for one now."""
        for campaign in self._store.campaigns.list():
            with self._errors.watch(f"retrain {campaign.name}"):
                reason = should_retrain(self._state(campaign), campaign.policy, self._clock())
                if reason is not None:
                    self._runner.start(campaign, reason, queue=True)

    def tick_scoring(self) -> None:
        """Score samples that the serving version (or plain features) or the newest encoder has not seen yet."""
        for campaign in self._store.campaigns.list():
            if self._closing.is_set():
                return
            with self._errors.watch(f"score {campaign.name}"):
                for version in self._scorer.wanted_versions(campaign):
                    busy = self._closing.is_set() or self._store.rounds.active(campaign.campaign_id) is not None
                    if not busy and not self._failed_lately(campaign, version):
                        self._score(campaign, version)

    def _score(self, campaign: Campaign, version: str) -> None:
        try:
            self._scorer.score(
                campaign,
                version,
                on_phase=lambda phase: None,
                on_progress=lambda line: None,
                cancelled=self._closing,
            )
        except ProcessCancelledError:
            logger.info("campaign %s: scoring with %s stopped; it goes on at the next start", campaign.name, version)
        except (ProcessFailedError, OSError) as error:
            logger.warning("campaign %s: scoring with %s failed: %s", campaign.name, version, error)
            self._failed_scoring[(campaign.campaign_id, version)] = self._clock()

    def _failed_lately(self, campaign: Campaign, version: str) -> bool:
        failed_at = self._failed_scoring.get((campaign.campaign_id, version))
        return failed_at is not None and (self._clock() - failed_at).total_seconds() < SCORE_RETRY_S

    def _state(self, campaign: Campaign) -> RetrainState:
        rounds = self._store.rounds.list(campaign.campaign_id)
        running = bool(rounds) and not rounds[-1].state.is_end
        new_samples = self._store.labels.new_samples_since(campaign.campaign_id, last_counted_snapshot(rounds))
        return RetrainState(
            new_samples=new_samples,
            last_label_at=self._store.labels.last_recorded_at(campaign.campaign_id),
            last_round_at=rounds[-1].requested_at if rounds else None,
            running=running,
            ready=new_samples > 0 and not running and readiness(self._store, campaign, self._clock()) is None,
        )
