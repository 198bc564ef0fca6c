"""Programs that leave unusable files: nothing of them is served, used or seen, and the error says what is wrong."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from al_loop.campaigns.register import register_paths
from al_loop.domain.rounds import PretrainingState, RoundState
from al_loop.errors import NoModelError
from al_loop.runtime.processes import ProcessFailedError
from models.scoring.spec import FEATURES
from tests.al_loop.store.fixtures import NOW
from tests.al_loop.training.fixtures import Service, Spoil, cut, remove


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (remove("evaluation.json"), r"^the program ended without leaving evaluation.json; see .*training/log.txt$"),
        (cut("evaluation.json"), r"^the program left evaluation.json, which cannot be used: .*; see .*/log.txt$"),
        (remove("card.json"), r"^the program ended without leaving card.json; see .*training/log.txt$"),
        (cut("card.json"), r"^the program left card.json, which cannot be used: .*; see .*training/log.txt$"),
        (remove("model.onnx"), r"holds no model.onnx; see .*training/log.txt$"),
        (cut("model.onnx"), r"'v1' is corrupt: ONNX Runtime cannot load model.onnx: .*; see .*training/log.txt$"),
    ],
)
def test_unusable_files_of_a_training_fail_the_round_and_nothing_is_served(
    service: Service, spoil: Spoil, said: str
) -> None:
    service.replay.spoil["models.train"] = spoil
    failed = service.run_round()
    assert failed.state is RoundState.FAILED
    assert re.search(said, str(failed.error), re.DOTALL), failed.error
    assert service.campaign.current_version is None
    assert service.server.registry(service.campaign).current() is None
    with pytest.raises(NoModelError):
        service.server.batcher(service.campaign)
    assert service.rounds.log(service.campaign, 1) == ["replayed"]


def foreign_ids(directory: Path) -> None:
    ids = np.load(directory / "embedding_ids.npy")
    np.save(directory / "embedding_ids.npy", ids + 1000)


def one_row_less(directory: Path) -> None:
    values = np.load(directory / "embeddings.npy")
    np.save(directory / "embeddings.npy", values[1:])


@pytest.mark.parametrize(
    "spoil",
    [
        remove("scores.parquet"),
        cut("scores.parquet"),
        remove("embedding_ids.npy"),
        cut("embeddings.npy"),
        cut("skipped.json"),
        foreign_ids,
        one_row_less,
    ],
)
def test_unusable_scores_are_never_seen_and_the_pool_is_scored_again(service: Service, spoil: Spoil) -> None:
    service.replay.spoil["models.score_pool"] = spoil
    with pytest.raises(ProcessFailedError, match=r"cannot be used|is not of the samples"):
        service.score()
    assert service.embeddings.parts(FEATURES) == []
    assert service.store.scores.counts(service.campaign.campaign_id) == {}
    del service.replay.spoil["models.score_pool"]
    assert service.score() == 48
    assert len(service.embeddings.load(FEATURES).sample_ids) == 48


def test_embeddings_of_another_size_than_those_before_are_refused(service: Service) -> None:
    assert service.score() == 48
    part = service.embeddings.parts(FEATURES)[0]
    narrow = np.load(part / "embeddings.npy")[:, :-1]
    np.save(part / "embeddings.npy", narrow)
    source = Path(service.campaign.root) / "chip-000.tif"
    shutil.copy(source, source.with_name("late.tif"))
    register_paths(service.store, service.campaign, ["late.tif"], NOW)
    with pytest.raises(ProcessFailedError, match=r"have \d+ values, those before them \d+"):
        service.score()
    source.with_name("late.tif").unlink()
    assert service.embeddings.parts(FEATURES) == [part]


def test_unusable_scores_do_not_take_a_promotion_back(service: Service) -> None:
    service.replay.spoil["models.score_pool"] = cut("embeddings.npy")
    ended = service.run_round()
    assert ended.state is RoundState.PROMOTED
    assert str(ended.error).startswith("v1 serves, but scoring the pool ended early and will be resumed: the scores")
    assert service.embeddings.parts("v1") == []


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (cut("card.json"), r"^the program left card.json, which cannot be used: .*; see .*training/log.txt$"),
        (cut("model.onnx"), r"^the program left model.onnx, which does not match its digest; see .*/log.txt$"),
        (remove("encoder.safetensors"), r"^the program left no readable encoder.safetensors: .*; see .*/log.txt$"),
    ],
)
def test_unusable_files_of_a_pretraining_fail_it_and_no_encoder_is_used(
    service: Service, spoil: Spoil, said: str
) -> None:
    service.replay.spoil["models.pretrain"] = spoil
    failed = service.run_pretraining()
    assert (failed.state, failed.version) == (PretrainingState.FAILED, None)
    assert re.search(said, str(failed.error)), failed.error
    assert service.scorer.wanted_versions(service.campaign) == [FEATURES]


def test_training_that_ends_well_without_leaving_anything_fails_the_round(service: Service) -> None:
    def nothing(directory: Path) -> None:
        for path in directory.iterdir():
            path.unlink()

    service.replay.spoil["models.train"] = nothing
    ended = service.run_round()
    assert (ended.state, ended.error) == (RoundState.FAILED, "the program ended without leaving card.json")
