"""The super-resolved view on the annotator page: it says beside the picture that it is synthetic."""

from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import expect

from tests.models.super_resolution.fixtures import land, write_raster
from tests.models.super_resolution.test_resolver import copied
from tests.service.page.fixtures_annotators import Desk


def test_banner_says_that_the_view_is_synthetic_and_goes_with_it(
    open_desk: Callable[[], Desk], imagery: Path, super_model: Path, tmp_path: Path, pictures: Path
) -> None:
    model = copied(super_model, tmp_path / "model", better=True)
    root = imagery / "pool"
    for number in range(3):
        write_raster(root / f"scene_{number}.tif", land(number, 60), corner=(500_000 + 10_000 * number, 4e6))
    desk = open_desk()
    desk.create(
        root, scenes=0, settings={"reserve": {"share": 0.0, "minimum": 0}, "view": {"super_resolution": str(model)}}
    )
    desk.ask(query_size=3)
    page = desk.open()
    desk.wait_for_picture()
    banner = page.locator("[data-part=synthetic]")
    expect(banner).to_be_hidden()
    with page.expect_response(lambda answer: "view=super-resolved" in answer.url) as drawn:
        page.locator("[data-part=view-choice]").select_option("super-resolved")
    expect(banner).to_contain_text("synthetic, not a measurement")
    assert drawn.value.status == 200
    page.screenshot(path=pictures / "annotate-synthetic.png")
    page.locator("[data-part=view-choice]").select_option(index=0)
    expect(banner).to_be_hidden()
