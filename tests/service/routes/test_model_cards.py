"""Cards of model versions as pages: what a stranger reads, also where files are damaged, old or without a place."""

import re
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from al_loop.loop import Loop
from models.card import ModelCard
from service.app import create_app
from service.cli import main
from service.settings import Settings
from service.views import card_for_annotator
from tests.data.make_scene import make_scene
from tests.e2e.campaigns import Http, create, label_all, register, run_round, running_server, write_pool

QUICK = {"train": {"candidates": "quick"}, "sensor": "rgb", "reserve": {"share": 0.3, "minimum": 4, "seed": 5}}


def registry_of(http: Http) -> Path:
    loop: Loop = http.app.state.loop
    return loop.layout.models(loop.store.campaigns.get("demo").folder)


def rewritten(card: Path, **changes: Any) -> None:
    """Change fields of a card on the disk, or leave them out (None)."""
    facts = msgspec.json.decode(card.read_bytes())
    kept = {name: value for name, value in (facts | changes).items() if changes.get(name, 0) is not None}
    card.chmod(0o644)
    card.write_bytes(msgspec.json.encode(kept))


@pytest.mark.shipped_encoder
def test_page_tells_a_stranger_what_the_version_needs_and_what_it_is_worth(
    settings: Settings, imagery: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_server(create_app(settings)) as url, httpx.Client(base_url=url, timeout=300) as client:
        http: Http = client  # type: ignore[assignment]
        create(http, imagery, settings=QUICK)
        write_pool(imagery, 24, size=32)
        register(http)
        label_all(http)
        assert run_round(http)["version"] == "v1"
        card = client.get("/campaigns/demo/models/v1").json()
        data = card["data"]
        assert card["band_kinds"] == ["red", "green", "blue"]
        assert data["images"] == card["labels"]
        assert len(data["footprints"]) == data["images"]
        assert data["value_types"] == ["uint16"]
        assert {entry["name"]: entry["training"] > 0 for entry in data["classes"]} == {"dark": True, "bright": True}
        assert sum(entry["training"] + entry["reserve"] for entry in data["classes"]) == 24
        assert data["ground_sampling_m"]["median"] == pytest.approx(10.0, rel=0.1)

        told = card_for_annotator(msgspec.convert(card, ModelCard, strict=False))
        assert (told.data, {part.by for part in told.evaluation.slices}) == (None, {"class"}), "no word of the reserve"
        assert {part["by"] for part in card["evaluation"]["slices"]} == {"class", "place"}

        markdown = client.get("/campaigns/demo/models/v1/card.md")
        assert (markdown.status_code, markdown.headers["content-type"]) == (200, "text/markdown; charset=utf-8")
        page = client.get("/campaigns/demo/models/v1/card.html")
        assert page.status_code == 200, page.text
        assert "unsafe-inline" not in page.headers["content-security-policy"]
        assert "<script" not in page.text
        assert not re.search(r"""(?:src|href)=["']""", page.text)
        assert page.text.count('class="footprint"') == data["images"]
        plain = client.get("/campaigns/demo/models/v1/card.md")
        assert plain.headers["content-type"].startswith("text/markdown")
        for said in (
            "## Limits", "red", "uint16", "Ground sampling distance", "Normalisation", "dark", "bright", "By place",
            "Apache-2.0", "seed", "label event", "manifest (sha256)", "Calibration",
        ):  # fmt: skip
            assert said in plain.text, said
            assert said.removeprefix("## ") in page.text, said
        assert "damaged" not in plain.text

        for wanted, text in (("md", plain.text), ("html", page.text)):
            assert main(["model", "card", "demo", "v1", "--format", wanted, "--service", url]) == 0
            assert capfd.readouterr().out == text
        assert main(["model", "card", "demo", "--format", "json", "--service", url]) == 0
        assert msgspec.json.decode(capfd.readouterr().out, type=ModelCard).version == "v1"
        assert main(["model", "card", "demo", "v9", "--format", "md", "--service", url]) == 2


@pytest.fixture
def with_version(http: Http, imagery: Path) -> Http:
    """A campaign with a version of images without a CRS."""
    create(http, imagery, settings=QUICK)
    write_pool(imagery, 24, size=32)
    for path in imagery.glob("*.tif"):
        make_scene(path, width=32, height=32, crs=None, content=_pixels(path))
    register(http)
    label_all(http)
    assert run_round(http)["version"] == "v1"
    return http


def _pixels(path: Path) -> Any:
    from models.rasters.reading import read_raster

    return read_raster(path, [1, 2, 3])


@pytest.mark.shipped_encoder
def test_images_without_a_place_give_a_sentence_instead_of_a_map_and_old_or_damaged_versions_are_told(
    with_version: Http,
) -> None:
    http = with_version
    page = http.get("/campaigns/demo/models/v1/card.html").text
    assert "<svg" not in page
    assert "There is no map" in page
    assert "have no place on Earth" in page

    directory = registry_of(http) / "v1"
    outcomes = directory / "reserve-outcomes.parquet"
    outcomes.chmod(0o644)
    outcomes.write_bytes(b"damaged")
    told = http.get("/campaigns/demo/models/champion/card.md").text
    assert "Its files are damaged and it must not be used" in told
    assert "cannot be read" in told

    rewritten(directory / "card.json", data=None, band_kinds=None, peak_memory_mb=None, environment=None)
    old = http.get("/campaigns/demo/models/v1/card.md")
    assert old.status_code == 200
    assert "not recorded" in old.text
    assert "was not recorded: nothing is said of places" in old.text

    (directory / "card.json").write_bytes(b"{}")
    for kind in ("html", "md"):
        assert http.get(f"/campaigns/demo/models/v1/card.{kind}").status_code == 409
    assert http.get("/campaigns/demo/models/v7/card.html").status_code == 404
    assert http.get("/campaigns/demo/models/challenger/card.html").status_code == 404
