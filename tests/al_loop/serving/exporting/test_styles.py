"""Styles of a campaign."""

from pathlib import Path

import msgspec
import pytest

from al_loop.errors import NotFoundError
from al_loop.serving.exporting.styles import campaign_style
from models.card import TaskSpec
from tests.al_loop.campaigns.exporting.test_round_trip import campaign


def test_styles_have_the_colours_of_the_campaign() -> None:
    here = campaign(Path("/x"))
    assert 'label="urban"' in campaign_style(here, "mask", None)
    assert 'label="forest"' not in campaign_style(here, "mask", None)
    assert 'attr="label"' in campaign_style(here, "labels", None)
    assert 'attr="class"' in campaign_style(here, "areas", None)
    assert "singlebandpseudocolor" in campaign_style(here, "uncertainty", "segmentation")


def test_task_without_a_mask_is_told() -> None:
    here = msgspec.structs.replace(campaign(Path("/x")), tasks=[TaskSpec(task="classification", classes=["a", "b"])])
    with pytest.raises(NotFoundError, match="has none"):
        campaign_style(here, "mask", None)
