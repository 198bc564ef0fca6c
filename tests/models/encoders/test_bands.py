"""Bands are told by sensor, by description, or by their number."""

import pytest

from models.encoders.bands import UNKNOWN, band_kinds
from models.errors import TrainingDataError


@pytest.mark.parametrize(
    ("count", "sensor", "position", "name"),
    [
        (13, "sentinel-2", 7, "nir"), (12, "sentinel-2", 10, "swir16"), (10, "sentinel-2", 2, "red"),
        (4, "sentinel-2", 0, "blue"), (7, "landsat-8", 4, "nir"), (6, "landsat-8", 3, "nir"),
        (11, "landsat-8", 10, UNKNOWN), (6, "sentinel-2", 4, "swir16"),
        (3, "rgb", 0, "red"), (4, "rgb-nir", 3, "nir"), (4, "bgr-nir", 2, "red"), (2, "sar-vv-vh", 1, "vh"),
        (13, None, 7, "nir"), (3, None, 2, "blue"), (4, None, 3, "nir"), (5, None, 0, UNKNOWN), (1, None, 0, UNKNOWN),
    ],
)  # fmt: skip
def test_sensor_or_number_tells_the_bands(count: int, sensor: str | None, position: int, name: str) -> None:
    kinds = band_kinds(count, sensor)
    assert len(kinds) == count
    assert kinds[position] == name


@pytest.mark.parametrize(
    ("sensor", "count"), [("rgb", 4), ("rgb-nir", 3), ("sar-vv-vh", 3), ("sentinel-2", 5), ("landsat-8", 3)]
)
def test_sensor_that_contradicts_the_band_count_is_refused(sensor: str, count: int) -> None:
    with pytest.raises(TrainingDataError, match=rf"settings.sensor is {sensor}.*but the images have {count}"):
        band_kinds(count, sensor)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Red", "red"), ("B8A", "nir08"), ("B04 (665 nm)", "red"), ("842 nm", "nir"), ("1.61 um", "swir16"),
        ("near infrared", "nir"), ("VV amplitude", "vv"), ("B2", "blue"),
    ],
)  # fmt: skip
def test_descriptions_tell_the_bands(text: str, name: str) -> None:
    assert band_kinds(2, None, [text, "height above ground"]) == [name, UNKNOWN]


def test_unknown_names_leave_it_to_the_number_of_bands() -> None:
    assert band_kinds(3, None, ["a", "b", None]) == ["red", "green", "blue"]
    assert band_kinds(2, None, ["a", "b"]) == [UNKNOWN, UNKNOWN]
    assert band_kinds(4, None, ["red"]) == ["blue", "green", "red", "nir"]  # descriptions of fewer bands say nothing


def test_listed_names_win_over_everything() -> None:
    names = ["NIR", "842 nm", "B04", "unknown"]
    assert band_kinds(4, "rgb-nir", ["red"] * 4, names=names) == ["nir", "nir", "red", UNKNOWN]


@pytest.mark.parametrize(
    ("names", "sentence"),
    [(["red", "green"], "lists 2 bands, but the images have 3"), (["red", "green", "teal"], "'teal' is no name of a")],
)
def test_listed_names_that_do_not_fit_are_refused(names: list[str], sentence: str) -> None:
    with pytest.raises(TrainingDataError, match=sentence):
        band_kinds(3, names=names)


def test_colours_tell_the_bands_of_files_without_descriptions() -> None:
    assert band_kinds(4, colours=["red", "green", "blue", "undefined"]) == ["red", "green", "blue", "nir"]
    assert band_kinds(4, colours=["gray", "undefined", "undefined", "undefined"])[0] == "blue"
    assert band_kinds(3, None, ["blue", "green", "red"], colours=["red", "green", "blue"])[0] == "blue"
