"""What the values of masks mean: which code or colour is which class. What has no name is refused, not guessed."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.importing.class_list import CLASSES_FILE, ClassCodes, listed, suggested
from al_loop.campaigns.notices import named
from al_loop.errors import InvalidValueError
from models.card import BACKGROUND, IGNORE
from models.rasters.mask_pixels import MaskPixels, hex_colour

_SHOWN = 16
_MOST_UNNAMED = 64
"""More values than this without names are no classes: masks that were resized or compressed, or pictures."""
_SPARSE_FROM = 20
"""Codes as high as this that leave gaps are grey levels rather than places in a list."""


class MaskValues(NamedTuple):
    """Which values a mask holds."""

    path: str
    coloured: bool
    values: frozenset[int]
    palette: Mapping[int, int]

    @classmethod
    def of(cls, path: str, pixels: MaskPixels) -> "MaskValues":
        """The values of a mask that was read."""
        return cls(path, pixels.coloured, frozenset(np.unique(pixels.values).tolist()), pixels.palette)

    def code_of(self, meaning: ClassCodes) -> dict[int, int]:
        """Value -> code of those values that have a meaning."""
        if self.coloured:
            colours = {value: nearest_pure(value) if meaning.nearest else value for value in self.values}
            return {value: meaning.colours[colour] for value, colour in colours.items() if colour in meaning.colours}
        if meaning.colours and self.palette:
            colours = {value: self.palette.get(value, -1) for value in self.values}
            return {value: meaning.colours[colour] for value, colour in colours.items() if colour in meaning.colours}
        return {value: meaning.codes[value] for value in self.values if value in meaning.codes}

    def codes(self, meaning: ClassCodes) -> set[int]:
        """Codes of the classes in it."""
        return set(self.code_of(meaning).values()) - {BACKGROUND, IGNORE}

    def unknown(self, meaning: ClassCodes) -> str | None:
        """Why the mask cannot be used, or None."""
        missing = sorted(self.values - self.code_of(meaning).keys())
        if not missing:
            return None
        if self.coloured and not meaning.colours:
            return f"it has colours instead of one band of class codes, and {meaning.source} gives no colours"
        if self.coloured:
            return f"colours {_shown([hex_colour(value) for value in missing])} name no class of {meaning.source}"
        return f"codes {_shown(missing)} name no class of {named(meaning.names)}"

    def apply(self, meaning: ClassCodes, pixels: MaskPixels) -> NDArray[np.uint8] | None:
        """Codes of shape (H, W), or None where a value has no meaning."""
        code_of = self.code_of(meaning)
        if len(code_of) < len(self.values):
            return None
        values, places = np.unique(pixels.values, return_inverse=True)
        codes = np.array([code_of[int(value)] for value in values], np.uint8)
        return codes[places].reshape(pixels.values.shape)


def nearest_pure(colour: int) -> int:
    """The colour 0xRRGGBB with each channel 0 or 255, whichever is nearer: from 128 on it is 255."""
    return sum(0xFF << shift for shift in (0, 8, 16) if (colour >> shift) & 0xFF >= 128)


def meaning_of(named: ClassCodes | None, masks: Sequence[MaskValues]) -> tuple[ClassCodes, list[str]]:
    """Which class each value is, and what was decided, as sentences.

    Args:
        named: Classes as they were given; None: there are none, and codes stand for themselves.
        masks: At least one.

    Raises:
        InvalidValueError: Values need a name, or none of them is a class; says what was found and what to do.
    """
    codes = {value for mask in masks if not mask.coloured for value in mask.values} - {BACKGROUND}
    colours = {value for mask in masks if mask.coloured for value in mask.values} - {BACKGROUND}
    by_palette = named is not None and bool(named.colours) and any(mask.palette for mask in masks)
    if colours and not codes and not (named is not None and named.colours):
        if named is not None and len(named.names) == 1 and len(colours) == 1:
            [colour] = colours
            meaning = ClassCodes(named.names, named.codes, {BACKGROUND: BACKGROUND, colour: 1}, source=named.source)
            return meaning, [f"the one colour of the masks, {hex_colour(colour)}, is {named.names[0]}"]
        _refuse_colours(colours)
    if named is not None and named.colours and codes and not by_palette and not colours:
        _refuse(
            f"the masks hold codes {_shown(sorted(codes))}, not colours: give each class its code in {named.source}"
        )
    if codes == {IGNORE} and not by_palette:
        return _white(named)
    if named is None:
        return _unnamed(masks, codes), []
    return named, []


def _white(named: ClassCodes | None) -> tuple[ClassCodes, list[str]]:
    """Masks of 0 and 255 only."""
    if named is None:
        _refuse("the masks hold only 0 and 255: say which class is white, as in --classes field; 0 is background then")
    if named.says_ignore or named.codes.get(IGNORE, IGNORE) != IGNORE:
        return named, []
    if len(named.names) != 1:
        _refuse(
            f"the masks hold only 0 and 255, which is one class, and {named.source} names {len(named.names)}: say "
            "which one is white, as in --classes field"
        )
    return named.one_is_white(), [f"the masks hold only 0 and 255: 255 is {named.names[0]}, 0 is background"]


def _unnamed(masks: Sequence[MaskValues], codes: set[int]) -> ClassCodes:
    """Classes "1" to the highest code."""
    classes = sorted(codes - {IGNORE})
    if not classes:
        _refuse(f"no mask holds a class, only background; name classes in {CLASSES_FILE}")
    highest = classes[-1]
    if len(classes) > _MOST_UNNAMED:
        _refuse(
            f"the masks hold {len(classes)} different values: masks that were resized, compressed or are pictures. If "
            f"they are classes, name them in {CLASSES_FILE}"
        )
    if highest >= _SPARSE_FROM and len(classes) < highest / 2:
        _refuse(f"the masks hold the values {_shown(classes)}: name them in {CLASSES_FILE}, as {suggested(classes)}")
    _check_palettes(masks)
    return listed([str(code) for code in range(1, highest + 1)], "the codes of the masks")


def _check_palettes(masks: Sequence[MaskValues]) -> None:
    """Refuse palettes in which one code has two colours: then codes are no classes."""
    seen: dict[int, int] = {}
    for mask in masks:
        for code, colour in mask.palette.items():
            if seen.setdefault(code, colour) != colour:
                found = sorted({colour for mask in masks for colour in mask.palette.values()} - {BACKGROUND})
                told = suggested([hex_colour(colour) for colour in found[:_SHOWN]])
                _refuse(
                    f"the palettes of the masks differ: code {code} is {hex_colour(seen[code])} in one and "
                    f"{hex_colour(colour)} in {mask.path}; name the classes by colour in {CLASSES_FILE}, as {told}"
                )


def _refuse_colours(colours: set[int]) -> NoReturn:
    if len(colours) > _MOST_UNNAMED:
        _refuse(f"the masks hold {len(colours)} different colours: pictures, or masks that were resized or compressed")
    found = [hex_colour(colour) for colour in sorted(colours)]
    _refuse(f"the masks are coloured ({_shown(found)}): name the colours in {CLASSES_FILE}, as {suggested(found)}")


def _shown(values: Sequence[int | str]) -> str:
    more = f" and {len(values) - _SHOWN} more" if len(values) > _SHOWN else ""
    return "[" + ", ".join(str(value) for value in values[:_SHOWN]) + "]" + more if values else ""


def _refuse(reason: str) -> NoReturn:
    raise InvalidValueError("$.directory", reason)
