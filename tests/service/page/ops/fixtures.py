"""A campaign for the ops page, and versions that it served."""

from pathlib import Path
from typing import Any

import httpx
from litestar import Litestar

from al_loop.domain.rounds import RoundState
from al_loop.loop import Loop
from tests.al_loop.store.tables.test_rounds import EVALUATION
from tests.data.tiny_model import make_tiny_onnx
from tests.e2e.campaigns import create, register, write_pool


def make(url: str, folder: Path, name: str = "fields", **options: Any) -> None:
    """A campaign of four scenes without a test reserve; `options` of the HTTP client."""
    write_pool(folder, 4, size=32)
    with httpx.Client(base_url=url, **options) as http:
        create(http, folder, name, settings={"reserve": {"share": 0.0, "minimum": 0}})  # type: ignore[arg-type]
        register(http, name)  # type: ignore[arg-type]


def make_versions(app: Litestar, count: int = 2) -> None:
    """Rounds of `fields` that ended with a version each, the newest of which serves."""
    loop: Loop = app.state.loop
    campaign = loop.store.campaigns.get("fields")
    number, now = campaign.campaign_id, loop.clock()
    for turn in range(1, count + 1):
        entry = loop.store.rounds.create(number, reason=f"new labels: {50 * turn}", now=now)
        version = make_tiny_onnx(
            loop.layout.models("fields"), version=f"v{turn}", campaign="fields", classes=["dark", "bright"],
            tasks=["classification"], bands=(1, 2, 3),
        )  # fmt: skip
        loop.store.versions.add(number, version.name, turn, now)
        loop.store.rounds.set_state(
            number, entry.number, RoundState.PROMOTED, now, version=version.name, labels=50 * turn,
            evaluation=EVALUATION, verdict=f"v{turn} is better",
        )  # fmt: skip
        loop.server.promote(campaign, version.name, "test", loop.clock)
