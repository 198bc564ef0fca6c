"""Retake the pictures of the documentation: `python docs/pictures.py URL CLASSES AREAS`.

Needs a running service with a campaign that asks for classes and one that asks for areas, and Chromium.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

IMAGES = Path(__file__).parent / "images"


WINDOW = {"width": 1280, "height": 720}
PHONE = {"width": 390, "height": 780}
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
                draw(page)
            else:
                page.keyboard.press("ArrowDown")
            page.wait_for_timeout(5000)  # until the picture is drawn and messages are gone
            page.screenshot(path=IMAGES / f"{name}.png")
        page = browser.new_context(viewport=WINDOW, color_scheme="light").new_page()
        page.goto(arguments.url)
        page.get_by_text(arguments.classes, exact=True).first.wait_for()
        page.wait_for_timeout(2000)
        page.screenshot(path=IMAGES / "start.png")
        browser.close()


def draw(page: Page) -> None:
    """A stroke of the first class, and an outline of the second where the image's middle is clicked."""
    box = page.locator(".map").bounding_box()
    if box is None:
        raise SystemExit("the image has no place on the page")
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.keyboard.press("d")
    page.mouse.move(x - 180, y - 120)
    page.mouse.down()
    page.mouse.move(x + 160, y - 170, steps=20)
    page.mouse.up()
    page.keyboard.press("q")
    page.keyboard.press("2")
    with page.expect_response("**/predictions/sam"):
        page.mouse.click(x, y + 60)


if __name__ == "__main__":
    main()
