"""A person at SCANEO's own pages: opens a ranked batch, runs our model, draws; and the label is in our store."""

import shutil
from pathlib import Path

from playwright.sync_api import Page, expect

from tests.al_loop.scaneo.fixtures import OPS_TOKEN, Team

SHIPS = [("ship", "#fd0d0d"), ("wake", "#0048f0"), ("cloud", "#ffffff")]
ROWS = "table tbody tr"
IMAGE_IS_LARGE = """[...document.querySelectorAll('#map img.leaflet-tile-loaded')].some(
    (tile) => tile.src.includes('/images//') && Number(tile.src.split('.tif/')[1].split('/')[0]) >= 13)"""
"""A tile of the image is drawn at a zoom where one can work: the map has flown there."""
MAP_TILES = "**/server.arcgisonline.com/**"


def link_ships(team: Team, shared_data: Path) -> None:
    """Eleven chips of Sentinel-2, of 12 bands, and a model for them."""
    for file in sorted((shared_data / "s2_ships").glob("*.tif"))[:11]:
        shutil.copy(file, team.folder / file.name)
    team.theirs = team.client.create_campaign("Ships", str(team.folder), SHIPS)
    team.connect("segmentation")
    team.serve_model(tasks=("segmentation",), classes=[name for name, _ in SHIPS], source_bands=12)
    settings = team.api.get("/campaigns/demo").json()["settings"]
    changed = settings | {"assist": {"min_area_px": 400, "blind_share": 0.0}}
    assert team.api.put("/campaigns/demo/settings", json=changed).status_code == 200


def open_image(page: Page, folder: str) -> None:
    """Click the image of one rank, and wait for its pixels."""
    page.wait_for_timeout(1000)  # the map sets itself up, and would forget where it was told to fly
    page.locator(ROWS).get_by_text(folder, exact=True).click()
    page.wait_for_timeout(500)
    page.locator(f"{ROWS} button").first.click()
    page.wait_for_function(IMAGE_IS_LARGE)
    page.wait_for_timeout(1000)


def draw(page: Page) -> None:
    """One stroke of the brush over the middle of the map."""
    page.locator('[data-tip="Segmentation"]').click()
    page.locator(".leaflet-control-paintpolygon-icon-brush").click()
    place = page.locator("#map").bounding_box()
    assert place is not None
    x, y = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    for step in range(15):
        page.mouse.move(x + 4 * step, y + 3 * step)
    page.mouse.up()


def test_person_labels_a_ranked_batch_with_our_models_help(
    team: Team, page: Page, pictures: Path, shared_data: Path
) -> None:
    link_ships(team, shared_data)
    page.route(MAP_TILES, lambda route: route.abort())  # the street map comes from the internet
    page.route("**/fonts.g*/**", lambda route: route.abort())
    body = {"annotator": "anna", "query_size": 11}
    batch = team.api.post("/campaigns/demo/scaneo/batches", json=body).json()
    page.goto(batch["url"])
    expect(page.locator(ROWS)).to_have_text([str(rank) for rank in range(1, 12)])
    open_image(page, "1")
    page.locator("select").first.select_option(label="al-loop demo segmentation")
    page.locator('[data-tip="Run model inference"]').click()
    expect(page.locator("#map path.leaflet-interactive").first).to_be_attached()
    page.wait_for_timeout(500)
    page.screenshot(path=pictures / "scaneo-suggestion.png")
    theirs = batch["url"].rpartition("=")[2]
    first = next(image for image in team.client.images(theirs) if image.path.startswith("1/"))
    suggested = team.client.annotations(first.id)
    assert suggested
    assert all(row.is_untouched_mask for row in suggested)
    page.get_by_text("ship", exact=True).click()
    draw(page)
    label = team.wait_for_labels(1)[0]
    page.screenshot(path=pictures / "scaneo-drawn.png")
    assert (label["path"], label["annotator"]) == (first.path.partition("/")[2], "anna")
    named = [feature["properties"]["label"] for feature in label["features"]["features"]]
    assert "ship" in named
    report = team.wait(lambda: (found := team.api.get("/campaigns/demo/assists").json()) and found["answered"])
    assert (report[0]["annotator"], report[0]["task"]) == ("anna", "segmentation")
    assert sum(report[0][outcome] for outcome in ("accepted", "edited", "rejected")) == 1


def test_annotator_page_leads_to_the_image_in_scaneo(team: Team, page: Page, pictures: Path, shared_data: Path) -> None:
    link_ships(team, shared_data)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"], origin=team.url)
    page.context.route(MAP_TILES, lambda route: route.abort())
    team.api.post("/campaigns/demo/queries", json={"annotator": "anna", "query_size": 5})
    page.add_init_script(f"localStorage.setItem('al-loop.token', JSON.stringify('{OPS_TOKEN}'))")
    page.goto(f"{team.url}/annotate/demo?annotator=anna")
    button = page.get_by_role("button", name="Open all in SCANEO")
    expect(button).to_be_visible()
    with page.context.expect_page() as opened:
        page.keyboard.press("b")
    expect(opened.value.locator(ROWS)).to_have_text(["1", "2", "3", "4", "5"])
    page.bring_to_front()
    expect(page.locator("[data-part=folder]")).to_have_text("Folder 1 of your batch.")
    page.screenshot(path=pictures / "annotate-scaneo.png")
    images = team.client.images(opened.value.url.rpartition("=")[2])
    held = team.api.get("/campaigns/demo/leases", params={"annotator": "anna"}).json()["leases"]
    assert [lease["scaneo_path"].partition("/")[0] for lease in held] == ["1", "2", "3", "4", "5"]
    first = next(image for image in images if image.path.startswith("1/"))
    west, south, east, north = first.bbox
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    feature = {"type": "Feature", "properties": {}, "geometry": {"type": "MultiPolygon", "coordinates": [[ring]]}}
    team.client.add_mask(first.id, "ship", feature)
    expect(page.get_by_text("1 done", exact=False).first).to_be_visible()
    opened.value.close()
