"""Where a challenger's files are and its answers go, in the process that owns the store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.predictions import ShadowAnswer
from al_loop.serving.model_server import ModelServer
from al_loop.serving.shadow.homes import StoreHome
from al_loop.store import LabelStore
from models.errors import VersionNotFoundError
from tests.al_loop.store.fixtures import NOW


def test_store_keeps_answers_and_the_registry_has_the_files(
    label_store: LabelStore, make_campaign: Callable[..., Campaign], tmp_path: Path
) -> None:
    campaign, layout = make_campaign("demo"), DataLayout(tmp_path)
    home = StoreHome(label_store, ModelServer(label_store, layout))
    with pytest.raises(VersionNotFoundError):
        home.find(campaign, "v2")
    (layout.models("demo") / "v2").mkdir(parents=True)
    assert home.find(campaign, "v2") == layout.models("demo") / "v2"
    assert list(home.hidden(campaign)) == []
    answer = ShadowAnswer(
        campaign_id=campaign.campaign_id, pixel_hash="a", task="classification", champion="v1", challenger="v2",
        champion_answer={}, challenger_answer={}, champion_mask=None, challenger_mask=None, blind=False,
        answered_at=NOW,
    )  # fmt: skip
    home.record(campaign, [answer])
    assert label_store.shadow_answers.count(campaign.campaign_id, "v1", "v2") == 1
