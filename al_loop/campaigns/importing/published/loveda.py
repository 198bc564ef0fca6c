"""LoveDA (Wang et al. 2021, arXiv 2110.08733): `Train/Urban/images_png/0.png`, `Train/Urban/masks_png/0.png`.

Its masks hold 0 where there is no data, 1 for background and 2 to 7 for six classes; here 255 and 0 stand for the first
two.
"""

import re
from collections.abc import Mapping, Sequence

from al_loop.campaigns.importing.class_list import ClassCodes
from al_loop.campaigns.importing.mask_meaning import MaskValues
from models.card import BACKGROUND, IGNORE

CLASSES = ("building", "road", "water", "barren", "forest", "agriculture")
_MASK = re.compile(r"(.*/)?(urban|rural)/masks_png/[0-9]+\.png")
_NO_DATA, _BACKGROUND, _FIRST = 0, 1, 2


def meaning(
    named: ClassCodes | None, pairs: Mapping[str, str], masks: Sequence[MaskValues]
) -> tuple[ClassCodes, list[str]] | None:
    """The published classes, and a sentence that says so; None: names or values are others, or classes were given."""
    if named is not None or not all(_MASK.fullmatch(mask.casefold()) for mask in pairs.values()):
        return None
    last = _FIRST + len(CLASSES) - 1
    if any(mask.coloured or not mask.values <= set(range(last + 1)) for mask in masks):
        return None
    codes = {_NO_DATA: IGNORE, _BACKGROUND: BACKGROUND} | {code + _FIRST: code + 1 for code in range(len(CLASSES))}
    told = ", ".join(f"{code} {name}" for code, name in enumerate(CLASSES, start=_FIRST))
    note = f"names and values are LoveDA's: 0 is no data (ignored), 1 background, {told}"
    return ClassCodes(list(CLASSES), codes, says_ignore=True, source="LoveDA"), [note]
