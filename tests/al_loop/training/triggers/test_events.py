"""The decision over sequences of events: labels, waits, stops, failures, a clock that is set."""

from datetime import UTC, datetime, timedelta

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from al_loop.domain.retraining import RetrainPolicy
from al_loop.domain.rounds import Round, RoundState
from al_loop.domain.schedule import quiet_end
from al_loop.training.triggers.decision import preview
from al_loop.training.triggers.policy import counted, failed_round, last_counted_snapshot
from al_loop.training.triggers.state import PastTimes, RetrainState
from tests.data.examples import examples

START = datetime(2026, 10, 24, 18, tzinfo=UTC)  # the clocks of Berlin are put back in this night
TRAINING = timedelta(minutes=2)


class Campaign:
    """A campaign in memory, looked at whenever something is due; `real` time goes on while the clock is set."""

    def __init__(self, policy: RetrainPolicy) -> None:
        self.policy, self.now = policy, START
        self.labels: list[datetime] = []
        self.rounds: list[Round] = []
        self.ends_at: datetime | None = None
        self.past = PastTimes()
        self.fails = False

    def state(self) -> RetrainState:
        used = last_counted_snapshot(self.rounds) or 0
        entries, new = counted(self.rounds), self.labels[used:]
        running = self.rounds and not self.rounds[-1].state.is_end
        failed = failed_round(self.rounds)
        past = {
            "last_label_at": self.labels[-1] if self.labels else None,
            "first_new_at": min(new, default=None),
            "last_round_at": entries[-1].requested_at if entries else None,
            "policy_since": START,
        }
        if failed is not None:
            failed = failed._replace(failed_at=self.past.of("failed", failed.failed_at, self.now) or self.now)
        return RetrainState(
            new_samples=len(new),
            known_samples=used,
            running="one runs" if running else None,
            failed=failed,
            **{name: self.past.of(name, moment, self.now) for name, moment in past.items()},
        )

    def look(self) -> float:
        """Start a round if one is due; returns in how many seconds something is."""
        if self.ends_at is not None and self.now >= self.ends_at:
            self.end(RoundState.FAILED if self.fails else RoundState.PROMOTED)
        answer = preview(self.state(), self.policy, self.now)
        if answer.due:
            self.begin(answer.reason, answer.trigger)
            return TRAINING.total_seconds()
        dues = [moment for moment in (answer.starts_at, self.ends_at) if moment is not None]
        return max(1.0, min([60.0 * 60, *((moment - self.now).total_seconds() for moment in dues)]))

    def begin(self, reason: str | None, trigger: str | None) -> None:
        number = len(self.rounds) + 1
        entry = Round(
            number=number, state=RoundState.TRAINING, reason=reason or "", requested_at=self.now, started_at=None,
            ended_at=None, version=None, labels=None, reserve_labels=None, label_event_id=len(self.labels),
            manifest_sha256=None, evaluation=None, verdict=None, error=None, started_by=trigger,
        )  # fmt: skip
        self.check(entry)
        self.rounds.append(entry)
        self.ends_at = self.now + TRAINING

    def check(self, entry: Round) -> None:
        assert not self.rounds or self.rounds[-1].state.is_end
        assert quiet_end(self.policy, self.now) == self.now
        retries = [other.started_by == "retry" for other in [*self.rounds, entry]]
        in_a_row = len(retries) if all(retries) else retries[::-1].index(False)
        interrupted = sum(other.state is RoundState.INTERRUPTED for other in self.rounds[-in_a_row:])
        assert in_a_row - interrupted <= self.policy.retries
        if entry.started_by != "retry":
            assert len(self.labels) > (last_counted_snapshot(self.rounds) or 0)

    def end(self, state: RoundState) -> None:
        self.rounds[-1] = msgspec.structs.replace(self.rounds[-1], state=state, ended_at=self.now, error="x")
        self.ends_at = None

    def go_on(self, seconds: float) -> None:
        """Time passes while the service runs."""
        while seconds > 0:
            step = min(self.look(), seconds)
            self.now += timedelta(seconds=step)
            seconds -= step
        self.look()

    def stop(self, seconds: float) -> None:
        """Time passes while the service is down; what it trained is cut off."""
        if self.ends_at is not None:
            self.end(RoundState.INTERRUPTED)
        self.past = PastTimes()
        self.now += timedelta(seconds=seconds)

    def set_clock(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        if self.ends_at is not None:
            self.ends_at += timedelta(seconds=seconds)


events = st.one_of(
    st.tuples(st.just("label"), st.integers(1, 60)),
    st.tuples(st.just("wait"), st.sampled_from([3, 20, 600, 7_200, 50_000])),
    st.tuples(st.just("stop"), st.sampled_from([1, 600, 90_000])),
    st.tuples(st.just("clock"), st.sampled_from([-400_000, -3_600, -2, 2, 3_600, 400_000])),
    st.tuples(st.just("break"), st.booleans()),
)
policies = st.builds(
    RetrainPolicy,
    new_labels=st.none() | st.sampled_from([1, 50]),
    interval_s=st.none() | st.sampled_from([60, 40_000]),
    cron=st.none() | st.sampled_from(["30 2 * * *", "*/20 * * * *"]),
    timezone=st.just("Europe/Berlin"),
    quiet_hours=st.sampled_from([(), ("22:00-02:15",)]),
    retries=st.integers(0, 2),
    retry_wait_s=st.sampled_from([10, 4_000]),
)


@settings(max_examples=examples(60), deadline=None)
@given(policy=policies, happened=st.lists(events, max_size=14))
def test_whatever_happens_rounds_keep_to_the_policy_and_labels_are_not_forgotten(policy, happened):
    campaign = Campaign(policy)
    for kind, amount in happened:
        match kind:
            case "label":
                campaign.labels += [campaign.now] * amount
                campaign.look()
            case "wait":
                campaign.go_on(amount)
            case "stop":
                campaign.stop(amount)
            case "clock":
                campaign.set_clock(amount)
            case "break":
                campaign.fails = amount
    campaign.fails = False
    campaign.labels.append(campaign.now)
    campaign.go_on(3 * 86_400)  # two intervals, two times of the cron and the last retry at most
    new = len(campaign.labels) - (last_counted_snapshot(campaign.rounds) or 0)
    if policy.interval_s is not None or policy.cron is not None:
        assert new == 0
    elif policy.new_labels is not None:
        assert new < policy.new_labels
    state = campaign.state()
    assert state.failed is None or state.failed.retries == policy.retries
    begun = len(campaign.rounds)
    campaign.go_on(3 * 86_400)
    assert len(campaign.rounds) == begun  # nothing is new


def test_five_hundred_labels_in_a_burst_are_one_round():
    campaign = Campaign(RetrainPolicy(new_labels=50))
    for _ in range(500):
        campaign.labels.append(campaign.now)
        campaign.go_on(0.2)
    campaign.go_on(3_600)
    assert [(entry.started_by, entry.reason) for entry in campaign.rounds] == [("new_labels", "new labels: 500")]


def test_nights_that_the_service_was_down_are_made_up_for_by_one_round():
    campaign = Campaign(RetrainPolicy(new_labels=None, cron="0 3 * * *", timezone="Europe/Berlin"))
    campaign.labels.append(campaign.now)
    campaign.stop(5 * 86_400)
    campaign.go_on(3_600)
    assert [entry.started_by for entry in campaign.rounds] == ["cron"]
    campaign.labels.append(campaign.now)
    campaign.go_on(86_400)
    assert len(campaign.rounds) == 2


def test_clock_that_ran_years_ahead_holds_nothing_up_once_it_is_set_right():
    campaign = Campaign(RetrainPolicy(new_labels=None, interval_s=3_600))
    campaign.set_clock(4 * 365 * 86_400)
    campaign.labels.append(campaign.now)
    campaign.go_on(600)
    assert len(campaign.rounds) == 1
    campaign.labels.append(campaign.now)
    campaign.set_clock(-4 * 365 * 86_400)
    campaign.go_on(3_700)
    assert len(campaign.rounds) == 2
