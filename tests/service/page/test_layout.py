"""The annotator page at the widths of phones, tablets and laptops, dark and light, with names of every kind."""

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
from playwright.sync_api import Page, expect

import service.page
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import QUICK
from tests.service.page.fixtures_annotators import Desk
from tests.waiting import wait_for

SIZES = {"phone": (390, 844, 380), "tablet": (820, 1180, 500), "laptop": (1366, 768, 700)}
"""Width and height of the window, and least width of the image's place, px."""
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
CUT_OFF = """() => [...document.querySelectorAll(".classes .class:not([hidden]) span")]
    .filter((one) => one.scrollWidth > one.clientWidth + 1).map((one) => one.textContent)"""
OUTSIDE = """() => [...document.querySelectorAll(".panel .last button, .canvas .zooms button")]
    .filter((one) => one.checkVisibility()).map((one) => [one.textContent.trim(), one.getBoundingClientRect()])
    .filter(([, at]) => at.left < 0 || at.top < 0 || at.right > innerWidth || at.bottom > innerHeight)
    .map(([name]) => name)"""
SMALL = """() => [...document.querySelectorAll(".class, .panel .last button")]
    .filter((one) => one.checkVisibility() && one.getBoundingClientRect().height < 44).map((one) => one.textContent)"""
OVERLAPPING = """() => {
    const inner = document.querySelector(".place").getBoundingClientRect();
    const shown = [...document.querySelectorAll(".place > :not(.grow), .place .choice select")]
        .filter((one) => one.checkVisibility() && one.textContent);
    const found = [];
    for (const one of shown) for (const other of shown) {
        if (one === other || one.contains(other) || other.contains(one)) continue;
        const [a, b] = [one.getBoundingClientRect(), other.getBoundingClientRect()];
        const isAbove = a.bottom <= b.top + 1 || b.bottom <= a.top + 1;
        const isBeside = isAbove || a.right <= b.left + 1 || b.right <= a.left + 1;
        if (!isBeside) found.push([one.className, other.className]);
    }
    for (const one of shown) {
        const at = one.getBoundingClientRect();
        if (at.right > inner.right + 1 || at.width < 20) found.push([one.className, "outside"]);
    }
    const select = document.querySelector(".choice select");
    if (select.getBoundingClientRect().width < 90) found.push(["choice", "squeezed"]);
    return found;
}"""
LEGEND_OVERFLOWS = """() => [...document.querySelectorAll(".legend-bar li span")]
    .filter((one) => one.scrollWidth > one.clientWidth + 1 && one.clientWidth > 0).map((one) => one.textContent)"""
LAND_COVER = [
    "Discontinuous urban fabric", "Road and rail networks and associated land", "Non-irrigated arable land",
    "Land principally occupied by agriculture, with significant areas of natural vegetation",
    "Sclerophyllous vegetation", "AnnualCrop",
    "HerbaceousVegetation", "PermanentCrop", "Sea and ocean", "Burnt areas", "Peat bogs", "Salt marshes",
]  # fmt: skip
ODD = ["x" * 200, "🌊🌲🏭", "مياه عميقة", "two\u2003words", "<b>bold</b>", "Überschwemmungsgebiet"]
MOST_CLASSES = 254
LONG_NAME = "S2B_MSIL2A_20230714T105629_N0509_R094_T30TYN_20230714T142459_R10m_chip_000017_of_000512.tif"


@pytest.fixture
def folder(pictures: Path) -> Path:
    """Where the pictures of this test go: AL_LOOP_PAGE_PICTURES, else with those of the other tests."""
    given = Path(os.environ.get("AL_LOOP_PAGE_PICTURES", pictures))
    given.mkdir(parents=True, exist_ok=True)
    return given


def begin(desk: Desk, root: Path, classes: list[str], **spec: Any) -> Page:
    desk.create(root, tasks=[{"task": "classification", "classes": classes} | spec])
    desk.ask(query_size=5)
    desk.open()
    desk.wait_for_picture()
    return desk.page


def check(page: Page, kind: str) -> None:
    width, height, stage = SIZES[kind]
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_timeout(250)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.evaluate("document.documentElement.scrollHeight") == height
    box = page.locator(".map").bounding_box()
    assert box is not None
    assert box["width"] >= stage
    assert box["height"] >= 250
    assert page.evaluate(CUT_OFF) == []
    assert page.evaluate(OUTSIDE) == []
    if kind == "phone":
        assert page.evaluate(SMALL) == []


@pytest.mark.parametrize("kind", SIZES)
def test_picture_is_large_names_are_whole_and_buttons_are_on_screen(
    open_desk: Callable[[], Desk], imagery: Path, folder: Path, kind: str
) -> None:
    page = begin(open_desk(), imagery / "pool", LAND_COVER)
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        check(page, kind)
        page.screenshot(path=folder / f"annotate-{kind}-{scheme}.png")


@pytest.mark.parametrize("kind", SIZES)
def test_drawing_fits_every_width(open_desk: Callable[[], Desk], imagery: Path, folder: Path, kind: str) -> None:
    desk = open_desk()
    tasks = [{"task": "classification", "classes": ["a", "b"]}, {"task": "segmentation", "classes": LAND_COVER[:5]}]
    desk.create(imagery / "pool", tasks=tasks)
    desk.ask(query_size=3)
    page = desk.open()
    desk.wait_for_picture()
    page.keyboard.press("t")
    expect(page.locator(".tools")).to_be_visible()
    page.keyboard.press("i")
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        check(page, kind)
        assert page.evaluate(LEGEND_OVERFLOWS) == []
        cut = "all => all.filter((one) => one.scrollWidth > one.clientWidth).map((one) => one.textContent)"
        assert page.locator(".tools button").evaluate_all(cut) == []
        page.screenshot(path=folder / f"annotate-drawing-{kind}-{scheme}.png")


@pytest.mark.parametrize("kind", SIZES)
def test_names_of_every_kind_are_shown_whole(open_desk: Callable[[], Desk], imagery: Path, kind: str) -> None:
    desk = open_desk()
    page = begin(desk, imagery / "pool", ODD)
    check(page, kind)
    assert page.locator(".classes .class span").all_text_contents() == ODD
    page.keyboard.press("5")
    assert [label["classes"] for label in desk.labels()] == [["<b>bold</b>"]]


@pytest.mark.parametrize("count", [254, 1000])
def test_class_among_very_many_is_found_by_typing(open_desk: Callable[[], Desk], imagery: Path, count: int) -> None:
    desk = open_desk()
    names = [f"class number {index:04d}" for index in range(count)]
    if count > MOST_CLASSES:  # the service takes no more; the page would
        described = [{"name": name, "colour": "#aabbcc", "retired": False} for name in names]
        answer = {"tasks": [{"task": "classification", "multi_label": False, "classes": described}], "guidelines": ""}
        desk.page.route("**/campaigns/demo/classes", lambda route: route.fulfill(json=answer))
    page = begin(desk, imagery / "pool", names[:MOST_CLASSES])
    expect(page.locator(".classes .class")).to_have_count(count)
    check(page, "laptop")
    page.keyboard.press("/")
    page.keyboard.type("0213")
    expect(page.locator(".classes .class:visible")).to_have_text(["class number 0213"])
    page.keyboard.press("Enter")
    assert [label["classes"] for label in desk.labels()] == [["class number 0213"]]
    page.keyboard.press("1")
    assert [label["classes"] for label in desk.labels()][1] == ["class number 0000"]


def test_long_file_names_and_annotators_push_nothing_off_the_screen(
    open_desk: Callable[[], Desk], imagery: Path, folder: Path
) -> None:
    make_scene(imagery / "pool" / LONG_NAME, width=64, height=64)
    desk = open_desk()
    desk.create(imagery / "pool", scenes=1)
    desk.ask("n" * 200, 2)
    page = desk.open("n" * 200)
    desk.wait_for_picture()
    page.keyboard.press("1")
    for kind in SIZES:
        check(page, kind)
    tail = page.locator(".list .file .tail").filter(has_text="f_000512.tif"[2:])
    assert tail.evaluate(
        "(one) => one.getBoundingClientRect().right <= one.closest('.row').getBoundingClientRect().right"
    )
    page.screenshot(path=folder / "annotate-long-names.png")


def test_name_of_the_campaign_is_whole_beside_a_long_sentence(open_desk: Callable[[], Desk], imagery: Path) -> None:
    desk = open_desk()
    desk.create(imagery / "pool", scenes=4, settings=QUICK)  # too few for a test reserve: a long sentence
    desk.http.patch("/campaigns/demo", json={"name": "fields-of-the-north"}).raise_for_status()
    desk.page.goto(f"{desk.url}/annotate/fields-of-the-north?annotator=anna")
    expect(desk.page.locator(".top .model")).to_contain_text("too few images to train on")
    name = desk.page.locator(".top h1")
    for width in (1366, 820):
        desk.page.set_viewport_size({"width": width, "height": 800})
        assert name.evaluate("(one) => one.scrollWidth <= one.clientWidth"), width


def test_image_of_one_row_is_shown_and_zoomed(open_desk: Callable[[], Desk], imagery: Path) -> None:
    root = imagery / "pool"
    ramp = np.linspace(500, 3000, 20_000, dtype=np.float64)
    make_scene(root / "line.tif", width=20_000, height=1, content=np.broadcast_to(ramp, (3, 1, 20_000)).copy())
    desk = open_desk()
    desk.create(root, scenes=0)
    desk.ask(query_size=1)
    page = desk.open()
    desk.wait_for_picture()
    for key in ("+", "+", "z", "z", "-", "1"):
        page.keyboard.press(key)
    expect(page.locator(".finished")).to_be_visible()
    assert len(desk.labels()) == 1


def test_swipe_goes_to_the_next_and_previous_sample(open_desk: Callable[[], Desk], imagery: Path) -> None:
    desk = open_desk()
    desk.create(imagery / "pool")
    desk.ask(query_size=3)
    page = desk.open()
    page.set_viewport_size({"width": 390, "height": 844})
    desk.wait_for_picture()
    swipe = """([from, to]) => {
        const map = document.querySelector(".map");
        const touch = (x) => new Touch({ identifier: 1, target: map, clientX: x, clientY: 200 });
        const send = (kind, touches, x) => map.dispatchEvent(
            new TouchEvent(kind, { bubbles: true, touches, changedTouches: [touch(x)] }));
        send("touchstart", [touch(from)], from);
        send("touchend", [], to);
    }"""
    rank = page.locator("[data-part=rank]")
    expect(rank).to_have_text("1 of 3")
    page.evaluate(swipe, [300, 100])
    expect(rank).to_have_text("2 of 3")
    page.evaluate(swipe, [100, 300])
    expect(rank).to_have_text("1 of 3")


@pytest.mark.parametrize(("width", "height"), [(820, 1180), (1000, 720), (1181, 720), (1280, 720), (1366, 768)])
def test_band_choice_is_whole_and_nothing_below_the_image_overlaps(
    open_desk: Callable[[], Desk], imagery: Path, folder: Path, width: int, height: int
) -> None:
    make_scene(imagery / "pool" / "scene.tif", width=64, height=64, bands=4)
    desk = open_desk()
    desk.create(
        imagery / "pool", scenes=0, settings=QUICK | {"sensor": "bgr-nir", "reserve": {"share": 0.0, "minimum": 0}}
    )
    desk.ask(query_size=1)
    page = desk.open()
    page.set_viewport_size({"width": width, "height": height})
    desk.wait_for_picture()
    expect(page.locator(".place .links a")).to_have_count(2)
    page.get_by_label("Bands").select_option(index=1)

    def placed() -> bool:
        page.mouse.move(5, 5)
        page.locator(".map").hover()  # again, until the map knows where it lies
        return "° N" in (page.locator("[data-part=coordinates]").text_content() or "")

    wait_for(placed)
    page.screenshot(path=folder / f"annotate-bands-{width}.png")
    assert page.evaluate(OVERLAPPING) == []


def test_200_annotators_leave_both_pages_usable(open_desk: Callable[[], Desk], imagery: Path, folder: Path) -> None:
    desk = open_desk()
    desk.create(imagery / "pool", scenes=202)
    names = [f"{number:03d} " + ("Wolfeschlegelsteinhausen " * 7)[:150] + "🌲" for number in range(200)]
    for number, name in enumerate(names):
        (sample,) = desk.ask(name, 1)
        if number % 2:
            label = {"sample_id": sample["sample_id"], "task": "classification", "annotator": name, "classes": ["dark"]}
            assert desk.http.post("/campaigns/demo/labels", json=label).status_code == 201
    weight: list[int] = []
    page = desk.page
    page.on("response", lambda answer: weight.append(len(answer.body())) if "/campaigns" in answer.url else None)
    page.goto(desk.url)
    expect(page.locator(".card")).to_contain_text("100 with annotators")
    for kind, (width, height, _) in SIZES.items():
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        page.screenshot(path=folder / f"start-200-annotators-{kind}.png")
    desk.ask(names[1], 1)
    desk.open(names[1])
    desk.wait_for_picture()
    for kind in SIZES:
        check(page, kind)
    page.get_by_role("button", name="History").click()
    expect(page.locator("[data-part=found] .row")).to_have_count(1)
    assert sum(weight) < 500_000, weight


def test_page_weighs_at_most_700_kb_compressed() -> None:
    folder = Path(service.page.__file__).parent
    own = [file for file in folder.rglob("*") if file.suffix in (".html", ".css", ".js", ".svg")]
    loaded = [file for file in own if not {"swagger-ui", "docs", "start"} & set(file.relative_to(folder).parts)]
    assert len(loaded) > 20
    assert sum(len(gzip.compress(file.read_bytes(), 6)) for file in loaded) <= 700_000
