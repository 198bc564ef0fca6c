"""Gate settings as JSON."""

import msgspec
import pytest

from al_loop.domain.gate import GateSettings, GateThreshold


def test_class_of_a_slice_is_called_class_in_json() -> None:
    sent = b'{"class": "water", "value_threshold": {"lower_bound": 0.5}, "min_examples": 5}'
    threshold = msgspec.json.decode(sent, type=GateThreshold)
    assert (threshold.of_class, threshold.where) == ("water", "class water")
    assert b'"class":"water"' in msgspec.json.encode(threshold)
    assert msgspec.structs.replace(threshold, of_class=None, place="folder:a").where == "folder:a"
    assert msgspec.structs.replace(threshold, of_class=None).where == ""


@pytest.mark.parametrize(
    ("sent", "path"),
    [
        ('{"thresholds": [{"value_threshold": {"lower_bound": 2}}]}', "$.thresholds[0].value_threshold.lower_bound"),
        ('{"thresholds": [{"min_examples": -1}]}', "$.thresholds[0].min_examples"),
        ('{"thresholds": [{"upper": 1}]}', "`upper` - at `$.thresholds[0]`"),
        ('{"most_latency_ratio": 0}', "$.most_latency_ratio"),
        ('{"most_ece_increase": -0.1}', "$.most_ece_increase"),
    ],
)
def test_values_out_of_range_are_refused_with_their_path(sent: str, path: str) -> None:
    with pytest.raises(msgspec.ValidationError) as caught:
        msgspec.json.decode(sent, type=GateSettings)
    assert path in str(caught.value)
