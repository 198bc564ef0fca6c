from datetime import UTC, datetime
from itertools import combinations

import pytest

from al_loop.domain.campaigns import Campaign, CampaignSettings, ClassDetails, RetrainPolicy
from al_loop.domain.class_colours import PALETTE, class_colours, customary_colour, distance, keep_colours, rgb
from models.card import TaskSpec


def colours_of(*names: str, **chosen: str) -> dict[str, str]:
    return class_colours([TaskSpec(task="segmentation", classes=list(names))], chosen)


def test_class_has_one_colour_in_all_tasks() -> None:
    tasks = [
        TaskSpec(task="classification", classes=["water", "urban"]),
        TaskSpec(task="segmentation", classes=["urban", "forest"]),
    ]

    colours = class_colours(tasks)

    assert list(colours) == ["water", "urban", "forest"]
    assert len({rgb(colour) for colour in colours.values()}) == 3


def test_land_covers_have_the_colours_of_maps_whatever_their_order() -> None:
    expected = {"forest": "#397d49", "urban": "#fa0000", "water": "#0064c8"}
    assert colours_of("forest", "urban", "water") == expected
    assert colours_of("water", "forest", "urban") == expected


@pytest.mark.parametrize(
    ("name", "like"),
    [
        ("Permanent water bodies", "water"), ("SeaLake", "water"), ("Tree cover", "forest"), ("TREES", "forest"),
        ("AnnualCrop", "crop"), ("Built-up", "urban"), ("bare_soil", "bare"), ("Snow and ice", "snow"),
        ("Herbaceous wetland", "wetland"), ("clouds", "cloud"), ("cloud shadow", "shadow"), ("Roads", "road"),
        ("Vegetation", "HerbaceousVegetation"), ("PermanentCrop", "orchard"), ("Land", "bare"),
    ],
)  # fmt: skip
def test_names_are_known_as_legends_spell_them(name: str, like: str) -> None:
    assert customary_colour(name) == customary_colour(like) is not None


@pytest.mark.parametrize("name", ["ship", "no water", "waterfall", "forest fire", "land cover", "湿地", "12", "-"])
def test_other_names_have_no_customary_colour(name: str) -> None:
    assert customary_colour(name) is None


def test_other_classes_take_the_palette_in_order_and_none_that_looks_like_a_taken_colour() -> None:
    assert colours_of("ship")["ship"] == PALETTE[0]
    colours = colours_of("ship", "urban", "wake", "water")
    assert (colours["urban"], colours["water"]) == ("#fa0000", "#0064c8")
    assert not {colours["ship"], colours["wake"]} & {PALETTE[0], PALETTE[2]}  # another red, another blue
    assert min(distance(*pair) for pair in combinations(colours.values(), 2)) >= 20


def test_two_names_of_one_land_cover_are_told_apart() -> None:
    colours = colours_of("urban", "building", "roof")
    assert colours["urban"] == "#fa0000"
    assert min(distance(*pair) for pair in combinations(colours.values(), 2)) >= 20


def test_chosen_colours_stay_and_are_not_given_twice() -> None:
    colours = colours_of("water", "forest", "ship", water="#00FF00", ship="#397d49")
    assert (colours["water"], colours["ship"]) == ("#00FF00", "#397d49")
    assert distance(colours["forest"], "#397d49") >= 20


def test_common_land_covers_are_told_apart_by_those_who_see_no_red_or_no_green() -> None:
    colours = colours_of(
        "water", "forest", "grass", "crop", "shrub", "urban", "bare", "snow", "wetland", "cloud", "road"
    )
    assert min(distance(*pair) for pair in combinations(colours.values(), 2)) >= 14
    assert distance("#fa0000", "#006400") < 5  # WorldCover's built-up and trees, without red cones


def test_palette_is_repeated_when_there_are_more_classes() -> None:
    colours = list(colours_of(*(f"kind {chr(97 + n // 26)}{chr(97 + n % 26)}" for n in range(300))).values())
    assert set(colours[:16]) == set(PALETTE)
    assert set(colours) == set(PALETTE)


def test_classes_of_well_known_sets_are_told_apart_and_vegetation_is_green() -> None:
    dubai = colours_of("Building", "Land", "Road", "Vegetation", "Water")
    red, green, blue = rgb(dubai["Vegetation"])
    assert green > red > blue
    eurosat = colours_of(
        "AnnualCrop", "Forest", "HerbaceousVegetation", "Highway", "Industrial", "Pasture", "PermanentCrop",
        "Residential", "River", "SeaLake",
    )  # fmt: skip
    for colours in (dubai, eurosat):
        assert min(distance(*pair) for pair in combinations(colours.values(), 2)) >= 10


def test_colour_chosen_for_one_class_moves_no_other() -> None:
    tasks = [TaskSpec(task="classification", classes=["water", "urban", "ship", "wake", "forest"])]
    demo = Campaign(
        campaign_id=1, name="demo", tasks=tasks, root="/imagery", bands=None, source_bands=3, current_version=None,
        settings=CampaignSettings(), policy=RetrainPolicy(), created_at=datetime(2026, 3, 1, tzinfo=UTC),
    )  # fmt: skip
    green = ClassDetails(task="classification", name="water", colour="#00aa00")  # like "urban" to those who see no red
    details = keep_colours(demo, tasks, [green], changed={"water"})
    after = class_colours(tasks, {entry.name: entry.colour for entry in details if entry.colour})
    assert after == class_colours(tasks) | {"water": "#00aa00"}
