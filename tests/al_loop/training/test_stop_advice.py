"""Advice from the learning curve: go on while it climbs, stop where it is flat, and say so where nobody can know."""

from collections.abc import Callable
from datetime import timedelta

import msgspec
import numpy as np
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.domain.rounds import RoundState
from al_loop.store import LabelStore
from al_loop.training.stop_advice import stop_advice
from tests.al_loop.store.fixtures import CLASSES, NOW
from tests.al_loop.store.tables.test_rounds import EVALUATION

Make = Callable[..., Campaign]


def add_rounds(store: LabelStore, campaign: Campaign, values: dict[int, float], width: float = 0.02) -> None:
    """Rounds by labels, each with its metric on the test reserve."""
    for labels, value in values.items():
        (task,) = EVALUATION.candidate
        measured = msgspec.structs.replace(task, value=value, low=value - width, high=value + width)
        entry = store.rounds.create(campaign.campaign_id, reason="ops", now=NOW)
        store.rounds.set_state(
            campaign.campaign_id, entry.number, RoundState.PROMOTED, NOW, labels=labels, version=f"v{entry.number}",
            label_event_id=labels, evaluation=msgspec.structs.replace(EVALUATION, candidate=[measured]),
        )  # fmt: skip


@pytest.mark.parametrize(
    ("curve", "verdict"),
    [
        (lambda n: 0.95 - 2.0 * n**-0.5, "go on"),
        (lambda n: 0.9 - 30.0 * n**-2.0, "stop"),
        (lambda n: 0.8 + 0.05 * np.sin(n), "unclear"),
    ],
)
def test_verdict_follows_the_curve(
    label_store: LabelStore, make_campaign: Make, curve: Callable[[int], float], verdict: str
) -> None:
    campaign = make_campaign()
    add_rounds(label_store, campaign, {n: float(curve(n)) for n in (50, 80, 120, 180, 260, 400)})
    (found,) = stop_advice(label_store, campaign, 100).tasks
    assert found.verdict == verdict, found
    assert found.gain is not None
    assert (found.low or 0) <= found.gain <= (found.high or 0)
    if verdict != "unclear":
        assert found.gain == pytest.approx(curve(500) - curve(400), abs=0.01)
    assert f"{100 * found.gain:+.1f} points" in found.sentence


@pytest.mark.parametrize("rounds", [0, 1, 3])
def test_few_rounds_make_no_advice(label_store: LabelStore, make_campaign: Make, rounds: int) -> None:
    campaign = make_campaign()
    add_rounds(label_store, campaign, {50 * (n + 1): 0.7 + 0.05 * n for n in range(rounds)})
    tasks = stop_advice(label_store, campaign, 100).tasks
    assert [entry.verdict for entry in tasks] == ["not known yet"] * (rounds > 0)
    assert all(f"{4 - rounds} more round" in entry.sentence for entry in tasks)


def test_minutes_come_from_the_pace_of_people_without_their_breaks(
    label_store: LabelStore, make_campaign: Make
) -> None:
    campaign = make_campaign(samples=40)
    assert stop_advice(label_store, campaign, 100).seconds_a_label is None
    at = NOW
    for sample_id in range(1, 31):
        label = LabelInput(sample_id=sample_id, task="classification", annotator="ann", classes=[CLASSES[0]])
        record_labels(label_store, campaign, [label], at)
        at += timedelta(hours=9) if sample_id % 10 == 0 else timedelta(seconds=6)
    advice = stop_advice(label_store, campaign, 100)
    assert advice.seconds_a_label == pytest.approx(6)
    assert advice.minutes == pytest.approx(10)
