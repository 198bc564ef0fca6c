"""What the page says and what it keeps in memory: short messages go away, pictures that nobody looks at are let go."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.service.page.fixtures_annotators import Desk

COUNT_URLS = """
    const [made, revoked] = [URL.createObjectURL.bind(URL), URL.revokeObjectURL.bind(URL)];
    window.alive = new Set();
    URL.createObjectURL = (blob) => { const url = made(blob); window.alive.add(url); return url; };
    URL.revokeObjectURL = (url) => { window.alive.delete(url); revoked(url); };
"""


def test_message_is_announced_to_screen_readers_and_disappears(open_desk: Callable[[], Desk], imagery: Path) -> None:
    desk = open_desk()
    desk.create(imagery / "pool", scenes=2)
    desk.ask(query_size=2)
    page = desk.open()
    desk.wait_for_picture()
    area = page.locator("#toasts")
    assert (area.get_attribute("role"), area.get_attribute("aria-live")) == ("status", "polite")
    assert area.is_visible() or area.evaluate("(one) => getComputedStyle(one).display !== 'none'")
    page.keyboard.press("1")
    expect(area).to_contain_text("dark")
    expect(area.locator("p")).to_have_count(0)


def test_pictures_of_200_images_do_not_pile_up(open_desk: Callable[[], Desk], imagery: Path) -> None:
    """The cache of the page itself, with pictures of a kilobyte: what is let go is revoked, however it came to that."""
    desk = open_desk()
    desk.create(imagery / "pool", scenes=1)
    page = desk.page
    page.add_init_script(COUNT_URLS)
    desk.open()
    expect(page.locator(".finished")).to_be_visible()
    page.evaluate("""async () => {
        const { Pictures } = await import("/page/net/pictures.js");
        const pictures = new Pictures(async () => new Blob([new Uint8Array(1000)]));
        for (let id = 0; id < 200; id += 1) {
            const looks = [{}, { view: "nir" }, { overlay: "uncertainty" }, { overlay: "suggestion" }];
            await Promise.all(looks.map((look) => pictures.get(id, 768, look)));
            const late = pictures.get(id, 96, { overlay: "suggestion" });
            pictures.forget(id, "suggestion"); // while it is fetched
            await late;
        }
    }""")
    page.wait_for_function("() => window.alive.size <= 400")
