"""Time left of a round, from the rounds of a real store."""

from collections.abc import Callable
from datetime import timedelta

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import RoundState
from al_loop.store import LabelStore
from al_loop.training.running.time_left import TimeLeft
from models.progress import ProgressLine
from tests.al_loop.store.fixtures import NOW


def lay_round(store: LabelStore, campaign_id: int, *, scoring_s: float, background: bool = False) -> None:
    number = store.rounds.create(campaign_id, reason="ops", now=NOW, background=background).number
    at = NOW
    for state, seconds in ((RoundState.TRAINING, 60.0), (RoundState.EVALUATING, 5.0), (RoundState.SCORING, scoring_s)):
        store.rounds.set_state(campaign_id, number, state, at)
        at += timedelta(seconds=seconds)
    store.rounds.set_state(campaign_id, number, RoundState.PROMOTED, at)


def test_time_left_is_that_of_the_phase_and_of_those_that_follow_in_rounds_alike(
    label_store: LabelStore, make_campaign: Callable[..., Campaign]
) -> None:
    campaign_id = make_campaign().campaign_id
    lay_round(label_store, campaign_id, scoring_s=40.0)
    lay_round(label_store, campaign_id, scoring_s=4000.0, background=True)  # another kind of round
    number = label_store.rounds.create(campaign_id, reason="ops", now=NOW).number
    label_store.rounds.set_state(campaign_id, number, RoundState.TRAINING, NOW)
    line = ProgressLine(time=NOW.timestamp() + 10, phase="training", done=1, total=6, seconds_left=50.0)
    told = TimeLeft(label_store.rounds).told(campaign_id, number, line)
    assert told.seconds_left == 50.0
    assert told.total_seconds_left is not None
    assert 95.0 <= told.total_seconds_left < 130.0  # 5 and 40 s, and the shares of phases that no round had
