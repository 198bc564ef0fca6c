"""What the loop's parts share."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from al_loop.domain.campaigns import Campaign, CampaignSettings, RetrainPolicy
from al_loop.loop import Loop
from al_loop.scaneo.port import ScaneoPort
from models.card import TaskSpec
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import EMBEDDINGS_FILE, FEATURES, IDS_FILE
from tests.al_loop.store.fixtures import NOW


def no_scaneo(address: str) -> ScaneoPort:
    raise AssertionError(f"nothing is linked, but {address} was opened")


@pytest.fixture
def loop(tmp_path: Path) -> Iterator[Loop]:
    loop = Loop(tmp_path / "data", open_scaneo=no_scaneo, clock=lambda: NOW, max_image_bytes=1_000_000)
    yield loop
    loop.close()


def make(loop: Loop, name: str) -> Campaign:
    """A campaign with two parts of features, which have to be joined in memory."""
    loop.store.campaigns.create(
        name=name, tasks=[TaskSpec(task="classification", classes=["a", "b"])], root="/", bands=None,
        settings=CampaignSettings(), policy=RetrainPolicy(), now=NOW,
    )  # fmt: skip
    parts = EmbeddingStore(loop.layout.scores(name))
    for first in (1, 4):
        part = parts.new_part(FEATURES)
        np.save(part / EMBEDDINGS_FILE, np.arange(12, dtype=np.float32).reshape(3, 4))
        np.save(part / IDS_FILE, np.arange(first, first + 3))
    return loop.store.campaigns.get(name)


def test_embeddings_are_read_once_for_queries_and_relabels(loop: Loop) -> None:
    campaign = make(loop, "one")
    ranked = loop.scores.of(campaign)
    assert ranked.sample_ids.tolist() == [1, 2, 3, 4, 5, 6]
    loop.scores.publish_stored(campaign)
    again = loop.relabels._embeddings_for(loop.store.campaigns.get("one"))
    assert again.load(FEATURES).values is again.load(FEATURES).values
    assert again is loop.relabels._embeddings_for(campaign)


def test_campaigns_have_embeddings_of_their_own(loop: Loop) -> None:
    first, second = loop.scores.of(make(loop, "one")), loop.scores.of(make(loop, "two"))
    assert first.table is not second.table
