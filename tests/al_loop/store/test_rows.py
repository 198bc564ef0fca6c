"""Settings that an older version stored open today, whatever they hold."""

import logging

import msgspec
import pytest

from al_loop.domain.campaigns import CampaignSettings, ReserveSettings
from al_loop.store.rows import read_stored


def test_value_out_of_its_bounds_gives_way_to_the_default_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    text = """{"lease_s": 60, "reserve": {"seed": 1%040d, "block_m": 1e-300, "share": 0.3}, "train": {"seed": -1},
        "view": {"views": [{"name": "a", "title": "a", "bands": [0]}]}}"""
    with caplog.at_level(logging.WARNING):
        found = read_stored(text % 0, CampaignSettings)
    assert found == CampaignSettings(lease_s=60, reserve=ReserveSettings(share=0.3))
    for name in ("reserve.seed", "reserve.block_m", "train.seed", "view.views"):
        assert name in caplog.text


def test_settings_of_a_newer_version_are_no_guess() -> None:
    with pytest.raises(msgspec.ValidationError, match="unknown field"):
        read_stored('{"reserve": {"new": 1}}', CampaignSettings)
