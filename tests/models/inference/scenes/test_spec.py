"""A spec and a result come back from JSON as they were: they cross the border to a program."""

import msgspec
import pytest

from models.card import BandPolicy
from models.inference.scenes.spec import SceneResult, SceneSpec


def test_spec_comes_back_from_json() -> None:
    spec = SceneSpec(
        scene="/a/b.tif", name="b.tif", model_dir="/m/v1", task="segmentation", reading=BandPolicy(nodata="any")
    )
    assert msgspec.json.decode(msgspec.json.encode(spec), type=SceneSpec) == spec


def test_unknown_format_is_refused() -> None:
    with pytest.raises(msgspec.ValidationError, match="format"):
        msgspec.convert({"scene": "a", "name": "a", "model_dir": "m", "task": "t", "format": "vrt"}, SceneSpec)
    with pytest.raises(msgspec.ValidationError, match="missing"):
        msgspec.convert({}, SceneResult)
