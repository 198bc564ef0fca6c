"""A real browser: Debian's Chromium, driven by Playwright."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.data.debian import program
from tests.waiting import PATIENCE_MS

PICTURES = Path(__file__).parents[3] / "test-artefacts"


@pytest.fixture(scope="session")
def chromium() -> str:
    """Path of the system's browser."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")  # the first is the lightest
    return program("chromium-headless-shell", *names, install_s=600)


@pytest.fixture(scope="session")
def windowed_chromium() -> str:
    """Path of a browser with settings of its own, which the headless shell has not."""
    return program("chromium", "chromium", "chromium-browser", "google-chrome", install_s=600)


@pytest.fixture(scope="session")
def browser(chromium: str) -> Iterator[Browser]:
    """One browser for all tests."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        expect.set_options(timeout=PATIENCE_MS)
        yield launched
        launched.close()


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh tab of a laptop's size without cookies or storage."""
    context = browser.new_context(viewport={"width": 1366, "height": 768})
    context.set_default_timeout(PATIENCE_MS)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="session")
def pictures() -> Path:
    """Where pictures of pages are kept, to be looked at."""
    PICTURES.mkdir(exist_ok=True)
    return PICTURES
