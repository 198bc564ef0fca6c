"""No answer is lost: fast keys, slow and lost answers, restarts, two tabs, no storage, revoked tokens, wrong clocks."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Browser, Page, Route, expect

from service.app import create_app
from service.settings import Settings
from tests.data.ports import free_port
from tests.e2e.campaigns import running_server
from tests.service.page.fixtures_annotators import Desk, wait_until_kept
from tests.waiting import PATIENCE_MS, wait_for

ROW = ".list .row"
CHOSEN = ".list .row[aria-current]"
LABELS = re.compile(r"/campaigns/demo/labels$")
NO_STORAGE = """
    const refuse = () => { throw new DOMException("no storage here", "SecurityError"); };
    Object.defineProperty(window, "localStorage", { get: refuse });
    Object.defineProperty(window, "sessionStorage", { get: refuse });
    Object.defineProperty(window, "indexedDB", { get: refuse });
"""
FULL_STORAGE = """
    Storage.prototype.setItem = () => { throw new DOMException("full", "QuotaExceededError"); };
    IDBObjectStore.prototype.put = () => { throw new DOMException("full", "QuotaExceededError"); };
"""
HELD_LOCKS = """
    const held = new Promise((resolve) => { window.release = resolve; });
    navigator.locks.request = (name, work) => held.then(work);
"""
WRONG_CLOCK = "const now = Date.now; Date.now = () => now() + {};"
DAY_MS = 86_400_000


@pytest.fixture
def desk(open_desk: Callable[[], Desk], imagery: Path) -> Desk:
    """A desk with the campaign `demo` of eight scenes."""
    made = open_desk()
    made.create(imagery / "pool")
    return made


@pytest.fixture
def port() -> int:
    """A free port, for a service that comes back at the same address."""
    return free_port()


def begin(desk: Desk, size: int = 5) -> list[int]:
    asked = [sample["sample_id"] for sample in desk.ask(query_size=size)]
    desk.open()
    expect(desk.page.locator(CHOSEN)).to_be_visible()
    desk.wait_for_picture()
    return asked


def given(desk: Desk) -> list[tuple[int, list[str]]]:
    return [(label["sample_id"], label["classes"]) for label in desk.labels()]


def test_keys_go_to_the_samples_they_were_meant_for_however_slow_saves_are(desk: Desk) -> None:
    asked = begin(desk)
    page = desk.page

    def slowly(route: Route) -> None:
        page.wait_for_timeout(400)
        route.continue_()

    page.route(LABELS, slowly)
    for key in "12121":
        page.keyboard.press(key)
        page.wait_for_timeout(60)
    expect(page.locator(f'{ROW}[data-state="labelled"]')).to_have_count(5)
    expect(page.locator(".queue")).to_contain_text("to be saved")
    page.wait_for_selector(".queue", state="hidden")
    assert given(desk) == [(asked[i], [["dark"], ["bright"]][i % 2]) for i in range(5)]


def test_key_pressed_before_the_classes_are_read_is_said_to_be_too_early(desk: Desk) -> None:
    desk.ask(query_size=2)
    held: list[Route] = []
    desk.page.route("**/campaigns/demo/classes", lambda route: held.append(route))
    desk.go()
    expect(desk.page.locator(CHOSEN)).to_be_visible()
    desk.page.keyboard.press("1")
    expect(desk.page.get_by_text("The classes are still loading")).to_be_visible()
    assert given(desk) == []
    held[0].continue_()
    expect(desk.page.locator(".classes .class").first).to_be_visible()
    desk.page.keyboard.press("1")
    expect(desk.page.locator(".list .row[data-state='labelled']:not(.waits)")).to_have_count(1)
    assert len(given(desk)) == 1


def test_answer_that_is_lost_on_the_way_back_is_repeated_without_a_second_label(desk: Desk) -> None:
    asked = begin(desk)
    page = desk.page
    keys: list[str | None] = []

    def lose_the_first(route: Route) -> None:
        keys.append(route.request.headers.get("idempotency-key"))
        if len(keys) == 1:
            route.fetch()  # the service has it; the page is not told
            route.abort()
        else:
            route.continue_()

    page.route(LABELS, lose_the_first)
    page.keyboard.press("1")
    expect(page.locator(".queue")).to_contain_text("1 answer waits to be saved. It is sent")
    page.wait_for_selector(".queue", state="hidden")
    assert keys[0] is not None
    assert keys == [keys[0], keys[0]]
    history = desk.http.get(f"/campaigns/demo/samples/{asked[0]}/labels").json()
    assert len(history) == 1


def test_answer_taken_back_after_a_reload_may_have_been_sent_by_the_page_before(desk: Desk) -> None:
    begin(desk, 2)
    page, sent = desk.page, list[Route]()

    def never_tell(route: Route) -> None:
        route.fetch()
        sent.append(route)

    page.route(LABELS, never_tell)
    page.keyboard.press("1")
    wait_until_kept(page, 1)
    wait_for(lambda: page.evaluate("1") and sent)
    page.unroute(LABELS)
    page.add_init_script(HELD_LOCKS)
    page.reload()
    expect(page.get_by_role("button", name="Undo")).to_be_enabled()
    page.keyboard.press("u")
    expect(page.get_by_text("taken back")).to_be_visible()
    page.evaluate("release()")
    assert desk.labels() == []


def test_answers_outlive_a_reload_while_the_service_is_away(
    quiet_settings: Settings, page: Page, imagery: Path, port: int
) -> None:
    with running_server(create_app(quiet_settings), port) as url, Desk(url, page) as desk:
        desk.create(imagery / "pool")
        asked = begin(desk, 3)
        page.route(re.compile("/campaigns/"), lambda route: route.abort())
        for key in "12":
            page.keyboard.press(key)
        expect(page.locator(".queue")).to_contain_text("2 answers wait to be saved")
        wait_until_kept(page, 2)
        page.reload()
        expect(page.get_by_role("alert")).to_contain_text("does not answer")
    with running_server(create_app(quiet_settings), port) as url, Desk(url, page) as desk:
        page.unroute_all()
        expect(page.locator(f'{ROW}[data-state="labelled"]')).to_have_count(2)
        assert given(desk) == [(asked[0], ["dark"]), (asked[1], ["bright"])]


def test_label_and_skip_are_undone_before_and_after_they_are_saved(desk: Desk) -> None:
    asked = begin(desk, 3)
    page = desk.page
    page.route(LABELS, lambda route: route.abort())
    page.keyboard.press("1")
    expect(page.locator(".queue")).to_contain_text("when the service is back")
    page.keyboard.press("u")
    page.unroute(LABELS)
    page.wait_for_selector(".queue", state="hidden")
    expect(page.locator(f'{ROW}[data-state="open"]')).to_have_count(3)
    page.keyboard.press("s")
    page.keyboard.press("s")
    expect(page.locator(f'{ROW}[data-state="skipped"]')).to_have_count(1)
    page.wait_for_selector(".queue", state="hidden")
    page.keyboard.press("u")
    expect(page.locator(f'{ROW}[data-state="open"]')).to_have_count(3)
    page.wait_for_selector(".queue", state="hidden")
    assert given(desk) == []
    held = desk.http.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()["leases"]
    assert {lease["sample_id"] for lease in held} == set(asked)


def test_switched_on_classes_survive_moving(open_desk: Callable[[], Desk], imagery: Path) -> None:
    desk = open_desk()
    classes = ["dark", "bright", "cloud"]
    desk.create(imagery / "pool", tasks=[{"task": "classification", "classes": classes, "multi_label": True}])
    asked = begin(desk, 2)
    for key in "13jk":
        desk.page.keyboard.press(key)
    expect(desk.page.get_by_role("button", name="cloud")).to_have_attribute("aria-pressed", "true")
    desk.page.keyboard.press("Enter")
    assert given(desk) == [(asked[0], ["dark", "cloud"])]


def test_two_tabs_of_one_person_send_each_answer_once(desk: Desk) -> None:
    asked = begin(desk, 4)
    other = desk.page.context.new_page()
    other.goto(desk.page.url)
    expect(other.locator(CHOSEN)).to_be_visible()
    desk.page.keyboard.press("1")
    other.keyboard.press("2")
    other.keyboard.press("2")
    for page in (desk.page, other):
        page.wait_for_selector(".queue", state="hidden")
    newest = dict(given(desk))
    assert newest[asked[1]] == ["bright"]
    assert set(newest) == set(asked[:2])
    expect(desk.page.locator(f'{ROW}[data-state="labelled"]')).to_have_count(2)


@pytest.mark.parametrize("storage", [NO_STORAGE, FULL_STORAGE], ids=["forbidden", "full"])
def test_without_storage_answers_wait_in_memory_and_the_page_says_so(desk: Desk, storage: str) -> None:
    desk.page.add_init_script(storage)
    asked = begin(desk, 2)
    page = desk.page
    page.route(LABELS, lambda route: route.abort())
    page.keyboard.press("1")
    expect(page.locator(".queue")).to_contain_text("keep this page open")
    page.unroute(LABELS)
    page.wait_for_selector(".queue", state="hidden")
    assert given(desk) == [(asked[0], ["dark"])]


def test_answers_are_sent_where_the_browser_is_set_to_block_all_site_data(
    desk: Desk, browser: Browser, windowed_chromium: str, tmp_path: Path
) -> None:
    """By Chromium's own setting, which denies locks as well as storage."""
    preferences = tmp_path / "profile/Default/Preferences"
    preferences.parent.mkdir(parents=True)
    blocked = {"profile": {"default_content_setting_values": {"cookies": 2}}}
    preferences.write_text(json.dumps(blocked))
    asked = [sample["sample_id"] for sample in desk.ask(query_size=3)]
    context = browser.browser_type.launch_persistent_context(
        tmp_path / "profile", executable_path=windowed_chromium, args=["--no-sandbox", "--disable-gpu"]
    )
    errors: list[str] = []
    context.set_default_timeout(PATIENCE_MS)
    first, desk.page = desk.page, context.new_page()
    page = desk.page
    try:
        page.on("pageerror", lambda error: errors.append(str(error)))
        desk.open()
        desk.wait_for_picture()
        assert page.evaluate("try { localStorage.length } catch (error) { error.name }") == "SecurityError"
        page.keyboard.press("1")
        expect(page.locator(".rank")).to_contain_text("2 of 3")
        page.keyboard.press("2")
        expect(page.locator(f'{ROW}[data-state="labelled"]')).to_have_count(2)
        assert given(desk) == [(asked[0], ["dark"]), (asked[1], ["bright"])]
        assert errors == []
    finally:
        desk.page = first
        context.close()


def test_token_that_is_revoked_keeps_the_answers_and_asks_for_another(
    quiet_settings: Settings, page: Page, imagery: Path, port: int
) -> None:
    old, new = "annotate=first-token,ops=token-of-ops", "annotate=second-token,ops=token-of-ops"
    with (
        running_server(create_app(msgspec.structs.replace(quiet_settings, tokens=old)), port) as url,
        Desk(url, page, "token-of-ops") as desk,
    ):
        desk.create(imagery / "pool")
        asked = [sample["sample_id"] for sample in desk.ask(query_size=2)]
        desk.go()
        page.get_by_label("Token", exact=True).fill("first-token")
        page.keyboard.press("Enter")
        desk.wait_for_picture()
        page.wait_for_selector(".classes .class")
    with (
        running_server(create_app(msgspec.structs.replace(quiet_settings, tokens=new)), port) as url,
        Desk(url, page, "token-of-ops") as desk,
    ):
        page.locator("body").press("1")
        expect(page.locator("#token-text")).to_contain_text("not known")
        page.get_by_label("Token", exact=True).fill("second-token")
        page.keyboard.press("Enter")
        expect(page.locator(f'{ROW}[data-state="labelled"]')).to_have_count(1)
        assert given(desk) == [(asked[0], ["dark"])]


@pytest.mark.parametrize("wrong", [DAY_MS, -DAY_MS], ids=["ahead", "behind"])
def test_clock_that_is_wrong_by_a_day_ends_no_lease(desk: Desk, wrong: int) -> None:
    desk.page.add_init_script(WRONG_CLOCK.format(wrong))
    asked = begin(desk, 2)
    expect(desk.page.locator("[data-part=time]")).to_contain_text("min")
    expect(desk.page.locator(f'{ROW}[data-state="open"]')).to_have_count(2)
    desk.page.keyboard.press("1")
    assert given(desk) == [(asked[0], ["dark"])]


def test_refused_answer_is_said_and_the_sample_is_open_again(desk: Desk) -> None:
    begin(desk, 2)
    page = desk.page
    problem = {"status": 404, "title": "Not Found", "detail": "there is no sample 1: it was removed"}
    page.route(LABELS, lambda route: route.fulfill(status=404, json=problem))
    page.keyboard.press("1")
    expect(page.locator("#toasts")).to_contain_text("not saved. There is no sample 1: it was removed")
    expect(page.locator(f'{ROW}[data-state="open"]')).to_have_count(2)
    expect(page.locator(".queue")).to_be_hidden()
