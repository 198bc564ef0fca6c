"""Settings of a pretraining that contradict each other are refused."""

import msgspec
import pytest

from al_loop_records.pretraining import PretrainConfig, check_config


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"minutes": None, "epochs": None}, "minutes"),
        ({"method": "pretrained"}, "method"),
        ({"pretrained": True, "pretrained_file": "a"}, "pretrained_file"),
    ],
)
def test_contradictions_name_their_field(changes: dict[str, object], field: str) -> None:
    problem = check_config(msgspec.convert(changes, PretrainConfig))
    assert problem is not None
    assert problem[0] == field
    assert check_config(PretrainConfig()) is None
