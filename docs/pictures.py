"""Retake the pictures of the documentation: `python docs/pictures.py URL CLASSES AREAS`.

Needs Chromium and a running service with a campaign that asks for classes, such as that of `al-loop example` after
its first round, and one that asks for areas of the classes Road, Water and so on, with `tile8_005.jpg` of the Dubai
scenes.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"


WINDOW = {"width": 1280, "height": 720}
PHONE = {"width": 390, "height": 780}
DRAWN = "tile8_005"
ROAD = ((0.10, 0.135), (0.60, 0.535))
"""Two points of a straight road in the image that is drawn on, as shares of its width and height."""
LAKE = (0.36, 0.66)
SHOWN = '.map[data-shows]:not([data-shows=""])'


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="address of the service")
    parser.add_argument("classes", help="a campaign that asks for classes")
    parser.add_argument("areas", help="a campaign that asks for areas")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for campaign, window, name in (
            (arguments.classes, WINDOW, "annotate"),
            (arguments.areas, WINDOW, "annotate-areas"),
            (arguments.classes, PHONE, "annotate-phone"),
        ):
            page = browser.new_context(viewport=window, color_scheme="light").new_page()
            page.goto(f"{arguments.url}/annotate/{campaign}?annotator=anna")
            page.wait_for_selector("[data-action=more]", state="attached")
            if not page.locator(".list .row").count():
                page.keyboard.press("m")
            page.wait_for_selector(SHOWN)
            if campaign == arguments.areas:
                draw(page, f"{arguments.url}/campaigns/{campaign}/leases?annotator=anna")
            else:
                page.keyboard.press("ArrowDown")
            page.wait_for_timeout(5000)  # until the picture is drawn and messages are gone
            page.screenshot(path=IMAGES / f"{name}.png")
        take_points(
            browser.new_context(viewport=WINDOW, color_scheme="light").new_page(), arguments.url, arguments.areas
        )
        page = browser.new_context(viewport=WINDOW, color_scheme="light").new_page()
        page.goto(arguments.url)
        page.get_by_text(arguments.classes, exact=True).first.wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=IMAGES / "start.png")
        browser.close()


def take_points(page: Page, url: str, campaign: str) -> None:
    """Points of an image, the first two of them answered."""
    page.goto(f"{url}/annotate/{campaign}?annotator=bert&unit=point")
    page.wait_for_selector("[data-action=more]", state="attached")
    if not page.locator(".list .row").count():
        page.keyboard.press("m")
    page.wait_for_selector(SHOWN)
    page.keyboard.press("2")
    page.keyboard.press("3")
    page.wait_for_timeout(5000)
    page.screenshot(path=IMAGES / "annotate-points.png")


def draw(page: Page, leases: str) -> None:
    """A stroke of the first class along the road, and an outline of the second class where the lake is clicked."""
    for _ in range(20):
        held = page.request.get(leases).json()["leases"]
        wanted = next((lease for lease in held if DRAWN in lease["path"]), None)
        if wanted:
            break
        page.keyboard.press("m")
        page.wait_for_timeout(1000)
    else:
        raise SystemExit(f"no image of the campaign is called {DRAWN}")
    page.locator(f".row[data-sample='{wanted['sample_id']}']").click()
    page.wait_for_selector(f".map[data-shows='{wanted['sample_id']}']")
    box = page.locator(".map").bounding_box()
    if box is None:
        raise SystemExit("the image has no place on the page")
    scale = min((box["width"] - 28) / wanted["width"], (box["height"] - 28) / wanted["height"])

    def at(place: tuple[float, float]) -> tuple[float, float]:
        x, y = (place[0] - 0.5) * wanted["width"] * scale, (place[1] - 0.5) * wanted["height"] * scale
        return box["x"] + box["width"] / 2 + x, box["y"] + box["height"] / 2 + y

    page.keyboard.press("d")
    page.mouse.move(*at(ROAD[0]))
    page.mouse.down()
    page.mouse.move(*at(ROAD[1]), steps=20)
    page.mouse.up()
    page.keyboard.press("q")
    page.keyboard.press("2")
    with page.expect_response("**/predictions/sam"):
        page.mouse.click(*at(LAKE))


if __name__ == "__main__":
    main()
