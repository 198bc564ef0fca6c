"""What the loop does by itself: rounds by policy, scores of what is new, refitted heads, outcomes of suggestions.

Each kind of work follows the store: a commit wakes it for the campaign that changed, a deadline wakes it on time, and
with nothing to do it sleeps. What lies outside the store, as SCANEO does, is asked at a fixed pace. Decisions live
elsewhere.
"""

import logging
import threading
from collections.abc import Callable
from datetime import datetime

from al_loop.campaigns.notices import counted
from al_loop.domain.campaigns import Campaign
from al_loop.domain.schedule import quiet_end
from al_loop.runtime.follower import Follower
from al_loop.runtime.processes import ProcessCancelledError, ProcessFailedError
from al_loop.runtime.tick_errors import TickErrors
from al_loop.runtime.ticks import Ticks
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.store import LabelStore
from al_loop.training.installed import can_train
from al_loop.training.outlook import RoundOutlook
from al_loop.training.rounds import RoundRunner
from al_loop.training.triggers.drift_watch import DriftWatch

logger = logging.getLogger(__name__)

SCORE_RETRY_S = 300.0
LONGEST_LOOK_S = 60.0
"""A deadline is looked at again after this at the latest: the clock may be set meanwhile."""


class LoopScheduler:
    """Starts rounds by policy, scores new samples, and does the work that others add, until closed."""

    def __init__(
        self,
        store: LabelStore,
        runner: RoundRunner,
        scorer: PoolScorer,
        outlook: RoundOutlook,
        drift: DriftWatch,
        clock: Callable[[], datetime],
        *,
        retrain_tick_s: float = 2.0,
        score_tick_s: float = 2.0,
        errors: TickErrors | None = None,
    ) -> None:
        """Nothing is done before `start`.

        Args:
            store: What is followed.
            runner: Starts rounds.
            scorer: Scores pools.
            outlook: Says when the next round starts.
            drift: Says whether new images are unlike the old ones.
            clock: Gives aware UTC times.
            retrain_tick_s: Seconds between two looks at the retrain policies, at least.
            score_tick_s: Seconds between two looks for samples without a score, at least.
            errors: Where errors are shown; None: they are only logged.
        """
        self._errors = errors or TickErrors()
        self._store = store
        self._runner = runner
        self._scorer = scorer
        self._outlook, self._drift = outlook, drift
        self._clock = clock
        self._closing = threading.Event()
        self._scoring: tuple[int, threading.Event] | None = None
        """The campaign that is scored right now, and what stops that."""
        self._failed_scoring: dict[tuple[int, str], datetime] = {}
        self._followers: list[Follower[Campaign]] = []
        self.ticks = Ticks(self._errors)
        """For work that no commit wakes."""
        self.follow("retrain", retrain_tick_s, self.retrain)
        self.follow("score", score_tick_s, self._score)

    def follow(
        self, name: str, pause_s: float, look: Callable[[Campaign], float | None], *, quiet: bool = False
    ) -> None:
        """Have `look` called for each campaign at the start and whenever it changes; see `Follower`."""
        self._followers.append(
            Follower(
                name,
                lambda: [campaign for campaign in self._store.campaigns.list() if campaign.archived_at is None],
                self._store.changes,
                look,
                self._errors,
                pause_s=pause_s,
                quiet=quiet,
            )
        )

    @property
    def running(self) -> bool:
        """Whether all of this is going on."""
        return self.ticks.running and all(follower.running for follower in self._followers)

    def lag(self) -> dict[str, float]:
        """Seconds since when work that is due is not through, by what the work is for; 0: nothing is due."""
        return {follower.name: follower.lag_s for follower in self._followers}

    def start(self) -> None:
        """Begin."""
        self.ticks.start()
        for follower in self._followers:
            follower.start()

    def close(self) -> None:
        """End a scoring run that is going on, finish the rest and stop."""
        self._closing.set()
        self.ticks.close()
        if self._scoring is not None:
            self._scoring[1].set()
        for follower in self._followers:
            follower.close()

    def stop(self, campaign: Campaign) -> None:
        """End a scoring run of an archived campaign, and show no errors of it any more."""
        scoring = self._scoring
        if scoring is not None and scoring[0] == campaign.campaign_id:
            scoring[1].set()
        for follower in self._followers:
            self._errors.forget(f"{follower.name} {campaign.name}")

    def retrain(self, campaign: Campaign) -> float | None:
        """Start a round if the policy asks for one now; returns in how many seconds it may."""
        if not can_train():
            return None
        self._drift.look(campaign)
        answer, now = self._outlook.preview(campaign), self._clock()
        if answer.due and answer.reason is not None:
            self._runner.start(campaign, answer.reason, queue=True, started_by=answer.trigger)
            return None
        self._tell_of_failure(campaign, now)
        waits = [] if answer.starts_at is None else [(answer.starts_at - now).total_seconds()]
        if (worth := self._runner.deep_reason(campaign)) is not None:
            if (awake := quiet_end(campaign.policy, now)) == now:
                self._runner.start(campaign, worth, background=True, started_by="deep")
                return None
            waits.append((awake - now).total_seconds())
        return min(max(0.0, min(waits)), LONGEST_LOOK_S) if waits else None

    def _tell_of_failure(self, campaign: Campaign, now: datetime) -> None:
        """Announce a round that failed and is not tried again by itself."""
        failed = self._outlook.failed_for_good(campaign)
        if failed is None:
            return
        tried = f" and was tried again {counted(failed.retries, 'time')}" if failed.retries else ""
        said = f"round {failed.number} failed{tried}: {failed.error}"
        detail = {"round": failed.number, "retries": failed.retries, "error": failed.error}
        self._store.announcements.add(campaign, "round_failed", failed.key, said, now, detail)

    def _score(self, campaign: Campaign) -> float | None:
        """Score samples that the serving version (or plain features) or the newest encoder has not seen yet."""
        retries = []
        for version in self._scorer.wanted_versions(campaign):
            if self._closing.is_set() or self._store.rounds.active(campaign.campaign_id) is not None:
                return None  # the end of the round is a change
            wait = self._seconds_to_wait(campaign, version)
            if wait > 0 or not self._score_by(campaign, version):
                retries.append(wait or SCORE_RETRY_S)
        return min(retries, default=None)

    def _score_by(self, campaign: Campaign, version: str) -> bool:
        """Whether it went well."""
        stop = threading.Event()
        self._scoring = campaign.campaign_id, stop
        if self._closing.is_set():
            stop.set()
        try:
            self._scorer.score(
                campaign,
                version,
                on_phase=lambda phase: None,
                on_progress=lambda line: None,
                cancelled=stop,
                pause=lambda: self._store.rounds.active(campaign.campaign_id) is not None,
            )
        except ProcessCancelledError:
            logger.info("campaign %s: scoring with %s stopped; it goes on at the next start", campaign.name, version)
        except (ProcessFailedError, OSError) as error:
            logger.warning("campaign %s: scoring with %s failed: %s", campaign.name, version, error)
            self._failed_scoring[(campaign.campaign_id, version)] = self._clock()
            return False
        finally:
            self._scoring = None
        return True

    def _seconds_to_wait(self, campaign: Campaign, version: str) -> float:
        """Until a scoring that failed is tried again; 0: now."""
        failed_at = self._failed_scoring.get((campaign.campaign_id, version))
        if failed_at is None:
            return 0.0
        return max(0.0, SCORE_RETRY_S - (self._clock() - failed_at).total_seconds())
