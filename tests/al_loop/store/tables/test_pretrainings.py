from collections.abc import Callable
from datetime import timedelta

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import PretrainingState
from al_loop.errors import ConflictError, NotFoundError, PretrainingRunningError
from al_loop.store import LabelStore
from models.pretrain_config import PretrainConfig, PretrainSummary
from tests.al_loop.store.fixtures import NOW

SUMMARY = PretrainSummary(
    chips=100, images=50, epochs=3, steps=12, batch_size=32, loss=80.5, invariance=0.8, redundancy=0.1,
    embedding_size=512, effective_rank=40.0, seconds=60.0, device="cpu",
)  # fmt: skip


@pytest.fixture
def number(make_campaign: Callable[..., Campaign]) -> int:
    return make_campaign().campaign_id


def test_one_at_a_time_numbered_from_one(label_store: LabelStore, number: int) -> None:
    config = PretrainConfig(encoder="resnet10_narrow", minutes=5)
    first = label_store.pretrainings.create(number, config, NOW)
    assert (first.number, first.state, first.config, first.started_at) == (1, PretrainingState.QUEUED, config, None)
    with pytest.raises(PretrainingRunningError, match="pretraining 1 of campaign 'demo' is queued"):
        label_store.pretrainings.create(number, config, NOW)
    label_store.pretrainings.set_state(number, 1, PretrainingState.FAILED, NOW, error="no images")
    assert label_store.pretrainings.create(number, config, NOW).number == 2
    assert [entry.number for entry in label_store.pretrainings.unfinished(number)] == [2]


def test_what_becomes_known_is_kept(label_store: LabelStore, number: int) -> None:
    table = label_store.pretrainings
    table.create(number, PretrainConfig(), NOW)
    states = [PretrainingState.TRAINING, PretrainingState.EXPORTING]
    for minutes, state in enumerate(states, start=1):
        table.set_state(number, 1, state, NOW + timedelta(minutes=minutes))
    table.set_state(number, 1, PretrainingState.EMBEDDING, NOW, version="ssl-1", summary=SUMMARY)
    assert table.finished(number) == []
    table.set_state(number, 1, PretrainingState.FINISHED, NOW + timedelta(minutes=9))
    entry = table.get(number, 1)
    assert (entry.version, entry.summary) == ("ssl-1", SUMMARY)
    assert (entry.started_at, entry.ended_at) == (NOW + timedelta(minutes=1), NOW + timedelta(minutes=9))
    assert table.finished(number) == table.list(number) == [entry]
    with pytest.raises(ConflictError, match="finished and stays so"):
        table.set_state(number, 1, PretrainingState.TRAINING, NOW)
    with pytest.raises(NotFoundError):
        table.get(number, 2)
