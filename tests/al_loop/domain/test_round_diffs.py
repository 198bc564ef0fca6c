"""Differences between rounds as they are sent."""

import msgspec
import pytest

from al_loop.domain.round_diffs import RoundDiff, SettingChange


def test_difference_survives_json_with_values_of_any_kind_and_needs_both_rounds() -> None:
    sent = RoundDiff(
        first=1, second=2, versions=("v1", None), labels=(3, None), reserve=(5, None), verdicts=("better", None),
        sources=[], metrics=[],
        settings=[SettingChange(name="train.epochs", first=None, second=[12, "x"])],
    )  # fmt: skip
    data = msgspec.json.encode(sent)
    assert msgspec.json.decode(data, type=RoundDiff) == sent
    with pytest.raises(msgspec.ValidationError, match="second"):
        msgspec.json.decode(data.replace(b'"second":2', b'"third":2'), type=RoundDiff)
