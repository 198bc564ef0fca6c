"""What the settings say of the bands must fit together, and fit the images."""

import pytest

from al_loop.domain.band_rules import check_bands
from al_loop.domain.campaigns import CampaignSettings, Sensor
from al_loop.errors import InvalidValueError


@pytest.mark.parametrize(
    ("names", "sensor", "count"),
    [
        (None, None, 7), (None, "sentinel-2", None), (None, "sentinel-2", 13), (("B02", "B03", "B04"), None, None),
        (("red", "green", "blue"), "rgb", 3), (("red", "unknown", "480 nm"), "rgb", None), (("vv",), None, 1),
    ],
)  # fmt: skip
def test_what_fits_is_taken(names: tuple[str, ...] | None, sensor: Sensor | None, count: int | None) -> None:
    check_bands(CampaignSettings(band_names=names, sensor=sensor), count)


@pytest.mark.parametrize(
    ("names", "sensor", "count", "path", "words"),
    [
        (("red", "teal"), None, None, "band_names[1]", "'teal' is no name of a band; say red, green"),
        ((), None, None, "band_names", "at least one"),
        (("red", "nir"), None, 3, "band_names", "lists 2 bands, but the images have 3"),
        (None, "rgb-nir", 3, "sensor", "rgb-nir, which has 4 bands, but the images have 3"),
        (None, "sentinel-2", 5, "sensor", "settings.band_names can say what each band is"),
        (("red", "nir"), "rgb", None, "sensor", "a sensor rgb has no 2 bands"),
        (("nir", "green", "blue"), "rgb", None, "band_names[0]", "band 1 is nir by this list, but red of a sensor rgb"),
    ],
)
def test_contradictions_are_refused_in_a_sentence(
    names: tuple[str, ...] | None, sensor: Sensor | None, count: int | None, path: str, words: str
) -> None:
    with pytest.raises(InvalidValueError) as refused:
        check_bands(CampaignSettings(band_names=names, sensor=sensor), count)
    assert refused.value.path == f"$.settings.{path}"
    assert words in refused.value.reason
