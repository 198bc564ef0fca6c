"""Rounds that a kill of the service cut off: they go on where they were, and not for ever."""

from pathlib import Path

import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.rounds import RoundState
from al_loop.runtime.slots import TrainingSlots
from al_loop.serving.model_server import ModelServer
from al_loop.training.rounds import RoundRunner
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.training.fixtures import Service
from tests.waiting import wait_for


class KilledError(BaseException):
    """Ends the worker where it stands, as a kill of the service does: no state is stored any more."""


@pytest.mark.parametrize("moment", ["snapshot", "training", "gate", "registered", "known to the store"])
def test_round_that_a_kill_cut_off_goes_on_and_is_promoted(service: Service, moment: str) -> None:
    """Whatever was done before the kill is not done again."""
    trainings: list[Path] = []
    service.replay.spoil["models.train"] = trainings.append
    number, rounds = service.campaign.campaign_id, service.rounds

    def kill(*_: object, **__: object) -> None:
        raise KilledError

    def kill_training(directory: Path) -> None:
        (directory / "card.json").unlink()  # it is written last
        raise KilledError

    with pytest.MonkeyPatch.context() as patch:
        if moment == "snapshot":
            patch.setattr("al_loop.training.rounds.write_snapshot", kill)
        elif moment == "training":
            service.replay.spoil["models.train"] = kill_training
        elif moment == "gate":
            patch.setattr("models.registry.ModelRegistry.publish", kill)
        elif moment == "registered":
            patch.setattr("al_loop.store.tables.versions.VersionTable.add", kill)
        else:
            patch.setattr(ModelServer, "promote", kill)
        patch.setattr("threading.excepthook", lambda _: None)
        rounds.start(service.campaign, "ops")
        wait_for(lambda: not rounds._jobs)
    before = service.store.rounds.get(number, 1)
    assert not before.state.is_end
    service.replay.spoil["models.train"] = trainings.append
    again = RoundRunner(
        service.store, DataLayout(Path(service.campaign.root).parent / "data"), service.server, service.scorer,
        TrainingSlots(), lambda: NOW, executor=service.replay,
    )  # fmt: skip
    again.recover(service.campaign)
    wait_for(lambda: service.store.rounds.get(number, 1).state.is_end)
    again.close()
    ended = service.store.rounds.get(number, 1)
    assert (ended.state, ended.error) == (RoundState.PROMOTED, None)
    assert service.server.serving_version(service.campaign) == "v1"
    assert len(trainings) == 1
    if moment != "snapshot":
        assert ended.manifest_sha256 == before.manifest_sha256
    directory = Path(service.campaign.root).parent / "data/campaigns/demo/rounds/1"
    left = sorted(path.name for path in directory.iterdir())
    assert set(left) <= {"attempts.json", "snapshot", "training", "training-2"}
    assert sorted(path.name for path in (directory / left[-1]).iterdir()) == ["log.txt", "progress.jsonl"]


def test_round_that_is_taken_up_again_and_again_is_interrupted_for_good(service: Service) -> None:
    campaign, number = service.campaign, service.campaign.campaign_id
    service.store.rounds.create(number, reason="ops", now=NOW)
    service.store.rounds.set_state(number, 1, RoundState.TRAINING, NOW)
    directory = Path(campaign.root).parent / "data/campaigns/demo/rounds/1"
    directory.mkdir(parents=True)
    (directory / "attempts.json").write_text('{"begun": 8}')
    service.rounds.recover(campaign)
    ended = service.store.rounds.get(number, 1)
    assert (ended.state, ended.error) == (RoundState.INTERRUPTED, "the service stopped while the round was training")
