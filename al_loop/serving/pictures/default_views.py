"""Which views fit a campaign's bands, where its settings name none: true colour, infrared, SWIR, NDVI, NDWI, SAR."""

import re
from collections.abc import Mapping, Sequence

import numpy as np

from al_loop.domain.campaigns import Sensor, View
from al_loop.serving.pictures.pool_pixels import PoolPixels
from models.encoders.bands import UNKNOWN, kind_of

Bands = Mapping[str, int]
"""1-based band by what it shows: red, green, blue, nir, nir-narrow, swir1, swir2, vv, vh."""

S2_NAMES = {
    "B02": "blue", "B03": "green", "B04": "red", "B08": "nir", "B8A": "nir-narrow", "B11": "swir1", "B12": "swir2",
}  # fmt: skip
S2_ORDERS = {
    10: ("B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B11", "B12"),
    12: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B11", "B12"),
    13: ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B8A", "B09", "B10", "B11", "B12"),
}
S2_B8A_LAST = ("B01", "B02", "B03", "B04", "B05", "B06", "B07", "B08", "B09", "B10", "B11", "B12", "B8A")
"""The order of EuroSAT and other sets that were cut from single-band files."""
CIRRUS_SHARE = 0.2
"""The cirrus band is darker than this share of the band after it: little of it reaches the ground."""
LANDSAT = {"blue": 2, "green": 3, "red": 4, "nir": 5, "swir1": 6, "swir2": 7}
"""Collection 2 surface reflectance with the coastal band first."""
SIX = {"blue": 1, "green": 2, "red": 3, "nir": 4, "swir1": 5, "swir2": 6}
NDVI_LIMITS = ((-0.2, 0.9),)
NDWI_LIMITS = ((-0.6, 0.6),)
_WORDS = {
    "red": "red", "green": "green", "blue": "blue", "nir": "nir", "nir08": "nir", "near infrared": "nir",
    "swir1": "swir1", "swir16": "swir1", "swir2": "swir2", "swir22": "swir2", "vv": "vv", "vh": "vh",
}  # fmt: skip

_OF_KINDS = {"nir08": "nir-narrow", "swir16": "swir1", "swir22": "swir2"}


def default_views(
    band_count: int,
    model_bands: Sequence[int] | None,
    sensor: Sensor | None,
    seen: PoolPixels,
    names: Sequence[str] | None = None,
) -> list[View]:
    """Views of files with so many bands; the first is the default.

    Args:
        band_count: Bands of the files.
        model_bands: The campaign's `bands`; three of them are its red, green and blue.
        sensor: What the settings say took the images.
        seen: Names of bands and pixels of the pool.
        names: What the settings say each band is; wins over all.
    """
    bands = dict(_known(band_count, sensor, seen)) if names is None else _of_kinds(names)
    if model_bands is not None and len(model_bands) == 3 and sensor is None and names is None:
        bands |= dict(zip(("red", "green", "blue"), model_bands, strict=True))
    views = list(_optical(bands)) + list(_radar(bands, seen))
    if not views:
        views = [View(name="grey", title="Grey", bands=(1,))]
        if band_count >= 3:
            views = [View(name="true-colour", title="True colour", bands=(3, 2, 1)), *views]
    return [view for view in views if max(_bands_of(view)) <= band_count]


def _known(band_count: int, sensor: Sensor | None, seen: PoolPixels) -> Bands:
    if sensor is not None:
        return _of_sensor(sensor, band_count, seen)
    named = _of_names(seen.descriptions)
    if {"red", "green", "blue"} <= named.keys() or {"vv", "vh"} <= named.keys():
        return named
    coloured = _of_names(seen.colours)
    if {"red", "green", "blue"} <= coloured.keys():
        return coloured | ({"nir": 4} if band_count == 4 else {})
    return _of_count(band_count, seen)


def _of_kinds(names: Sequence[str]) -> dict[str, int]:
    """Bands by the names of the settings; the first of a kind counts."""
    found: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        kind = kind_of(name) or UNKNOWN
        found.setdefault(_OF_KINDS.get(kind, kind), number)
    return found


def _of_sensor(sensor: Sensor, band_count: int, seen: PoolPixels) -> Bands:
    rgb = {"red": 1, "green": 2, "blue": 3}
    match sensor:
        case "sar-vv-vh":
            return {"vv": 1, "vh": 2}
        case "sentinel-2":
            return _of_count(band_count, seen) or {"blue": 1, "green": 2, "red": 3}
        case "landsat-8":
            return SIX if band_count == 6 else LANDSAT
        case "rgb":
            return rgb
        case "rgb-nir":
            return rgb | {"nir": 4}
        case "bgr-nir":
            return {"blue": 1, "green": 2, "red": 3, "nir": 4}


def _of_count(band_count: int, seen: PoolPixels) -> Bands:
    if band_count in S2_ORDERS:
        order = S2_ORDERS[band_count]
        if band_count == 13 and _is_cirrus(10, seen) and not _is_cirrus(11, seen):
            order = S2_B8A_LAST
        return {S2_NAMES[name]: number for number, name in enumerate(order, start=1) if name in S2_NAMES}
    match band_count:
        case 2:
            return {"vv": 1, "vh": 2}
        case 3:
            return {"red": 1, "green": 2, "blue": 3}
        case 4:
            return {"blue": 1, "green": 2, "red": 3, "nir": 4}
        case 6:
            return SIX
        case _:
            return {}


def _is_cirrus(band: int, seen: PoolPixels) -> bool:
    if seen.pixels.shape[1] <= band or not len(seen.pixels):
        return False
    own, after = np.nanmedian(seen.pixels[:, band - 1]), np.nanmedian(seen.pixels[:, band])
    return bool(own < CIRRUS_SHARE * after)


def _of_names(names: Sequence[str | None]) -> dict[str, int]:
    """Bands by their descriptions or colour interpretations; the first of a kind counts."""
    found: dict[str, int] = {}
    for number, name in enumerate(names, start=1):
        text = (name or "").strip().lower()
        code = re.fullmatch(r"(?:sr_)?b0?([0-9]{1,2}a?)\b.*", text)
        kind = _WORDS.get(text) or (S2_NAMES.get(f"B{code[1].upper():0>2}") if code else None)
        if kind is not None:
            found.setdefault(kind, number)
    return found


def _optical(bands: Bands) -> list[View]:
    views = []
    if {"red", "green", "blue"} <= bands.keys():
        rgb = (bands["red"], bands["green"], bands["blue"])
        views.append(View(name="true-colour", title="True colour", bands=rgb))
    if {"nir", "red", "green"} <= bands.keys():
        nir, red, green = bands["nir"], bands["red"], bands["green"]
        views.append(View(name="infrared", title="Near infrared", bands=(nir, red, green)))
        if {"swir2", "red"} <= bands.keys():
            narrow = bands.get("nir-narrow", nir)
            views.append(View(name="swir", title="Short-wave infrared", bands=(bands["swir2"], narrow, red)))
        ndvi, ndwi = f"(b{nir}-b{red})/(b{nir}+b{red})", f"(b{green}-b{nir})/(b{green}+b{nir})"
        views.append(View(name="ndvi", title="NDVI (plants)", expression=ndvi, limits=NDVI_LIMITS, colormap="rdylgn"))
        views.append(View(name="ndwi", title="NDWI (water)", expression=ndwi, limits=NDWI_LIMITS, colormap="rdbu"))
    return views


def _radar(bands: Bands, seen: PoolPixels) -> list[View]:
    if not {"vv", "vh"} <= bands.keys():
        return []
    vv, vh = bands["vv"], bands["vh"]
    in_decibels = len(seen.pixels) > 0 and bool(np.nanmedian(seen.pixels) < 0)
    ratio = f"b{vv}-b{vh}" if in_decibels else f"b{vv}/b{vh}"
    return [
        View(name="radar", title="VV, VH and their ratio", expression=f"b{vv};b{vh};{ratio}"),
        View(name="vv", title="VV", bands=(vv,)),
        View(name="vh", title="VH", bands=(vh,)),
    ]


def _bands_of(view: View) -> Sequence[int]:
    return view.bands or [int(number) for number in re.findall(r"b([0-9]+)", view.expression or "")]
