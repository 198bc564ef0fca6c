"""Real pretrainings from a spec to an encoder that the loop can use."""

import hashlib
import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
import timm
import torch
from safetensors.torch import load_file, save_file

from models.card import BandStatistics, ModelCard, ModelConfig, TaskSpec, TrainConfig
from models.inference.predictor import Predictor
from models.pretrain_config import ENCODER_FILE, SUMMARY_FILE
from models.pretraining.encoder_network import EncoderNetwork, save_encoder
from models.programs import KNOWN_FAILURE
from models.progress import PROGRESS_FILE
from models.registry import ModelRegistry
from models.train import main as train_main
from models.training.networks.architectures import build
from tests.data.make_scene import make_scene
from tests.models.pretraining.fixtures import PretrainedRun, run_pretraining, spec_of
from tests.models.training.fixtures import CLASSIFICATION, split_of, write_snapshot

TASKS = [TaskSpec(task="classification", classes=["a", "b"])]


def card_of(out: Path) -> ModelCard:
    return msgspec.json.decode((out / "card.json").read_bytes(), type=ModelCard)


def statistics(bands: int) -> BandStatistics:
    return BandStatistics(low=[0.0] * bands, high=[1.0] * bands, mean=[0.5] * bands, std=[1.0] * bands, samples=1)


def test_run_leaves_an_encoder_without_tasks(pretrained_run: PretrainedRun) -> None:
    card = card_of(pretrained_run.out)
    assert (card.version, card.tasks, card.labels) == ("ssl-1", [], 0)
    assert card.parity.differences.keys() == {"embedding"}
    assert card.digests[ENCODER_FILE] == hashlib.sha256((pretrained_run.out / ENCODER_FILE).read_bytes()).hexdigest()
    summary = card.pretraining_summary
    assert summary is not None
    assert (summary.chips, summary.images, summary.epochs, summary.steps) == (30, 25, 3, 3)  # 100 x 70 px: 6 chips
    assert summary.embedding_size == card.embedding_size
    assert 1 <= summary.effective_rank <= 30
    assert summary == msgspec.json.decode((pretrained_run.out / SUMMARY_FILE).read_bytes(), type=type(summary))


def test_run_reports_its_phases_and_the_loss(pretrained_run: PretrainedRun) -> None:
    lines = [json.loads(line) for line in (pretrained_run.out / PROGRESS_FILE).read_text().splitlines()]
    assert list(dict.fromkeys(line["phase"] for line in lines)) == ["training", "exporting"]
    steps = [line for line in lines if "loss" in line]
    assert steps
    assert steps[-1]["done"] == steps[-1]["total"]
    assert steps[-1]["message"] == "epoch 3"
    assert steps[-1]["seconds_left"] == 0


def test_published_encoder_embeds_images_of_any_size(pretrained_run: PretrainedRun, tmp_path: Path) -> None:
    registry = ModelRegistry(tmp_path / "encoders")
    registry.publish("ssl-1", pretrained_run.out, card_of(pretrained_run.out))
    predictor = Predictor(registry.path("ssl-1"), device="cpu")
    image = np.random.default_rng(0).uniform(200, 3000, (3, 64, 64)).astype(np.float32)
    outputs = predictor.predict(image)
    assert outputs.keys() == {"embedding"}
    assert outputs["embedding"].shape == (predictor.card.embedding_size,)
    assert np.isfinite(predictor.predict(np.tile(image, (1, 9, 9)))["embedding"]).all()  # in tiles
    padded = np.full((3, 64, 96), np.nan, np.float32)
    padded[:, :, :64] = image
    blackened = np.nan_to_num(padded)
    near, far = (np.linalg.norm(predictor.predict(x)["embedding"] - outputs["embedding"]) for x in (padded, blackened))
    assert near < far  # invalid pixels are not pooled


@pytest.mark.parametrize("bands", [1, 3, 4, 13])
@pytest.mark.parametrize("encoder", ["resnet10_narrow", "test_convnext", "test_efficientnet"])
def test_saved_encoder_starts_training_with_its_own_weights(tmp_path: Path, encoder: str, bands: int) -> None:
    torch.manual_seed(1)
    source = EncoderNetwork(ModelConfig(encoder=encoder), statistics(bands))
    save_encoder(source, encoder, tmp_path / ENCODER_FILE)
    torch.manual_seed(2)
    config = ModelConfig(encoder=encoder, pretrained_file=str(tmp_path / ENCODER_FILE))
    loaded = build(config, TASKS, statistics(bands)).encoder.state_dict()
    assert loaded.keys() == source.encoder.state_dict().keys()
    for name, value in source.encoder.state_dict().items():
        torch.testing.assert_close(loaded[name], value, rtol=0, atol=0)


def test_training_from_an_encoder_says_so_in_its_card(pretrained_run: PretrainedRun, tmp_path: Path) -> None:
    images = sorted(pretrained_run.images.glob("chip-*.tif"))
    rows = [{"path": path, "split": split_of(n), "classification": [n % 3]} for n, path in enumerate(images)]
    config = ModelConfig(encoder="test_resnet", pretrained_file=str(pretrained_run.out / ENCODER_FILE))
    train = TrainConfig(max_steps=2, batch_size=8, device="cpu")
    write_snapshot(tmp_path / "snapshot", rows, [CLASSIFICATION], model=config, train=train, trained_from="ssl-1")
    assert train_main([str(tmp_path / "snapshot"), "--out", str(tmp_path / "out")]) == 0
    card = card_of(tmp_path / "out")
    assert (card.trained_from, card.model) == ("ssl-1", config)


def test_given_weights_are_exported_as_they_are(pretrained_run: PretrainedRun, tmp_path: Path) -> None:
    torch.manual_seed(5)
    weights = timm.create_model("test_resnet").state_dict()
    save_file(weights, tmp_path / "weights.safetensors")
    images = sorted(pretrained_run.images.glob("chip-*.tif"))
    file = str(tmp_path / "weights.safetensors")
    assert run_pretraining(tmp_path, spec_of(images, method="pretrained", pretrained_file=file)) == 0
    saved = load_file(tmp_path / "out" / ENCODER_FILE)
    for name, value in saved.items():
        torch.testing.assert_close(value, weights[name], rtol=0, atol=0)
    summary = card_of(tmp_path / "out").pretraining_summary
    assert summary is not None
    assert (summary.steps, summary.loss) == (0, None)


def two_looks(folder: Path, count: int, bands: int = 2, **changes: int) -> tuple[list[Path], list[Path]]:
    """Images of 3 bands, and partners of others."""
    sizes = {"width": 32, "height": 32} | changes
    first = [make_scene(folder / f"s2_{n}.tif", width=32, height=32, bands=3, seed=n) for n in range(count)]
    return first, [make_scene(folder / f"s1_{n}.tif", bands=bands, seed=n, **sizes) for n in range(count)]


def test_pairs_of_two_kinds_of_images_make_an_encoder_for_the_first(tmp_path: Path) -> None:
    first, second = two_looks(tmp_path, 10)
    partners = [str(path) for path in second]
    spec = spec_of(first, epochs=1, batch_size=8)
    assert run_pretraining(tmp_path, msgspec.structs.replace(spec, partners=partners, other_kind=True)) == 0
    card = card_of(tmp_path / "out")
    summary = card.pretraining_summary
    assert summary is not None
    assert (summary.pairs, summary.images, summary.chips, summary.steps) == (10, 10, 10, 1)
    assert card.bands == [1, 2, 3]
    loaded = ModelConfig(encoder="test_resnet", pretrained_file=str(tmp_path / "out" / ENCODER_FILE))
    build(loaded, TASKS, statistics(3))  # the file is for the campaign's bands


def test_pairs_of_one_kind_go_through_one_encoder(tmp_path: Path) -> None:
    first, second = two_looks(tmp_path, 9, bands=3)
    spec = msgspec.structs.replace(spec_of(first, epochs=1, batch_size=8), partners=[str(path) for path in second])
    assert run_pretraining(tmp_path, spec) == 0
    summary = card_of(tmp_path / "out").pretraining_summary
    assert summary is not None
    assert (summary.pairs, summary.chips) == (9, 9)


def test_partner_that_vanished_or_has_another_size_leaves_its_pair_out(tmp_path: Path) -> None:
    first, second = two_looks(tmp_path, 9, bands=3)
    second[0].unlink()
    spec = msgspec.structs.replace(spec_of(first, epochs=1, batch_size=8), partners=[str(path) for path in second])
    assert run_pretraining(tmp_path, spec) == 0
    summary = card_of(tmp_path / "out").pretraining_summary
    assert summary is not None
    assert summary.pairs == 8
    make_scene(second[1], width=32, height=16, bands=3)
    assert run_pretraining(tmp_path, spec) == KNOWN_FAILURE
    sentence = (tmp_path / "out" / "error.txt").read_text()
    assert "7 chips of 32 px can be cut from the 9 pairs of images" in sentence
    assert "there is no such file" in sentence
    assert "s2_1.tif: has 32 x 32 px and its partner s1_1.tif 32 x 16 px; a pair has one size" in sentence


def test_partners_that_all_vanished_are_said_to_be_gone(tmp_path: Path) -> None:
    first, second = two_looks(tmp_path, 8)
    for path in second:
        path.unlink()
    spec = msgspec.structs.replace(spec_of(first), partners=[str(path) for path in second], other_kind=True)
    assert run_pretraining(tmp_path, spec) == KNOWN_FAILURE
    assert "none of the 8 partners can be read" in (tmp_path / "out" / "error.txt").read_text()


def test_bands_are_taken_in_the_order_asked_for(tmp_path: Path) -> None:
    images = [make_scene(tmp_path / f"{n}.tif", width=32, height=32, bands=5, seed=n) for n in range(8)]
    spec = spec_of(images, source_bands=5, bands=[4, 2], epochs=1, batch_size=8)
    assert run_pretraining(tmp_path, spec) == 0
    card = card_of(tmp_path / "out")
    assert (card.bands, len(card.statistics.low)) == ([4, 2], 2)
    assert card.statistics.low[0] > card.statistics.low[1]


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"encoder": "no-such-net"}, "no-such-net"),
        ({"pretrained_file": "/nowhere.safetensors"}, "/nowhere.safetensors cannot be read"),
        ({"bands": [1, 7]}, "has a valid pixel in bands"),
        ({"minutes": None, "epochs": None}, "nothing would end the training"),
    ],
)
def test_known_failures_leave_one_sentence(
    pretrained_run: PretrainedRun, tmp_path: Path, changes: dict[str, object], sentence: str
) -> None:
    images = sorted(pretrained_run.images.glob("chip-*.tif"))
    assert run_pretraining(tmp_path, spec_of(images, **changes)) == KNOWN_FAILURE
    text = (tmp_path / "out" / "error.txt").read_text()
    assert sentence in text
    assert text.count("\n") == 1
