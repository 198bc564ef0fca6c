"""When a campaign's next round starts by itself: reads the store for the decision in `al_loop.training.triggers`."""

from collections.abc import Callable, Hashable
from datetime import datetime

import msgspec

from al_loop.campaigns.readiness import NO_ROOM_TO_DRAW, lack_of_images, readiness_to_show
from al_loop.domain.campaigns import Campaign
from al_loop.domain.retraining import PolicyPreview
from al_loop.domain.rounds import NextRound, Round, RoundState
from al_loop.domain.samples import SampleCounts
from al_loop.store import LabelStore
from al_loop.training.installed import can_train
from al_loop.training.triggers.decision import next_round, preview
from al_loop.training.triggers.learning_curve import curves_of
from al_loop.training.triggers.policy import FailedRound, counted, failed_round, last_counted_snapshot
from al_loop.training.triggers.state import PastTimes, RetrainState, settled_at

UNUSED = {RoundState.FAILED, RoundState.CANCELLED}
"""Ends of a round that used its labels up although it may have made no snapshot."""


class RoundOutlook:
    """Answers for all campaigns; what is read is kept until their labels, rounds or policy change."""

    def __init__(self, store: LabelStore, clock: Callable[[], datetime]) -> None:
        """Keep nothing yet.

        Args:
            store: What is read.
            clock: Gives aware UTC times.
        """
        self._store, self._clock = store, clock
        self._kept: dict[int, tuple[Hashable, int, RetrainState]] = {}
        self._past = PastTimes()
        self._debounced: dict[int, datetime] = {}
        """Since when labels that go on arriving hold a round up."""

    def of(self, campaign: Campaign) -> NextRound:
        """How far it is to the campaign's next round.

        As long as nothing is labelled, the test reserve is not drawn by asking.
        """
        now = self._clock()
        state = self.state(campaign, now)
        return next_round(preview(state, campaign.policy, now), state, campaign.policy)

    def preview(self, campaign: Campaign) -> PolicyPreview:
        """When and why the next round would start, with every trigger, from what the store holds now."""
        now = self._clock()
        state = self.state(campaign, now, fresh=True)
        answer = preview(state, campaign.policy, now)
        settled = settled_at(state, campaign.policy.debounce_s)
        asked = any(entry.holds for entry in answer.triggers if entry.trigger != "retry")
        if asked and settled is not None and settled > now:
            self._debounced.setdefault(campaign.campaign_id, now)
        else:
            self._debounced.pop(campaign.campaign_id, None)
        return answer

    def failed_for_good(self, campaign: Campaign) -> FailedRound | None:
        """The newest round, if it started by itself, failed and is not tried again; None: there is no such."""
        failed = self.state(campaign, self._clock()).failed
        return None if failed is None or failed.retries < campaign.policy.retries else failed

    def state(self, campaign: Campaign, now: datetime, *, fresh: bool = False) -> RetrainState:
        """What the decision looks at.

        Args:
            campaign: Which.
            now: The present; stored times after it are taken as `PastTimes` says.
            fresh: Read the store after any change of the campaign, not only of what usually matters.
        """
        number = campaign.campaign_id
        last, counts = self._store.rounds.last(number), self._store.campaigns.counts(number, now)
        left = (
            None
            if not counts.total
            else max(0, counts.pool + counts.leased - counts.partly - counts.skipped - counts.unusable)
        )
        key = (
            self._store.campaign_version(number), campaign.policy, campaign.archived_at,
            None if last is None else (last.number, last.state), self._store.drift.report(number),
            counts.total, counts.labelled, counts.partly, left,
            counts.reserve, counts.reserve_labelled, counts.reserve_partly,
        )  # fmt: skip
        kept, version = self._kept.get(number), self._store.changes.version(number)
        if kept is None or kept[0] != key or (fresh and kept[1] != version):
            labelled = counts.labelled + counts.partly + counts.reserve_labelled + counts.reserve_partly > 0
            kept = key, version, self._read(campaign, counts, now, labelled=labelled, left=left)
            if kept[2].missing != NO_ROOM_TO_DRAW:
                self._kept[number] = kept
        return self._in_the_past(campaign, kept[2], now)

    def _read(
        self, campaign: Campaign, counts: SampleCounts, now: datetime, *, labelled: bool, left: int | None
    ) -> RetrainState:
        store, number = self._store, campaign.campaign_id
        rounds = store.rounds.list(number)
        entries = counted(rounds)
        newest = entries[-1] if entries else None
        event = _used_up(store, campaign, rounds, newest)
        running = store.rounds.active(number)
        lack = few = None
        if campaign.archived_at is None and counts.total:  # looking draws no test reserve
            few = lack_of_images(campaign, counts, drawn=counts.reserve > 0)
        if campaign.archived_at is None and labelled:
            lack = readiness_to_show(store, campaign, now)
        missing = None if (lack or few) is None else str(lack or few)
        if not can_train():
            missing = "no rounds start: this installation cannot train (see /health/ready)"
        report = store.drift.report(number) if campaign.policy.drift is not None else None
        return RetrainState(
            new_samples=store.labels.new_samples_since(number, event),
            left=left,
            known_samples=next((entry.labels for entry in reversed(entries) if entry.labels), 0),
            last_label_at=store.labels.last_recorded_at(number),
            first_new_at=store.new_labels.first_new_at(number, event),
            last_round_at=None if newest is None else newest.requested_at,
            policy_since=campaign.policy_since or campaign.created_at,
            archived=campaign.archived_at is not None,
            running=None if running is None else f"round {running.number} is under way ({running.state})",
            missing=missing,
            few_images=few is not None,
            failed=failed_round(rounds),
            curves=curves_of(rounds) if campaign.policy.expected_gain is not None else (),
            drift=report,
            labelled_new_images=0
            if report is None
            else store.drift.labelled_since(number, store.rounds.get(number, report.since_round).requested_at, event),
        )

    def _in_the_past(self, campaign: Campaign, state: RetrainState, now: datetime) -> RetrainState:
        number = campaign.campaign_id
        names = ("last_label_at", "first_new_at", "last_round_at", "policy_since")
        times = {name: self._past.of((number, name), getattr(state, name), now) for name in names}
        failed, debounced = state.failed, self._debounced.get(number)
        if failed is not None:
            failed_at = self._past.of((number, "failed"), failed.failed_at, now)
            failed = failed._replace(failed_at=failed_at or now)
        if debounced is not None:
            debounced = min(debounced, now)
        return msgspec.structs.replace(state, **times, failed=failed, debounced_since=debounced)


def _left(counts: SampleCounts) -> int | None:
    """Samples outside the reserve that can still be labelled; None: none was registered yet."""
    done = counts.partly + counts.skipped + counts.unusable
    return max(0, counts.pool + counts.leased - done) if counts.total else None


def _used_up(store: LabelStore, campaign: Campaign, rounds: list[Round], newest: Round | None) -> int | None:
    """Newest label event that no round waits for any more: of the last snapshot, or when a round without one failed."""
    if newest is not None and newest.label_event_id is None and newest.state in UNUSED:
        return store.new_labels.newest_before(campaign.campaign_id, newest.requested_at)
    return last_counted_snapshot(rounds)
