"""DeepGlobe (Demir et al. 2018, arXiv 1805.06561): `100694_sat.jpg` and `100694_mask.png`, land cover and roads.

Colours of its masks are taken as 0 or 255 in each channel, whichever is nearer, as its publishers say. Both challenges
name their files alike: land cover is known by its colours; of masks in black and white the class has to be said.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from al_loop.campaigns.importing.class_list import ClassCodes
from al_loop.campaigns.importing.mask_meaning import MaskValues, nearest_pure
from al_loop.errors import InvalidValueError
from models.card import BACKGROUND, IGNORE
from models.rasters.mask_pixels import hex_colour

LAND_COVER = {
    "urban land": 0x00FFFF,
    "agriculture land": 0xFFFF00,
    "rangeland": 0xFF00FF,
    "forest land": 0x00FF00,
    "water": 0x0000FF,
    "barren land": 0xFFFFFF,
}
"""Class -> colour; black is unknown, and ignored."""
_BLACK, _WHITE = 0x000000, 0xFFFFFF
_IMAGE = re.compile(r"(.*/)?[0-9]+_sat\.jpg")
_MASK = re.compile(r"(.*/)?[0-9]+_mask\.png")


def meaning(
    named: ClassCodes | None, pairs: Mapping[str, str], masks: Sequence[MaskValues]
) -> tuple[ClassCodes, list[str]] | None:
    """The published classes, or those given by colour, and sentences; None: names or values are others.

    Raises:
        InvalidValueError: The masks are black and white, and what is white was not said.
    """
    if not all(
        _IMAGE.fullmatch(path.casefold()) and _MASK.fullmatch(mask.casefold()) for path, mask in pairs.items()
    ) or not all(mask.coloured for mask in masks):
        return None
    impure = sum(any(nearest_pure(value) != value for value in mask.values) for mask in masks)
    noted = [f"{impure} masks hold colours between: each channel is taken as 0 or 255"] if impure else []
    found = {nearest_pure(value) for mask in masks for value in mask.values}
    if named is not None and named.colours:
        return replace(named, nearest=True), noted
    if named is not None and len(named.names) == 1 and found <= {_BLACK, _WHITE}:
        only = ClassCodes(named.names, {}, {_BLACK: BACKGROUND, _WHITE: 1}, source=named.source, nearest=True)
        return only, [f"white is {named.names[0]}, black is background", *noted]
    if named is not None or not found <= {_BLACK, *LAND_COVER.values()}:
        return None
    if found <= {_BLACK, _WHITE}:
        raise InvalidValueError(
            "$.directory",
            "names of files are DeepGlobe's, and the masks are black and white: say which class is white, --classes "
            "road for its roads; of its land cover, white is barren land and the other classes are not in these files",
        )
    colours = {_BLACK: IGNORE} | {colour: code for code, colour in enumerate(LAND_COVER.values(), start=1)}
    told = ", ".join(f"{hex_colour(colour)} {name}" for name, colour in LAND_COVER.items())
    note = f"names and colours are those of DeepGlobe's land cover: {told}, black is unknown (ignored)"
    return ClassCodes(list(LAND_COVER), {}, colours, source="DeepGlobe", nearest=True), [note, *noted]
