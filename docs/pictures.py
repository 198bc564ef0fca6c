"""Retake the pictures of the documentation: `python docs/pictures.py URL CAMPAIGN`.

Needs a running service whose campaign has a serving model (the tutorial leaves one), and Chromium.
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

IMAGES = Path(__file__).parent / "images"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("url", help="address of the service")
    parser.add_argument("campaign")
    parser.add_argument("--skip", type=int, default=3, help="go this far down the list of samples, or up (default: 3)")
    arguments = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        context = browser.new_context(viewport={"width": 1280, "height": 720}, color_scheme="light")
        page = context.new_page()
        page.goto(f"{arguments.url}/annotate/{arguments.campaign}?annotator=anna")
        page.wait_for_selector("[data-action=more]")
        page.keyboard.press("m")
        page.wait_for_selector(".row[aria-current]")
        for _ in range(abs(arguments.skip)):
            page.keyboard.press("ArrowDown" if arguments.skip > 0 else "ArrowUp")
        page.keyboard.press("v")
        page.wait_for_timeout(4000)  # until the model has answered and the picture is drawn
        page.screenshot(path=IMAGES / "annotate.png")
        context.close()
        browser.close()


if __name__ == "__main__":
    main()
