"""The deep candidate that starts from the quick one."""

from pathlib import Path

import msgspec
import numpy as np
import onnxruntime
import pytest
import torch

from models.card import ModelCard, TrainConfig
from models.heads.kernel_head import KernelHead
from models.heads.linear_head import Head
from models.manifest import read_manifest
from models.train import main
from models.training.data.dataset import ChipReader, read_samples
from models.training.data.left_out import LeftOut
from models.training.data.statistics import estimate_statistics
from models.training.ladder import fit_quick
from models.training.networks.tuned import FIRST_TUNED, tunable
from tests.models.training.pixels import test_examples as pixels
from tests.models.training.test_quick import SINGLE, snapshot


def test_it_answers_as_the_calibrated_quick_network_until_it_is_trained(tmp_path: Path) -> None:
    folder = snapshot(tmp_path, SINGLE, 24)
    manifest = read_manifest(folder)
    splits = read_samples(folder, manifest, LeftOut())
    statistics = estimate_statistics(manifest.statistics_paths, manifest.bands)
    quick = fit_quick(
        manifest, [SINGLE], statistics, splits["train"], splits["calibration"], ChipReader(manifest), judge=True
    )
    fitted = quick.judged_heads["classification"]
    linear = fitted.linear if isinstance(fitted, KernelHead) else fitted
    assert isinstance(linear, Head)
    network = tunable(quick.judged, quick.judged_heads)
    image = torch.from_numpy(np.random.default_rng(0).uniform(0, 255, (2, 3, 64, 64)).astype(np.float32))
    with torch.inference_mode():
        likely = network(image)["classification"].softmax(dim=1).numpy()
        embedding = quick.judged(image)["embedding"].numpy()
        np.testing.assert_allclose(likely, linear.probabilities(embedding), atol=1e-5)
    trained = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    blocks = {int(name.split(".")[3]) for name in trained if name.startswith("features.stages.blocks.")}
    assert blocks == set(range(FIRST_TUNED, 6))
    assert {name for name in trained if not name.startswith("features.")} == {
        "heads.classification.weight",
        "heads.classification.bias",
    }
    assert not any(parameter.requires_grad for parameter in quick.judged.parameters())


def test_run_trains_heads_and_encoder_further_and_exports_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("models.training.fit.MIN_STEPS", 4)
    monkeypatch.setattr("models.training.fit.EPOCHS", 1)
    folder = snapshot(tmp_path, SINGLE, 40)
    answers = []
    image = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 64)).astype(np.float32)
    for kind in ("quick", "deep"):
        recipe = TrainConfig(candidates=kind, device="cpu", batch_size=8)
        changed = msgspec.structs.replace(read_manifest(folder), train=recipe)
        (folder / "manifest.json").write_bytes(msgspec.json.encode(changed))
        assert main([str(folder), "--out", str(tmp_path / kind)]) == 0
        card = msgspec.json.decode((tmp_path / kind / "card.json").read_bytes(), type=ModelCard)
        assert [found.kind for found in card.candidates] == [kind]
        assert card.evaluation.candidate[0].value == 1.0
        session = onnxruntime.InferenceSession(tmp_path / kind / "model.onnx", providers=["CPUExecutionProvider"])
        answers.append(session.run(["embedding"], {"image": image})[0])
    assert answers[0].shape == answers[1].shape
    assert not np.allclose(answers[0], answers[1], atol=1e-4)


def test_heads_of_pixels_start_as_fitted_and_are_served_as_trained(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("models.training.fit.FITTED_MIN_STEPS", 12)
    monkeypatch.setattr("models.training.fit.FITTED_EPOCHS", 1)
    recipe = TrainConfig(candidates="deep", device="cpu", batch_size=4)
    folder = pixels.snapshot(tmp_path, "masks", [pixels.WHOLE, pixels.PIXELS], train=recipe)
    card = pixels.run(folder, tmp_path / "out")
    assert [found.kind for found in card.candidates] == ["deep"]
    values = {found.task: found.value for found in card.evaluation.candidate}
    assert values["segmentation"] >= 0.85  # after so few steps only because they start from a fitted head
    assert card.parity.differences.keys() == {"embedding", "classification", "segmentation"}
    assert max(card.parity.differences.values()) <= card.parity.tolerance
    session = onnxruntime.InferenceSession(tmp_path / "out" / "model.onnx", providers=["CPUExecutionProvider"])
    image = np.random.default_rng(0).uniform(0, 255, (1, 3, 64, 96)).astype(np.float32)
    (answer,) = session.run(["segmentation"], {"image": image})
    assert answer.shape == (1, 3, 64, 96)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-4)
