"""Colours of classes: chosen by an operator, customary for a land cover, or of a palette; the same in every picture."""

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign, ClassDetails
from models.card import ModelCard, TaskName, TaskSpec

PALETTE = (
    "#e6194b", "#3cb44b", "#0048f0", "#ffe119", "#f58231", "#911eb4", "#42d4f4", "#f032e6", "#bfef45", "#fabed4",
    "#469990", "#9a6324", "#800000", "#aaffc3", "#808000", "#000075",
)  # fmt: skip
"""For classes without a customary colour; repeated when there are more."""

CUSTOMARY = {
    "#0064c8": "water sea ocean lake river reservoir pond canal",
    "#397d49": "tree forest wood woodland woods",
    "#88b053": "grass grassland pasture meadow rangeland lawn",
    "#f096ff": "crop cropland agriculture agricultural farmland field cultivated",
    "#ffbb22": "shrub shrubland scrub scrubland bush bushland",
    "#fa0000": "urban building built settlement residential city town house roof",
    "#a59b8f": "bare barren soil sand rock desert",
    "#f0f0f0": "snow ice glacier",
    "#0096a0": "wetland marsh swamp bog flooded",
    "#00cf75": "mangrove",
    "#fae6a0": "moss lichen tundra",
    "#c0c0c0": "cloud",
    "#643200": "shadow",
    "#505050": "road street highway asphalt",
    "#cc4df2": "industrial industry factory",
    "#e68000": "orchard vineyard",
}
"""Land covers by the colour that published maps show them in.

Water, crops, shrubs, built-up, snow, wetland, mangroves and moss: legend of ESA WorldCover 2021 (Product User Manual
2.0). Trees, grass, bare: Dynamic World (Brown et al. 2022, Scientific Data 9:251); WorldCover's forest and built-up
look alike to those who see no red. Industry, orchards, vegetation: CORINE Land Cover 2018, classes 121, 221 and 323.
Cloud and cloud shadow: scene classification of Sentinel-2 L2A, classes 8 and 3.
Roads: no map of those shows them; dark as asphalt.
"""

_COLOUR_OF = {word: colour for colour, words in CUSTOMARY.items() for word in words.split()}
_PHRASES = {
    "permanent crop": "#e68000", "herbaceous vegetation": "#a6e64d", "vegetation": "#a6e64d", "land": "#a59b8f",
}  # fmt: skip
"""Whole names whose words say nothing, or something else, one by one."""
_FILLER_WORDS = """
and or of the land cover covered area surface up body bodies vegetation sparse dense permanent seasonal
annual herbaceous open
"""
"""Words that say nothing of the colour: "permanent water bodies" is water."""

APART = 30.0
"""Least distance of a palette colour to the others, in CIE 1976 L*a*b* as it is seen with, and without, red or green
cones; where none is that far, the farthest is taken."""
_ALIKE = 10.0
"""Customary colours nearer than this are not given twice: "urban" and "building" are told apart."""

# linear RGB as it is seen without red cones, and without green ones: Machado, Oliveira & Fernandes 2009, severity 1
_VISIONS = np.array(
    [
        [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    ]
)
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_WHITE = np.array([0.95047, 1.0, 1.08883])
"""D65, as sRGB has it."""


def class_colours(tasks: Iterable[TaskSpec], chosen: Mapping[str, str] | None = None) -> dict[str, str]:
    """`#rrggbb` of each class name of a campaign, in the order of its tasks; a name has one colour in all of them.

    Args:
        tasks: Of the campaign.
        chosen: Colours that an operator gave to some classes, as `Campaign.chosen_colours`.
    """
    names = dict.fromkeys(name for spec in tasks for name in spec.classes)
    taken = {name: colour for name, colour in (chosen or {}).items() if name in names}
    for name in names:
        colour = customary_colour(name)
        if name not in taken and colour is not None and _nearest(colour, taken.values()) >= _ALIKE:
            taken[name] = colour
    free = list(PALETTE)
    for index, name in enumerate(names):
        if name in taken:
            continue
        if not free:
            taken[name] = PALETTE[index % len(PALETTE)]
            continue
        distances = [_nearest(colour, taken.values()) for colour in free]
        far = (place for place, distance in enumerate(distances) if distance >= APART)
        taken[name] = free.pop(next(far, int(np.argmax(distances))))
    return {name: taken[name] for name in names}


def task_colours(card: ModelCard, task: TaskName, chosen: Mapping[str, str]) -> list[str]:
    """`#rrggbb` of the classes of a model's task, in the model's order; empty where it has no such task.

    Args:
        card: Of the version.
        task: One of its tasks.
        chosen: Colours of the campaign's classes, which those of the same name have.
    """
    specs = [spec for spec in card.tasks if spec.task == task]
    return list(class_colours(specs, chosen).values())


def keep_colours(
    before: Campaign, tasks: Sequence[TaskSpec], details: Sequence[ClassDetails], changed: Collection[str] = ()
) -> list[ClassDetails]:
    """What is known of classes, with a colour for those that would get another one because other classes changed.

    Args:
        before: The campaign whose colours people know.
        tasks: What its tasks become.
        details: What becomes known of its classes.
        changed: Former names of classes that may get another colour.
    """
    kept = {(entry.task, entry.name): entry for entry in details}
    old = class_colours(before.tasks, before.chosen_colours)
    while moved := _moved(old, tasks, kept.values(), changed):  # a colour that is kept may take that of the next
        for name in moved:
            task = next(spec.task for spec in tasks if name in spec.classes)
            entry = kept.get((task, name), ClassDetails(task=task, name=name))
            kept[task, name] = msgspec.structs.replace(entry, colour=old[name])
    return list(kept.values())


def _moved(
    old: Mapping[str, str], tasks: Sequence[TaskSpec], details: Iterable[ClassDetails], changed: Collection[str]
) -> list[str]:
    """Classes that are left and have another colour now, which nobody chose."""
    chosen = {entry.name: entry.colour for entry in details if entry.colour is not None}
    new, given = class_colours(tasks, chosen), {*chosen, *changed}
    return [name for name, colour in old.items() if name not in given and new.get(name, colour) != colour]


def customary_colour(name: str) -> str | None:
    """The colour that maps show a land cover in, by its English name ("Tree cover", "bare_soil", "SeaLake")."""
    spaced = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    every = re.findall(r"[^\W\d_]+", spaced.casefold())
    phrase = " ".join(every).removesuffix("s")
    if phrase in _PHRASES:
        return _PHRASES[phrase]
    words = [word for word in every if word not in _FILLER_WORDS.split()]
    if words[:1] in (["cloud"], ["clouds"]) and words[1:] in (["shadow"], ["shadows"]):
        words = words[1:]
    colours = {_COLOUR_OF.get(word) or _COLOUR_OF.get(word.removesuffix("s")) for word in words}
    return colours.pop() if len(colours) == 1 else None


def rgb(colour: str) -> tuple[int, int, int]:
    """Red, green and blue, 0 to 255, of `#rrggbb`."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def distance(one: str, other: str) -> float:
    """How far apart two colours are to the one of three kinds of eyes to whom they are nearest, in L*a*b*."""
    return float(np.linalg.norm(_seen(one.lower()) - _seen(other.lower()), axis=1).min())


def _nearest(colour: str, others: Iterable[str]) -> float:
    return min((distance(colour, other) for other in others), default=np.inf)


@lru_cache(1024)
def _seen(colour: str) -> NDArray[np.float64]:
    """L*, a*, b* of an sRGB colour as three kinds of eyes see it, shape (3, 3)."""
    encoded = np.array(rgb(colour)) / 255
    linear = np.where(encoded <= 0.04045, encoded / 12.92, ((encoded + 0.055) / 1.055) ** 2.4)
    x, y, z = (np.clip(_VISIONS @ linear, 0, 1) @ _TO_XYZ.T / _WHITE).T
    x, y, z = (np.where(v > 216 / 24389, np.cbrt(v), (24389 / 27 * v + 16) / 116) for v in (x, y, z))
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], axis=1)
