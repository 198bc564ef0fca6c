"""The start page in a real browser: what waits for whom, who is labelling, and how it looks at three widths."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import httpx
from playwright.sync_api import Page, Route, expect

from service.access.token_file import add_token, revoke_tokens
from tests.e2e.campaigns import create, register, write_pool
from tests.service.page.fixtures_annotators import Serve
from tests.service.page.test_access import CONTRASTS, UNNAMED

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SIZES = ((390, 844), (820, 1180), (1366, 768))
SCHEMES: tuple[Literal["dark", "light"], ...] = ("dark", "light")
CLASSES = ["Annual crop", "Herbaceous vegetation", "Permanent crop", "Residential", "River", "Sea or lake", "Forest"]


def make(url: str, folder: Path, name: str, *, scenes: int = 4, labelled: int = 0, **options: Any) -> None:
    """A campaign without a test reserve, the first scenes of which are labelled by Anna."""
    write_pool(folder, scenes, size=32)
    with httpx.Client(base_url=url, **options) as http:
        tasks = [{"task": "classification", "classes": ["dark", "bright"]}]
        create(http, folder, name, settings={"reserve": {"share": 0.0, "minimum": 0}}, tasks=tasks)  # type: ignore[arg-type]
        register(http, name)  # type: ignore[arg-type]
        labels = [
            {"path": f"scene_{n:03d}.tif", "task": "classification", "annotator": "Anna", "classes": ["dark"]}
            for n in range(labelled)
        ]
        if labels:
            assert http.post(f"/campaigns/{name}/labels", json=labels).status_code == 201


def test_empty_service_says_how_to_begin_and_shows_the_first_campaign_by_itself(
    serve: Serve, page: Page, imagery: Path, pictures: Path
) -> None:
    url, _ = serve()
    page.goto(url)
    expect(page.get_by_role("heading", name="There is no campaign yet")).to_be_visible()
    expect(page.locator("code")).to_have_count(3)
    expect(page.locator("code").first).to_contain_text("al-loop create")
    page.screenshot(path=pictures / "start-empty.png")
    make(url, imagery / "fields", "fields")
    expect(page.get_by_role("link", name="fields")).to_be_visible()
    expect(page.locator("#first")).to_be_hidden()


def test_card_shows_the_first_images_and_reads_them_once(serve: Serve, page: Page, imagery: Path) -> None:
    url, _ = serve()
    make(url, imagery / "fields", "fields", scenes=6)
    make(url, imagery / "gone", "gone", scenes=1)
    (imagery / "gone" / "scene_000.tif").unlink()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "thumbnail" in request.url else None)
    page.goto(url)
    strip = page.locator(".card[data-name=fields] .strip img")
    expect(strip).to_have_count(4)
    page.wait_for_function("[...document.querySelectorAll('.strip img')].every((one) => one.naturalWidth > 0)")
    expect(page.locator(".card[data-name=gone] .strip")).to_be_hidden()
    httpx.post(f"{url}/campaigns/fields/queries", json={"annotator": "Anna", "query_size": 2})
    expect(page.locator(".card[data-name=fields]")).to_contain_text("2 with annotators")
    expect(strip).to_have_count(4)
    assert sum("campaigns/fields" in one for one in asked) == 4


def test_card_keeps_the_place_of_its_images_free(serve: Serve, page: Page, imagery: Path) -> None:
    url, _ = serve()
    make(url, imagery / "fields", "fields", scenes=6)
    held: list[Route] = []
    page.route("**/thumbnail.png*", lambda route: held.append(route))
    page.goto(url)
    card = page.locator(".card[data-name=fields]")
    expect(card).to_contain_text("images labelled")
    page.wait_for_timeout(500)
    before = card.bounding_box()
    for route in held:
        route.continue_()
    page.unroute("**/thumbnail.png*")
    expect(card.locator(".strip img")).to_have_count(4)
    after = card.bounding_box()
    assert before is not None
    assert after is not None
    assert abs(after["height"] - before["height"]) < 8


def test_card_says_that_the_first_query_sets_the_test_images_aside(serve: Serve, page: Page, imagery: Path) -> None:
    url, _ = serve()
    write_pool(imagery / "new", 4, size=32)
    with httpx.Client(base_url=url) as http:
        create(http, imagery / "new", "new")  # type: ignore[arg-type]
        register(http, "new")  # type: ignore[arg-type]
    page.goto(url)
    expect(page.locator(".card")).to_contain_text("set aside at random by the first query")
    httpx.post(f"{url}/campaigns/new/queries", json={"annotator": "Anna", "query_size": 1})
    assert httpx.get(f"{url}/campaigns/new").json()["reserve_drawn"] is True
    expect(page.locator(".card")).not_to_contain_text("set aside")


def test_campaigns_with_work_come_first_and_each_says_what_waits_for_whom(
    serve: Serve, page: Page, imagery: Path
) -> None:
    url, _ = serve()
    make(url, imagery / "a", "a-finished", scenes=2, labelled=2)
    make(url, imagery / "b", "b-open", scenes=5, labelled=1)
    httpx.post(f"{url}/campaigns/b-open/queries", json={"annotator": "Anna", "query_size": 2})
    page.add_init_script("localStorage.setItem('al-loop.annotator', '\"anna\"')")
    page.goto(url)
    expect(page.locator(".card h2")).to_have_text(["b-open", "a-finished"])
    opened, finished = page.locator(".card").first, page.locator(".card").last
    expect(opened).to_contain_text("1 of 5 images labelled")
    expect(opened.locator(".yours")).to_contain_text("2 reserved for Anna")  # not "anna", who never labelled
    expect(opened).to_contain_text("none yet")
    expect(finished).to_contain_text("nothing: all images have an answer")
    expect(page.locator("#summary")).to_have_text("2 campaigns, 1 with images to label; 2 reserved for you.")
    opened.click(position={"x": 10, "y": 10})
    expect(page).to_have_url(re.compile(f"{url}/annotate/b-open.annotator=Anna"))


def test_name_is_asked_for_before_labelling_and_kept(serve: Serve, page: Page, imagery: Path) -> None:
    url, _ = serve()
    make(url, imagery / "b", "demo", labelled=1)
    page.goto(url)
    page.get_by_role("link", name="demo").click()
    page.get_by_label("Your name").fill("ANNA ")
    expect(page.locator("#name-hint")).to_have_text("You are taken for Anna, who has labelled here before.")
    page.get_by_role("button", name="Continue").click()
    expect(page).to_have_url(re.compile(f"{url}/annotate/demo.annotator=Anna"))
    page.goto(url)
    expect(page.locator("#who")).to_have_text("Labelling as Anna")
    page.locator("#who").click()
    expect(page.locator("#names option")).to_have_count(1)
    page.get_by_label("Your name").fill("Bert")
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_have_text("Labelling as Bert")
    page.locator("#who").click()
    page.keyboard.press("Escape")
    expect(page.locator("#who")).to_have_text("Labelling as Bert")


def test_person_with_a_token_has_its_name_and_is_asked_for_another_when_it_is_revoked(
    serve: Serve, page: Page, imagery: Path, tmp_path: Path
) -> None:
    file = tmp_path / "tokens.tsv"
    anna, boss = add_token(file, "Anna", "annotate", NOW), add_token(file, "Max", "ops", NOW)
    url, _ = serve(tokens_file=file)
    make(url, imagery / "b", "demo", headers={"authorization": f"Bearer {boss}"})
    page.goto(url)
    page.get_by_role("textbox", name="Token").fill(anna)
    page.get_by_role("button", name="Continue").click()
    expect(page.locator("#who")).to_have_text("Labelling as Anna")
    expect(page.locator("#who")).to_be_disabled()
    revoke_tokens(file, "Anna")
    expect(page.locator("#token-text")).to_contain_text("was revoked")


def test_trouble_is_one_sentence_and_goes_away(serve: Serve, page: Page, imagery: Path) -> None:
    url, _ = serve()
    make(url, imagery / "b", "demo")
    page.goto(url)
    expect(page.locator(".card")).to_have_count(1)
    page.route("**/campaigns", lambda route: route.abort())
    expect(page.locator("#banner")).to_contain_text("The service does not answer")
    expect(page.locator(".card")).to_have_count(1)
    page.unroute("**/campaigns")
    expect(page.locator("#banner")).to_be_hidden()


def test_browser_without_storage_shows_the_page_all_the_same(serve: Serve, page: Page, imagery: Path) -> None:
    url, _ = serve()
    make(url, imagery / "b", "demo")
    page.add_init_script("Object.defineProperty(window, 'localStorage', { get() { throw new Error('no') } })")
    page.goto(url)
    expect(page.locator(".card")).to_have_count(1)
    page.locator("#who").click()
    page.get_by_label("Your name").fill("Anna")
    page.keyboard.press("Enter")
    expect(page.locator("#who")).to_have_text("Labelling as Anna")


def test_page_fits_three_widths_in_both_schemes_and_is_readable_for_everybody(
    serve: Serve, page: Page, imagery: Path, pictures: Path
) -> None:
    url, _ = serve()
    names = ("crops-2026", "a-campaign-whose-name-is-as-long-as-the-names-can-be-in-al-loop", "roofs", "finished")
    for name in names:
        make(url, imagery / name, name, scenes=6, labelled=6 if name == "finished" else 2)
    campaigns = httpx.get(f"{url}/campaigns").json()
    campaigns[0]["tasks"][0]["classes"] = CLASSES
    campaigns[0]["current_model"] = {
        "version": "v3",
        "round_number": 3,
        "promoted_at": None,
        "loaded": True,
        "problem": None,
    }
    campaigns[0]["last_round"] = {"number": 4, "state": "rejected", "verdict": "not better than v3", "error": None}
    campaigns[0]["next_round"] = {
        "new_labels": 27,
        "needed": 50,
        "sentence": "27 of 50 new labels until the next round",
    }
    campaigns[1]["last_round"] = {"number": 1, "state": "failed", "verdict": None, "error": "the disk is full"}
    campaigns[1]["notices"] = ["skipped by 3 annotators and offered no more; label or look at them yourself: a/b_c.tif"]
    campaigns[2]["archived"] = True
    curve = [{"version": "v3", "metric": "accuracy", "value": 0.82, "low": 0.75, "high": 0.88}]
    page.route("**/campaigns", lambda route: route.fulfill(json=campaigns))
    page.route("**/learning-curve", lambda route: route.fulfill(json={"points": curve}))
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    httpx.post(f"{url}/campaigns/crops-2026/queries", json={"annotator": "Anna", "query_size": 2})
    page.add_init_script("localStorage.setItem('al-loop.annotator', '\"Anna\"')")
    page.goto(url)
    expect(page.locator(".card")).to_have_count(3)
    expect(page.locator(".card").first).to_be_visible()
    expect(page.get_by_text("accuracy 0.82 (0.75 to 0.88)")).to_be_visible()
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        for scheme in SCHEMES:
            page.emulate_media(color_scheme=scheme)
            assert page.evaluate(CONTRASTS) == []
            page.screenshot(path=pictures / f"start-{width}-{scheme}.png", full_page=True)
    assert page.evaluate(UNNAMED) == []
    page.get_by_role("button", name="Show 1 archived").click()
    expect(page.locator(".card")).to_have_count(4)
    assert said == []
