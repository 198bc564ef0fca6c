"""What each band of a pool is: from a list, the sensor, the descriptions of its files, or from how many there are.

Knows nothing of torch. Names are those of STAC's common names: red, green, blue, nir, nir08, swir16, swir22, coastal,
rededge, nir09, cirrus, lwir; vv and vh for radar; "unknown".
"""

import re
from collections.abc import Sequence

from models.errors import TrainingDataError

UNKNOWN = "unknown"
RGB = ("red", "green", "blue")

_S2 = {
    "B01": "coastal", "B02": "blue", "B03": "green", "B04": "red", "B05": "rededge", "B06": "rededge",
    "B07": "rededge", "B08": "nir", "B8A": "nir08", "B09": "nir09", "B10": "cirrus", "B11": "swir16", "B12": "swir22",
}  # fmt: skip
_S2_ORDERS = {
    count: tuple(name for name in _S2 if name not in left_out)
    for count, left_out in ((10, ("B01", "B09", "B10")), (12, ("B10",)), (13, ()))
}
_S2_SMALL = {3: RGB[::-1], 4: (*RGB[::-1], "nir"), 6: (*RGB[::-1], "nir", "swir16", "swir22")}
_LANDSAT = ("coastal", "blue", "green", "red", "nir", "swir16", "swir22")
_LANDSAT_COUNTS = (6, 7, 8, 9, 10, 11)
_FIXED = {
    "rgb": RGB, "rgb-nir": (*RGB, "nir"), "bgr-nir": (*RGB[::-1], "nir"), "sar-vv-vh": ("vv", "vh"),
}  # fmt: skip
_WORDS = {
    **{name: name for name in (*_S2.values(), "lwir", "vv", "vh", UNKNOWN)},
    "near infrared": "nir", "narrow nir": "nir08", "nir-narrow": "nir08", "swir1": "swir16", "swir2": "swir22",
}  # fmt: skip
_RANGES_NM = (  # wavelengths as STAC's common names have them
    (400, 450, "coastal"), (450, 520, "blue"), (520, 600, "green"), (600, 690, "red"), (690, 760, "rededge"),
    (760, 900, "nir"), (900, 1000, "nir09"), (1350, 1400, "cirrus"), (1500, 1750, "swir16"), (2050, 2350, "swir22"),
)  # fmt: skip


def band_kinds(
    count: int,
    sensor: str | None = None,
    descriptions: Sequence[str | None] = (),
    *,
    names: Sequence[str] | None = None,
    colours: Sequence[str | None] = (),
) -> list[str]:
    """What each of the files' bands is.

    Args:
        count: Bands of the files.
        sensor: `settings.sensor` of the campaign; wins over the descriptions.
        descriptions: Of the bands, as GDAL has them: names, Sentinel-2's band numbers, or wavelengths in nm or um.
        names: `settings.band_names` of the campaign, in the same words; wins over all.
        colours: GDAL's colour interpretation of the bands, for files whose descriptions say nothing.

    Returns:
        A name for each; `UNKNOWN` where nothing says. Three bands without a word are taken for red, green and blue.

    Raises:
        TrainingDataError: The sensor, or the list of names, has another number of bands, or a name is not known.
    """
    if names is not None:
        return _of_names(names, count)
    if sensor is not None:
        return list(_of_sensor(sensor, count))
    named = [_of_text(text) for text in descriptions]
    if len(named) == count and any(name != UNKNOWN for name in named):
        return named
    coloured = [_of_text(text) for text in colours]
    if len(coloured) == count and set(RGB) <= set(coloured):
        return [name if name in RGB else "nir" if count == len(RGB) + 1 else UNKNOWN for name in coloured]
    if count == len(RGB):
        return list(RGB)
    order = _S2_ORDERS.get(count)
    return [_S2[name] for name in order] if order else list(_S2_SMALL.get(count, [UNKNOWN] * count))


def kind_of(name: str) -> str | None:
    """What a band is that goes by a name, a number of Sentinel-2's, or a wavelength; None: nobody knows."""
    kind = _of_text(name)
    return kind if kind != UNKNOWN or name.strip().lower() == UNKNOWN else None


def unknown_name(name: str) -> str:
    """Why a name of a band is refused, in one sentence."""
    known = ", ".join(dict.fromkeys((*RGB, "nir", "nir08", "rededge", "swir16", "swir22", "coastal", "vv", "vh")))
    others = f"a band of Sentinel-2 such as B04, a wavelength such as 842 nm, or {UNKNOWN}"
    return f"{name!r} is no name of a band; say {known}, {others}"


def _of_names(names: Sequence[str], count: int) -> list[str]:
    if len(names) != count:
        raise TrainingDataError(f"settings.band_names lists {len(names)} bands, but the images have {count}")
    kinds = []
    for name in names:
        kind = kind_of(name)
        if kind is None:
            raise TrainingDataError(unknown_name(name))
        kinds.append(kind)
    return kinds


def _of_sensor(sensor: str, count: int) -> Sequence[str]:
    if sensor == "sentinel-2":
        if count in _S2_ORDERS:
            return [_S2[name] for name in _S2_ORDERS[count]]
        if count in _S2_SMALL:
            return _S2_SMALL[count]
        raise _contradiction(sensor, "3, 4, 6, 10, 12 or 13", count)
    if sensor == "landsat-8":
        if count not in _LANDSAT_COUNTS:
            raise _contradiction(sensor, "6 to 11", count)
        known = _LANDSAT[1:] if count == len(_LANDSAT) - 1 else _LANDSAT
        return [*known, *[UNKNOWN] * (count - len(known))]
    expected = _FIXED[sensor]
    if len(expected) != count:
        raise _contradiction(sensor, str(len(expected)), count)
    return expected


def _contradiction(sensor: str, expected: str, count: int) -> TrainingDataError:
    return TrainingDataError(
        f"settings.sensor is {sensor}, which has {expected} bands, but the images have {count}; "
        "settings.band_names can say what each band is"
    )


def _of_text(text: str | None) -> str:
    words = (text or "").strip().lower()
    if words in _WORDS:
        return _WORDS[words]
    if code := re.match(r"b(?:and )?0?([0-9]{1,2}a?)\b", words):
        return _S2.get(f"B{code[1].upper():0>2}", UNKNOWN)
    if length := re.search(r"([0-9]+(?:\.[0-9]+)?)\s*(nm|nanomet|um|µm|micromet)", words):
        nanometres = float(length[1]) * (1 if length[2].startswith("n") else 1000)
        return next((name for low, high, name in _RANGES_NM if low <= nanometres < high), UNKNOWN)
    return next((_WORDS[word] for word in re.findall(r"[a-z0-9]+", words) if word in _WORDS), UNKNOWN)
