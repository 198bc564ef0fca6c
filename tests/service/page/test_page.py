"""A person at the annotator page, in a real browser, against the real service."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import Page, Route, expect

from service.app import create_app
from service.settings import Settings
from tests.data.ports import free_port
from tests.e2e.campaigns import running_server
from tests.service.page.fixtures_annotators import Desk
from tests.waiting import wait_for

OpenDesk = Callable[[], Desk]
ROW = ".list .row"
CHOSEN = ".list .row[aria-current]"
MULTI = [
    {"task": "classification", "classes": ["dark", "bright", "cloud"], "multi_label": True},
    {"task": "segmentation", "classes": ["field"]},
]


@pytest.fixture
def desk(open_desk: OpenDesk, imagery: Path) -> Desk:
    """A desk with the campaign `demo` of eight scenes."""
    made = open_desk()
    made.create(imagery / "pool")
    return made


def short_leases(seconds: float) -> dict[str, object]:
    return {"lease_s": seconds, "reserve": {"share": 0.0, "minimum": 0}}


def toast(page: Page, text: str) -> None:
    expect(page.locator("#toasts")).to_contain_text(text)


def test_name_is_asked_once_and_campaigns_lead_to_the_work(desk: Desk, pictures: Path) -> None:
    page = desk.page
    page.goto(f"{desk.url}/annotate/demo")
    page.get_by_label("Your name").fill("anna")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="All campaigns").click()
    expect(page.get_by_role("button", name="Labelling as anna")).to_be_visible()
    page.screenshot(path=pictures / "annotate-start.png")
    page.get_by_role("link", name=re.compile("demo")).first.click()
    expect(page.get_by_role("button", name="anna")).to_be_visible()
    expect(page.locator(".finished")).to_contain_text("Ready when you are")
    page.get_by_label("Samples a time").select_option("5")
    page.keyboard.press("Tab")
    page.keyboard.press("m")
    expect(page.locator(ROW)).to_have_count(5)
    held = desk.http.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()["leases"]
    assert page.locator(f"{ROW} .file").all_text_contents() == [lease["path"] for lease in held]
    page.goto(f"{desk.url}/annotate/demo")
    expect(page.get_by_role("button", name="anna")).to_be_visible()


def test_number_keys_label_in_rank_order_until_all_is_done(desk: Desk, pictures: Path) -> None:
    asked = [sample["sample_id"] for sample in desk.ask(query_size=4)]
    page = desk.open()
    expect(page.locator(CHOSEN)).to_contain_text("scene_")
    desk.wait_for_picture()
    for key in "1212":
        number = page.locator(f'{ROW}[data-state="open"]').count()
        page.keyboard.press(key)
        expect(page.locator(f'{ROW}[data-state="open"]')).to_have_count(number - 1)
    expect(page.locator(".finished")).to_contain_text("All done")
    page.screenshot(path=pictures / "annotate-done.png")
    labels = [(label["sample_id"], label["classes"], label["annotator"]) for label in desk.labels()]
    assert labels == [(asked[i], [["dark"], ["bright"]][i % 2], "anna") for i in range(4)]
    page.keyboard.press("m")
    expect(page.locator(f'{ROW}[data-state="open"]')).to_have_count(4)


def test_undo_takes_the_label_back_and_the_sample_is_open_again(desk: Desk) -> None:
    first = desk.ask(query_size=3)[0]
    page = desk.open()
    expect(page.locator(CHOSEN)).to_contain_text(first["path"])
    expect(page.get_by_role("button", name="bright")).to_be_visible()  # until then keys are asked for once more
    page.keyboard.press("2")
    toast(page, f"{first['path']}: bright")
    page.reload()
    expect(page.locator(CHOSEN)).not_to_contain_text(first["path"])
    expect(page.get_by_role("button", name=f"Undo {first['path']}")).to_be_enabled()
    page.keyboard.press("u")
    toast(page, "taken back")
    expect(page.locator(CHOSEN)).to_contain_text(first["path"])
    expect(page.locator(f'{ROW}[data-state="open"]')).to_have_count(3)
    assert desk.labels() == []


def test_skipped_sample_is_left_to_others(desk: Desk) -> None:
    first = desk.ask(query_size=2)[0]
    page = desk.open()
    expect(page.locator(CHOSEN)).to_contain_text(first["path"])
    page.keyboard.press("s")
    page.keyboard.press("c")
    toast(page, "left to others")
    page.wait_for_selector(".queue", state="hidden")
    expect(page.locator(f'{ROW}[data-state="skipped"]')).to_contain_text(first["path"])
    mine = [sample["sample_id"] for sample in desk.ask(query_size=8)]
    assert len(mine) == 6
    assert first["sample_id"] not in mine
    assert [sample["sample_id"] for sample in desk.ask("bert", 8)] == [first["sample_id"]]


def test_several_classes_and_nothing_here(open_desk: OpenDesk, imagery: Path, pictures: Path) -> None:
    desk = open_desk()
    desk.create(imagery / "pool", tasks=MULTI)
    first, second = (sample["sample_id"] for sample in desk.ask(query_size=2))
    page = desk.open()
    expect(page.get_by_role("button", name="dark")).to_be_enabled()
    page.keyboard.press("3")
    page.get_by_role("button", name="dark").click()
    page.keyboard.press("2")
    page.keyboard.press("2")
    expect(page.get_by_role("button", name="cloud")).to_have_attribute("aria-pressed", "true")
    page.screenshot(path=pictures / "annotate-several.png")
    page.keyboard.press("Enter")
    toast(page, "dark, cloud")
    expect(page.locator(".tasks")).to_contain_text("dark, cloud")
    expect(page.locator(CHOSEN)).to_contain_text("1 of 2")
    page.keyboard.press("n")
    expect(page.get_by_role("dialog")).to_contain_text("saved as background")
    page.keyboard.press("Enter")
    toast(page, "all background")
    page.keyboard.press("n")
    toast(page, "nothing here")
    page.keyboard.press("n")
    page.keyboard.press("Enter")
    expect(page.locator(".finished")).to_be_visible()
    stored = {(label["sample_id"], label["task"]): label for label in desk.labels()}
    assert stored[first, "classification"]["classes"] == ["dark", "cloud"]
    assert stored[second, "classification"]["classes"] == []
    assert stored[second, "segmentation"]["features"]["features"] == []


def test_none_of_these_answers_a_single_class_question(desk: Desk) -> None:
    (sample,) = desk.ask(query_size=1)
    page = desk.open()
    expect(page.get_by_role("button", name="None of these")).to_be_enabled()
    page.keyboard.press("n")
    toast(page, "none of these")
    expect(page.locator(".finished")).to_be_visible()
    assert [(label["sample_id"], label["classes"]) for label in desk.labels()] == [(sample["sample_id"], [])]


def test_label_made_elsewhere_ticks_off_by_itself(desk: Desk) -> None:
    first, second = desk.ask(query_size=2)
    page = desk.open()
    expect(page.locator(CHOSEN)).to_contain_text(first["path"])
    label = {"sample_id": first["sample_id"], "task": "classification", "annotator": "anna", "classes": ["dark"]}
    assert desk.http.post("/campaigns/demo/labels", json=label).status_code == 201
    expect(page.locator(f'{ROW}[data-state="labelled"]')).to_contain_text(first["path"])
    expect(page.locator(CHOSEN)).to_contain_text(second["path"])


def test_lease_runs_on_while_somebody_works_and_lapses_without(open_desk: OpenDesk, imagery: Path) -> None:
    desk = open_desk()
    desk.create(imagery / "pool", settings=short_leases(16))
    page = desk.open()
    desk.ask(query_size=1)
    expect(page.locator(CHOSEN)).to_be_visible()

    def ends() -> str:
        (lease,) = desk.http.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()["leases"]
        return str(lease["expires_at"])

    asked = ends()
    wait_for(lambda: ends() != asked)
    expect(page.locator(f'{ROW}[data-state="open"]')).to_have_count(1)
    page.route("**/leases/extend", lambda route: route.abort())
    expect(page.locator(".panel")).to_contain_text("time ran out")
    page.unroute("**/leases/extend")
    page.keyboard.press("r")
    expect(page.locator(f'{ROW}[data-state="open"]')).to_have_count(1)
    expect(page.get_by_role("button", name="Ask for it again")).to_be_hidden()


def test_token_is_asked_for_once_and_kept(quiet_settings: Settings, page: Page, imagery: Path) -> None:
    guarded = msgspec.structs.replace(quiet_settings, tokens="annotate=token-of-anna,ops=token-of-ops")
    with running_server(create_app(guarded)) as url, Desk(url, page, "token-of-ops") as desk:
        desk.create(imagery / "pool")
        desk.ask(query_size=2)
        desk.go()
        page.get_by_label("Token", exact=True).fill("not-the-token")
        page.keyboard.press("Enter")
        expect(page.locator("#token-text")).to_contain_text("not known")
        page.get_by_label("Token", exact=True).fill("token-of-anna")
        page.keyboard.press("Enter")
        desk.wait_for_picture()
        page.reload()
        desk.wait_for_picture()
        assert "token-of-anna" not in page.url


def test_service_that_stops_is_said_and_work_goes_on_when_it_is_back(
    quiet_settings: Settings, page: Page, imagery: Path, pictures: Path
) -> None:
    port = free_port()
    with running_server(create_app(quiet_settings), port) as url, Desk(url, page) as desk:
        desk.create(imagery / "pool")
        desk.ask(query_size=2)
        desk.open()
        desk.wait_for_picture()
    page.keyboard.press("1")
    expect(page.get_by_role("alert")).to_contain_text("answers are kept")
    expect(page.locator(".queue")).to_contain_text("1 answer waits to be saved")
    expect(page.locator(f'{ROW}[data-state="labelled"]')).to_have_count(1)
    page.screenshot(path=pictures / "annotate-offline.png")
    with running_server(create_app(quiet_settings), port) as url, Desk(url, page) as desk:
        expect(page.get_by_role("alert")).to_be_hidden()
        assert len(desk.labels()) == 1


def test_overlay_without_a_model_leaves_the_image_and_a_quiet_note(desk: Desk) -> None:
    desk.ask(query_size=1)
    page = desk.open()
    desk.wait_for_picture()
    page.keyboard.press("v")
    expect(page.locator(".note")).not_to_be_empty()
    desk.wait_for_picture()
    expect(page.locator(".legend-bar")).to_be_hidden()
    page.keyboard.press("v")
    expect(page.locator(".note")).to_be_hidden()
    expect(page.get_by_role("button", name="Image", exact=True)).to_have_attribute("aria-pressed", "true")


def test_unknown_campaign_is_said_with_the_way_out(desk: Desk) -> None:
    desk.page.goto(f"{desk.url}/annotate/nowhere?annotator=anna")
    expect(desk.page.get_by_role("alert")).to_contain_text("no campaign 'nowhere'")
    expect(desk.page.get_by_role("heading", name="No such campaign")).to_be_visible()
    expect(desk.page.get_by_role("button", name="Get")).to_have_count(0)  # nothing here can be labelled
    desk.page.set_viewport_size({"width": 820, "height": 1180})
    box = desk.page.locator(".finished").bounding_box()
    assert box is not None
    assert abs(box["x"] + box["width"] / 2 - 410) < 2  # in the middle: nothing is beside it
    desk.page.get_by_role("link", name="Choose a campaign").click()
    expect(desk.page.locator("#cards")).to_contain_text("demo")


def test_campaign_without_work_left_says_so_and_asks_nobody_to_get_more(desk: Desk) -> None:
    page = desk.page
    every = [sample["sample_id"] for sample in desk.ask("bert", 50)]
    labels = [{"sample_id": n, "task": "classification", "annotator": "bert", "classes": ["dark"]} for n in every]
    assert desk.http.post("/campaigns/demo/labels", json=labels).status_code == 201
    desk.open()
    expect(page.locator("[data-part=finished-title]")).to_have_text("Everything is labelled")
    expect(page.locator(".finished .primary:visible")).to_have_count(0)


@pytest.mark.parametrize(("width", "height"), [(1366, 768), (820, 1180)])
def test_all_keys_are_seen_at_once_on_a_laptop_and_a_tablet(
    desk: Desk, imagery: Path, width: int, height: int, pictures: Path
) -> None:
    body = {
        "name": "areas", "root": str(imagery / "pool"), "settings": {"reserve": {"share": 0.0, "minimum": 0}},
        "tasks": [{"task": "segmentation", "classes": ["field", "water"]}],
    }  # fmt: skip
    assert desk.http.post("/campaigns", json=body).status_code == 201
    page = desk.page
    page.set_viewport_size({"width": width, "height": height})
    page.goto(f"{desk.url}/annotate/areas?annotator=anna")
    expect(page.locator(".finished")).to_contain_text("No images yet")
    expect(page.locator(".finished .primary:visible")).to_have_count(0)
    page.locator("body").press("?")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("eraser")
    page.screenshot(path=pictures / f"annotate-keys-{width}.png")
    assert dialog.evaluate("it => [it.scrollHeight - it.clientHeight, it.scrollWidth - it.clientWidth]") == [0, 0]


def test_keyboard_walks_the_list_and_help_names_the_keys(desk: Desk, pictures: Path) -> None:
    paths = [sample["path"] for sample in desk.ask(query_size=3)]
    page = desk.open()
    for key, at in (("j", 1), ("ArrowDown", 2), ("j", 2), ("k", 1), ("ArrowUp", 0)):
        expect(page.locator(CHOSEN)).to_be_visible()
        page.keyboard.press(key)
        expect(page.locator(CHOSEN)).to_contain_text(paths[at])
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("leave it to others")
    page.keyboard.press("1")
    page.screenshot(path=pictures / "annotate-help.png")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    assert desk.labels() == []


def test_file_name_is_copied_and_scaneo_is_offered_only_where_it_is_linked(desk: Desk) -> None:
    (sample,) = desk.ask(query_size=1)
    page = desk.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=desk.url)
    desk.open()
    expect(page.locator(CHOSEN)).to_be_visible()
    page.keyboard.press("c")
    toast(page, "is copied")
    assert page.evaluate("navigator.clipboard.readText()") == sample["path"]
    expect(page.get_by_role("button", name="Open in SCANEO")).to_be_hidden()


def test_trouble_in_scaneo_is_listed_whole(desk: Desk) -> None:
    """What SCANEO's side says is played by the test."""
    desk.ask(query_size=1)
    notices = [
        "River_1579.tif: a built mask is left out: the geometry has no polygon; leave the feature out",
        "Highway_1247.tif: the image has 2 classes (water, forest); delete all but one",
        f"{'a-very-long-name-of-a-scene' * 4}.tif: a water mask lies outside of its image; correct or delete it",
    ]
    desk.page.route("**/progress?*", lambda route: route.fulfill(json=route.fetch().json() | {"notices": notices}))
    page = desk.open()
    listed = page.locator(".panel .notices li")
    expect(listed).to_have_text(notices)
    expect(page.get_by_role("button", name="Open in SCANEO")).to_be_hidden()
    listed.last.scroll_into_view_if_needed()
    expect(listed.last).to_be_in_viewport(ratio=1)
    assert page.locator(".panel .scroll").evaluate("place => place.scrollWidth <= place.clientWidth")


def test_suggestion_is_asked_for_shown_and_accepted(desk: Desk) -> None:
    """The model's side is played by the test: what the page asks, shows, and does with the answer is under test."""
    (sample,) = desk.ask(query_size=1)
    page, sample_id = desk.page, sample["sample_id"]

    def with_model(route: Route) -> None:
        view = route.fetch().json()
        route.fulfill(json=view | {"current_model": {"version": "v1"}})

    def accept(route: Route) -> None:
        label = {"sample_id": sample_id, "task": "classification", "annotator": "anna", "classes": ["bright"]}
        assert route.request.post_data_json == {"annotator": "anna", "prediction_ids": [7]}
        stored = desk.http.post("/campaigns/demo/labels", json=label)
        route.fulfill(status=201, json=stored.json())

    page.route(re.compile(r"/campaigns/demo$"), with_model)
    suggestion = {"prediction_id": 7, "task": "classification", "probabilities": {"dark": 0.1, "bright": 0.9}}
    page.route(re.compile(r"/suggest\?"), lambda route: route.fulfill(json=[suggestion]))
    page.route("**/accept", accept)
    page.route("**/overlay.png**", lambda route: route.fulfill(status=404, json={"detail": "no suggestion is drawn"}))
    desk.open()
    expect(page.get_by_role("button", name="Suggest g")).to_be_enabled()
    expect(page.get_by_role("button", name="Accept")).to_be_hidden()
    page.keyboard.press("g")
    expect(page.locator(".panel")).to_contain_text("bright 90 % · dark 10 %")
    page.keyboard.press("a")
    expect(page.locator(".finished")).to_be_visible()
    assert [(label["sample_id"], label["classes"]) for label in desk.labels()] == [(sample_id, ["bright"])]
    page.keyboard.press("u")
    toast(page, "taken back")
    assert desk.labels() == []
