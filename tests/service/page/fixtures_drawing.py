"""A hand that draws on the annotator page, and what came of it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import shapely
import shapely.geometry
from playwright.sync_api import Page

from tests.service.page.fixtures_annotators import Desk
from tests.waiting import wait_for

SEGMENTATION = [{"task": "segmentation", "classes": ["field", "water"]}]
SIDE_PX = 64


def drawing_desk(open_desk: Callable[[], Desk], imagery: Path) -> Desk:
    """A desk with one scene to draw on."""
    made = open_desk()
    made.create(imagery / "pool", tasks=SEGMENTATION)
    made.ask(query_size=1)
    made.open()
    made.wait_for_picture()
    return made


def place_of(page: Page) -> tuple[float, float, float]:
    """Left and top of the image on the screen, and screen px of one image px."""
    box = page.locator(".map").bounding_box()
    assert box is not None
    scale = (min(box["width"], box["height"]) - 28) / SIDE_PX
    left = box["x"] + (box["width"] - SIDE_PX * scale) / 2
    return left, box["y"] + (box["height"] - SIDE_PX * scale) / 2, scale


def on_screen(page: Page, column: float, row: float) -> tuple[float, float]:
    left, top, scale = place_of(page)
    return left + column * scale, top + row * scale


def drag(page: Page, *points: tuple[float, float]) -> None:
    page.mouse.move(*on_screen(page, *points[0]))
    page.mouse.down()
    for point in points[1:]:
        page.mouse.move(*on_screen(page, *point), steps=8)
    page.mouse.up()


def click(page: Page, column: float, row: float) -> None:
    page.mouse.move(*on_screen(page, column, row))
    page.mouse.down()
    page.mouse.up()
    page.wait_for_timeout(300)  # OpenLayers waits for the second click of a double one


def box(page: Page, left: float, top: float, right: float, bottom: float) -> None:
    page.keyboard.press("x")
    click(page, left, top)
    click(page, right, bottom)
    page.keyboard.press("x")


def areas(label: dict[str, Any]) -> dict[str, Any]:
    """The drawn area of each class in px."""
    found: dict[str, Any] = {}
    for feature in label["features"]["features"]:
        name = feature["properties"]["label"]
        found[name] = shapely.union(found.get(name, shapely.Polygon()), shapely.geometry.shape(feature["geometry"]))
    return found


def only_label(desk: Desk) -> dict[str, Any]:
    (label,) = wait_for(desk.labels)  # behind a question, an answer begins to wait only some time after the click
    assert label["crs"] == "pixel"
    return label


def shares(page: Page) -> str:
    return " ".join(page.locator(".legend-bar li").all_inner_texts()).replace("\n", " ")
