"""The annotator page for everybody: names, order, contrast, and no script that the policy refuses."""

from pathlib import Path
from typing import Any, Literal

import pytest

from tests.service.page.fixtures_annotators import Desk

UNNAMED = """() => {
    const named = (one) => one.getAttribute("aria-label") || one.textContent.trim() || one.labels?.length
        || one.hasAttribute("alt") || one.querySelector("img[alt]:not([alt=''])");
    return [...document.querySelectorAll("button, a, input, select, img")]
        .filter((one) => one.checkVisibility() && !named(one)).map((one) => one.outerHTML);
}"""
CONTRASTS = """() => {
    const parse = (text) => text.match(/[\\d.]+/g).map(Number);
    const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
        .map((v) => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const ground = (one) => {
        for (let at = one; at; at = at.parentElement) {
            const colour = parse(getComputedStyle(at).backgroundColor);
            if (colour.length === 3 || colour[3] === 1) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const one of document.querySelectorAll("p, span, h1, h2, h3, dt, dd, button, a, kbd")) {
        if (!one.checkVisibility() || one.closest(":disabled") || one.closest(".idle")) continue;
        if (![...one.childNodes].some((node) => node.nodeType === 3 && node.nodeValue.trim())) continue;
        const [a, b] = [light(parse(getComputedStyle(one).color)), light(ground(one))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        if (ratio < 4.5) found.push([one.textContent.trim(), Math.round(100 * ratio) / 100]);
    }
    return found;
}"""


@pytest.fixture
def desk(open_desk: Any, imagery: Path) -> Desk:
    """A desk with a list of done, skipped and open samples, and what the console said."""
    made: Desk = open_desk()
    made.create(imagery / "pool", 12)
    made.page.on("console", lambda message: made.console.append(message.text))
    made.page.on("pageerror", lambda error: made.console.append(str(error)))
    made.ask(query_size=6)
    made.open()
    made.wait_for_picture()
    made.page.keyboard.press("1")
    made.page.wait_for_selector('.row[data-state="labelled"]')
    made.page.keyboard.press("s")
    made.page.keyboard.press("b")
    made.page.wait_for_selector('.row[data-state="skipped"]')
    return made


def test_text_has_the_contrast_of_wcag_aa_in_both_schemes(desk: Desk, pictures: Path) -> None:
    schemes: tuple[Literal["dark", "light"], ...] = ("dark", "light")
    for scheme in schemes:
        desk.page.emulate_media(color_scheme=scheme)
        assert desk.page.evaluate(CONTRASTS) == []
        desk.page.screenshot(path=pictures / f"annotate-{scheme}.png")


def test_tab_goes_from_the_list_to_the_answer_and_enters_the_list_once(desk: Desk) -> None:
    page = desk.page
    page.locator(".row[aria-current]").focus()
    order = []
    for _ in range(30):
        page.keyboard.press("Tab")
        order.append(page.evaluate("document.activeElement.closest('nav, main, aside, header')?.tagName ?? 'BODY'"))
    assert order[:3] == ["NAV", "NAV", "NAV"]  # get more, how many, doubtful labels
    assert "MAIN" in order
    assert order.index("MAIN") < order.index("ASIDE")


def test_every_control_has_a_name_nothing_is_cut_off_and_the_console_is_silent(desk: Desk, pictures: Path) -> None:
    page = desk.page
    assert page.evaluate(UNNAMED) == []
    assert page.locator("h1").count() == 1
    assert page.locator("main").count() == 1
    for width, height in ((1366, 768), (1920, 1080), (1024, 700)):
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate("document.documentElement.scrollHeight") == height
        for part in (".stage-head", ".panel", ".top", ".list"):
            assert page.locator(part).evaluate("(one) => one.scrollWidth - one.clientWidth") <= 0, part
        page.screenshot(path=pictures / f"annotate-{width}.png")
    assert desk.console == []
