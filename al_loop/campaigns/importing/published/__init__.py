"""Data sets whose masks mean what their publishers say: known by their names and values together, or not at all."""

from collections.abc import Mapping, Sequence

from al_loop.campaigns.importing.class_list import ClassCodes
from al_loop.campaigns.importing.mask_meaning import MaskValues
from al_loop.campaigns.importing.published import deepglobe, loveda


def published_meaning(
    named: ClassCodes | None, pairs: Mapping[str, str], masks: Sequence[MaskValues]
) -> tuple[ClassCodes, list[str]] | None:
    """What masks of LoveDA or DeepGlobe mean, and what was decided, as sentences; None: they are of neither.

    Args:
        named: Classes as they were given, which go before what was published.
        pairs: Image -> its mask.
        masks: What they hold.

    Raises:
        InvalidValueError: They are of DeepGlobe's names, and black and white: what is white has to be said.
    """
    return loveda.meaning(named, pairs, masks) or deepglobe.meaning(named, pairs, masks)
