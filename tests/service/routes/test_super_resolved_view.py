"""The view that a model of super-resolution makes, over HTTP."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import Http
from tests.models.super_resolution.fixtures import land, write_raster
from tests.models.super_resolution.test_resolver import copied
from tests.service.routes.bad_input import refused
from tests.service.routes.test_pictures import campaign, picture


def test_super_resolved_view_is_marked_and_has_finer_tiles(http: Http, imagery: Path, super_model: Path) -> None:
    write_raster(imagery / "a.tif", land(5, 60))
    (sample_id,) = campaign(http, imagery).values()
    base = f"/campaigns/demo/samples/{sample_id}"
    assert http.get("/campaigns/demo/views").json()["synthetic"] is None
    missing = http.get(f"{base}/tiles/1/0/0.png?view=super-resolved")
    assert missing.status_code == 404

    changed = http.patch("/campaigns/demo/settings", json={"view": {"super_resolution": str(super_model)}})
    assert changed.status_code == 200, changed.text
    views = http.get("/campaigns/demo/views").json()
    assert views["views"][-1]["title"] == "Super-resolved 2x (synthetic)"
    assert views["default"] != "super-resolved"
    words = views["synthetic"]["words"]
    assert words.endswith("synthetic, not a measurement")

    made = http.get(f"{base}/tiles/1/0/0.png?view=super-resolved")
    assert made.status_code == 200, made.text
    assert made.headers["x-synthetic"] == words
    assert (picture(made.content)[:120, :120, 3] == 255).all()
    assert (picture(made.content)[120:, :, 3] == 0).all()
    whole = http.get(f"{base}/thumbnail.png?view=super-resolved&size=256")
    assert picture(whole.content).shape == (120, 120, 4)
    np.testing.assert_array_equal(picture(whole.content), picture(made.content)[:120, :120])
    assert whole.headers["x-synthetic"] == words

    plain = http.get(f"{base}/tiles/0/0/0.png?view=true-colour")
    shown = http.get(f"{base}/tiles/0/0/0.png?view=super-resolved")
    np.testing.assert_array_equal(picture(plain.content), picture(shown.content))  # up to 1:1 it is the image
    assert "x-synthetic" not in plain.headers
    for beyond in ("2/0/0", "1/1/0"):
        assert http.get(f"{base}/tiles/{beyond}.png?view=super-resolved").status_code == 404
    assert http.get(f"{base}/tiles/1/0/0.png?view=true-colour").status_code == 404


def test_four_times_view_has_two_more_zooms(http: Http, imagery: Path, super_model_4x: Path, tmp_path: Path) -> None:
    write_raster(imagery / "a.tif", land(5, 60))
    model = copied(super_model_4x, tmp_path / "model", better=True)
    (sample_id,) = campaign(http, imagery, settings={"view": {"super_resolution": str(model)}}).values()
    base = f"/campaigns/demo/samples/{sample_id}"
    made = http.get("/campaigns/demo/views").json()["synthetic"]
    assert (made["factor"], made["extra_zooms"], made["words"][:18]) == (4, 2, "super-resolved 4x ")
    whole = picture(http.get(f"{base}/thumbnail.png?view=super-resolved&size=512").content)
    assert whole.shape == (240, 240, 4)
    deepest = http.get(f"{base}/tiles/2/0/0.png?view=super-resolved")
    assert deepest.headers["x-synthetic"] == made["words"]
    np.testing.assert_array_equal(picture(deepest.content)[:240, :240], whole)
    between = picture(http.get(f"{base}/tiles/1/0/0.png?view=super-resolved").content)
    assert (between[:120, :120, 3] == 255).all()
    assert (between[120:, :, 3] == 0).all()
    assert http.get(f"{base}/tiles/3/0/0.png?view=super-resolved").status_code == 404


def test_model_that_is_gone_takes_the_view_with_it_and_says_so(
    http: Http, imagery: Path, super_model: Path, tmp_path: Path
) -> None:
    write_raster(imagery / "a.tif", land(5, 60))
    copied(super_model, tmp_path / "gone", better=True)
    (sample_id,) = campaign(http, imagery, settings={"view": {"super_resolution": str(tmp_path / "gone")}}).values()
    shutil.rmtree(tmp_path / "gone")
    views = http.get("/campaigns/demo/views").json()
    problem = views["synthetic"]["problem"]
    assert "holds no readable card.json" in problem
    assert f"the view 'super-resolved' is not shown: {problem}" in http.get("/campaigns/demo").json()["notices"]
    other = http.patch("/campaigns/demo/settings", json={"view": {"stretch": "image"}})
    assert other.status_code == 200, "what was stored before goes on"
    assert "super-resolved" not in [view["name"] for view in views["views"]]
    missing = http.get(f"/campaigns/demo/samples/{sample_id}/tiles/0/0/0.png?view=super-resolved")
    assert missing.status_code == 404
    assert "holds no readable card.json" in missing.text


@pytest.mark.parametrize("kind", ["gone", "worse", "changed", "other bands"])
def test_folder_without_a_usable_model_is_refused_with_the_reason(
    http: Http, imagery: Path, super_model: Path, tmp_path: Path, kind: str
) -> None:
    folder, bands = tmp_path / "model", 4 if kind == "other bands" else 3
    write_raster(imagery / "a.tif", np.resize(land(5, 60), (bands, 60, 60)))
    campaign(http, imagery)
    if kind != "gone":
        copied(super_model, folder, better=kind != "worse")
    if kind == "changed":
        (folder / "model.onnx").write_bytes(b"another")
    said = {
        "gone": "holds no readable card.json", "worse": "better was not shown",
        "changed": "is not the file that its card describes", "other bands": "was trained on images of 3 bands",
    }[kind]  # fmt: skip
    answer = http.patch("/campaigns/demo/settings", json={"view": {"super_resolution": str(folder)}})
    refused(answer, 400, said, "$.view.super_resolution")
    assert http.get("/campaigns/demo/settings").json()["view"]["super_resolution"] is None
    if kind != "other bands":  # not known before there are images
        made = {"name": "new", "root": str(imagery), "tasks": [{"task": "classification", "classes": ["a", "b"]}]}
        new = http.post("/campaigns", json=made | {"settings": {"view": {"super_resolution": str(folder)}}})
        refused(new, 400, said, "$.settings.view.super_resolution")
        assert http.get("/campaigns/new").status_code == 404
