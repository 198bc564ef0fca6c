from collections.abc import Callable
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from tests.data.tiny_model import make_tiny_onnx


def test_half_published_version_of_a_crash_is_removed_at_start(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    layout = DataLayout(tmp_path / "data")
    campaign, without_models = make_campaign("demo"), make_campaign("other")
    root = layout.models(campaign.name)
    make_tiny_onnx(root)
    leftover = root / ".staging-abc"
    leftover.mkdir()
    (leftover / "model.onnx").write_bytes(b"half")

    ModelServer(label_store, layout).remove_leftovers()

    assert [path.name for path in root.iterdir()] == ["v1"]
    assert not layout.models(without_models.name).exists()
