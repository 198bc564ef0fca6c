"""Examples of what a model reads and answers."""

import io
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import onnxruntime

from al_loop.campaigns.register import register_paths
from al_loop.domain.campaigns import Campaign
from al_loop.serving.exporting import export_model
from al_loop.serving.exporting.sample_run import SampleRun
from al_loop.store import LabelStore
from models.registry import ONNX_FILE, ModelRegistry
from tests.al_loop.campaigns.importing.fixtures import write_raster
from tests.data.tiny_model import make_tiny_onnx

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def test_example_is_what_the_graph_answers(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    campaign = make_campaign()
    write_raster(Path(campaign.root) / "a.tif", np.arange(3 * 40 * 50, dtype=np.uint16).reshape(3, 40, 50))
    register_paths(label_store, campaign, ["a.tif"], NOW)
    directory = make_tiny_onnx(tmp_path / "models")
    registry = ModelRegistry(tmp_path / "models")
    found = SampleRun(label_store, campaign, NOW).of(directory, registry.card("v1"))
    assert found is not None
    given = np.load(io.BytesIO(found.given), allow_pickle=False)
    answered = np.load(io.BytesIO(found.answered), allow_pickle=False)
    assert given.shape == (1, 3, 64, 64)
    session = onnxruntime.InferenceSession((directory / ONNX_FILE).read_bytes(), providers=["CPUExecutionProvider"])
    for output, value in zip(session.get_outputs(), session.run(None, {"image": given}), strict=True):
        np.testing.assert_allclose(answered[output.name], value, rtol=1e-5)
    blocks = b"".join(export_model(label_store, registry, campaign, "v1", "stac", NOW, every=True))
    assert b"sample_output.npz" in blocks


def test_without_a_readable_image_there_is_no_example(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    campaign = make_campaign()
    write_raster(Path(campaign.root) / "a.tif")
    register_paths(label_store, campaign, ["a.tif"], NOW)
    (Path(campaign.root) / "a.tif").unlink()
    directory = make_tiny_onnx(tmp_path / "models")
    assert SampleRun(label_store, campaign, NOW).of(directory, ModelRegistry(tmp_path / "models").card("v1")) is None
