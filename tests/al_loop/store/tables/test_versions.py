"""Versions of models and what was promoted when."""

from collections.abc import Callable
from datetime import timedelta

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import RoundState
from al_loop.errors import ConflictError, NotFoundError
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.store.tables.test_rounds import EVALUATION

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def number(make_campaign: MakeCampaign) -> int:
    return make_campaign().campaign_id


def test_promotion_moves_campaign_and_round_together(label_store: LabelStore, number: int) -> None:
    label_store.rounds.create(number, reason="ops", now=NOW)
    label_store.rounds.set_state(number, 1, RoundState.GATE, NOW, version="v1", labels=12, evaluation=EVALUATION)
    label_store.versions.add(number, "v1", 1, NOW)
    label_store.versions.promote(number, "v1", reason="beats the baseline", now=NOW, round_number=1)
    assert label_store.campaigns.get("demo").current_version == "v1"
    assert label_store.rounds.get(number, 1).state == RoundState.SCORING
    label_store.rounds.set_state(number, 1, RoundState.FAILED, NOW)
    label_store.versions.add(number, "v2", 2, NOW)
    with pytest.raises(ConflictError):
        label_store.versions.promote(number, "v2", reason="late", now=NOW, round_number=1)
    assert label_store.campaigns.get("demo").current_version == "v1"
    assert len(label_store.versions.promotions(number)) == 1


def test_rollback_is_a_promotion_of_an_older_version(label_store: LabelStore, number: int) -> None:
    for turn in (1, 2):
        label_store.versions.add(number, f"v{turn}", turn, NOW)
        label_store.versions.promote(number, f"v{turn}", reason="ops", now=NOW + timedelta(hours=turn))
    label_store.versions.promote(number, "v1", reason="rollback", now=NOW + timedelta(hours=3))
    label_store.versions.set_problem(number, "v2", "digest mismatch")
    first, second = label_store.versions.list(number)
    assert (first.current, first.promoted_at, first.problem) == (True, NOW + timedelta(hours=3), None)
    assert (second.current, second.promoted_at, second.problem) == (False, NOW + timedelta(hours=2), "digest mismatch")
    history = [(promotion.previous, promotion.version) for promotion in label_store.versions.promotions(number)]
    assert history == [(None, "v1"), ("v1", "v2"), ("v2", "v1")]
    assert (first.previous, second.previous) == ("v2", "v1"), "of the last time that it began to serve"
    label_store.versions.promote(number, "v1", reason="the same again", now=NOW + timedelta(hours=4))
    assert label_store.versions.list(number)[0].previous == "v2", "a version does not come after itself"


def test_unknown_and_repeated_versions_are_refused(label_store: LabelStore, number: int) -> None:
    with pytest.raises(NotFoundError):
        label_store.versions.promote(number, "v9", reason="ops", now=NOW)
    label_store.versions.add(number, "v1", 1, NOW)
    with pytest.raises(ConflictError):
        label_store.versions.add(number, "v1", 1, NOW)
    assert label_store.versions.list(number)[0].promoted_at is None
