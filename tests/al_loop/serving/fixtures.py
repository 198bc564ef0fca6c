"""A service that serves a tiny model for a campaign of given scenes, without training."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.loop import utc_now
from al_loop.store import LabelStore
from service.settings import Settings
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import Http, create, register

CLASSES = ["class-1", "class-2", "class-3"]
BOTH = ("classification", "segmentation")


@pytest.fixture
def serve_scenes(start_service: Callable[[], Http], settings: Settings, imagery: Path) -> Callable[..., Http]:
    """Register what lies in `imagery` as the campaign `demo` and serve a tiny model of 3 bands for it, if wanted."""

    def serve(tasks: Sequence[str] = BOTH, *, model: bool = True, tile_px: int = 128, **changes: Any) -> Http:
        first = start_service()
        create(first, imagery, tasks=[{"task": task, "classes": CLASSES} for task in tasks], **changes)
        register(first)
        if not model:
            return first
        first.__exit__(None, None, None)
        layout = DataLayout(settings.data)
        version = make_tiny_onnx(
            layout.models("demo"),
            campaign="demo",
            bands=(1, 2, 3),
            source_bands=3,
            tasks=tasks,
            tile_px=tile_px,
        )
        store = LabelStore.open(layout.database)
        campaign_id = store.campaigns.get("demo").campaign_id
        store.versions.add(campaign_id, version.name, 1, utc_now())
        store.versions.promote(campaign_id, version.name, reason="test", now=utc_now())
        store.close()
        return start_service()

    return serve
