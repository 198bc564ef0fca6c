"""Deep rounds in the background: compared with what serves at their end, cancelled, tried where they are worth it."""

from pathlib import Path

import msgspec
import pytest

from al_loop.domain.rounds import RoundState
from al_loop.errors import RoundRunningError
from models.card import Candidate, ModelCard
from tests.al_loop.training.fixtures import Service
from tests.waiting import wait_for


def test_quick_round_is_served_while_a_deep_one_runs_which_is_then_compared_with_it(service: Service) -> None:
    first = service.run_round()
    service.replay.background_goes_on.clear()
    deep = service.rounds.start(service.campaign, "worth it", background=True)
    number = service.campaign.campaign_id
    wait_for(lambda: service.store.rounds.get(number, deep.number).state is RoundState.SNAPSHOT)
    with pytest.raises(RoundRunningError):
        service.rounds.start(service.campaign, "worth it", background=True)
    quick = service.run_round()
    assert (quick.state, service.campaign.current_version) == (RoundState.PROMOTED, quick.version)
    assert service.store.rounds.get(number, deep.number).ended_at is None
    service.replay.background_goes_on.set()
    wait_for(lambda: service.store.rounds.get(number, deep.number).state.is_end)
    ended = service.store.rounds.get(number, deep.number)
    assert ended.evaluation is not None
    assert ended.evaluation.incumbent_version == quick.version != first.version
    assert ended.evaluation.paired[0].difference == 0
    assert (ended.background, ended.choice) == (True, "deep is the only candidate; settings.model names an encoder")
    card = service.server.registry(service.campaign).card(str(ended.version))
    assert msgspec.structs.replace(card.evaluation, slices=[]) == ended.evaluation, "slices are in the card"


def test_deep_round_that_runs_is_cancelled_by_its_number(service: Service) -> None:
    service.replay.background_goes_on.clear()
    deep = service.rounds.start(service.campaign, "worth it", background=True)
    number = service.campaign.campaign_id
    wait_for(lambda: service.store.rounds.get(number, deep.number).state is RoundState.SNAPSHOT)
    assert service.rounds.unfinished(service.campaign) == {deep.number: f"round {deep.number}"}
    service.rounds.cancel(service.campaign, deep.number)
    wait_for(lambda: service.store.rounds.get(number, deep.number).state is RoundState.CANCELLED)
    assert not service.rounds.unfinished(service.campaign)
    service.replay.background_goes_on.set()


def test_version_of_a_deep_round_whose_quick_candidate_won_is_not_served(service: Service) -> None:
    def quick_won(directory: Path) -> None:
        card = msgspec.json.decode((directory / "card.json").read_bytes(), type=ModelCard)
        tried = [Candidate(kind="quick", held_out={}, seconds=1, won=True)]
        changed = msgspec.structs.replace(card, candidates=tried, choice="quick beats deep, 0.9 to 0.8")
        (directory / "card.json").write_bytes(msgspec.json.encode(changed))

    service.replay.spoil["models.train"] = quick_won
    deep = service.rounds.start(service.campaign, "worth it", background=True)
    number = service.campaign.campaign_id
    wait_for(lambda: service.store.rounds.get(number, deep.number).state.is_end)
    ended = service.store.rounds.get(number, deep.number)
    assert ended.state is RoundState.REJECTED
    assert ended.verdict == "the deep network is no better: quick beats deep, 0.9 to 0.8"
    assert service.run_round().state is RoundState.PROMOTED


@pytest.mark.shipped_encoder
def test_deep_network_is_worth_a_round_once_there_are_labels_enough_and_not_twice(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.tasks.task.DEEP_LABELS", 10)
    assert service.rounds.deep_reason(service.campaign) is None
    labels = service.run_round().labels
    reason = service.rounds.deep_reason(service.campaign)
    assert reason == f"a deep network is worth trying: {labels} labels"
    deep = service.rounds.start(service.campaign, reason, background=True)
    number = service.campaign.campaign_id
    wait_for(lambda: service.store.rounds.get(number, deep.number).state.is_end)
    assert service.rounds.deep_reason(service.campaign) is None
