import gc
import weakref
from collections.abc import Callable
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from models.inference.image_model import ImageModel
from tests.al_loop.store.fixtures import NOW
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


def test_version_that_was_replaced_is_let_go(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    layout = DataLayout(tmp_path / "data")
    campaign = make_campaign("demo")
    server = ModelServer(label_store, layout)
    for number in (1, 2):
        version = make_tiny_onnx(layout.models(campaign.name), version=f"v{number}").name
        label_store.versions.add(campaign.campaign_id, version, number, NOW)
    loaded: list[weakref.ref[ImageModel]] = []
    for number in range(6):
        server.promote(campaign, f"v{1 + number % 2}", "test", lambda: NOW)
        loaded.append(weakref.ref(server.batcher(campaign)._predictor))
    gc.collect()
    assert [model() is not None for model in loaded] == [False] * 5 + [True]
    server.close()
