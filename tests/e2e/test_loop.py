"""The whole loop over HTTP: register, query, label, train, gate, serve, ask again; twice."""

from pathlib import Path

import msgspec
import numpy as np
import pytest
import rasterio

from tests.e2e.campaigns import (
    AIDED,
    BALANCED,
    CLASSES,
    DEEP,
    Http,
    create,
    encoded,
    field_of,
    register,
    run_round,
    truth,
    write_pool,
)


def answer_queries(http: Http, labels: int, annotators: tuple[str, ...] = ("anna", "ben")) -> set[int]:
    """Let annotators ask in turn until this many samples are labelled; returns their ids."""
    seen: set[int] = set()
    while len(seen) < labels:
        for annotator in annotators:
            query = http.post("/campaigns/demo/queries", json={"annotator": annotator, "query_size": 4}).json()
            if not query["samples"]:
                return seen
            ids = {sample["sample_id"] for sample in query["samples"]}
            assert not ids & seen
            seen |= ids
            body = []
            for sample in query["samples"]:
                base = {"sample_id": sample["sample_id"], "annotator": annotator}
                body.append(base | {"task": "classification", "classes": [truth(sample["path"])]})
                body.append(base | {"task": "segmentation", "features": field_of(), "crs": "pixel"})
            response = http.post("/campaigns/demo/labels", json=body)
            assert response.status_code == 201, response.text
    return seen


def test_two_rounds_over_http(http: Http, imagery: Path) -> None:
    root = imagery / "pool"
    write_pool(root, 40)
    tasks = [{"task": "classification", "classes": CLASSES}, {"task": "segmentation", "classes": ["field"]}]
    create(http, root, tasks=tasks, settings=DEEP | AIDED | {"reserve": BALANCED})
    assert register(http)["registered"] == 40

    answer_queries(http, 28)
    first = run_round(http)
    assert first["state"] == "promoted", first["verdict"]
    assert {entry["task"] for entry in first["evaluation"]["candidate"]} == {"classification", "segmentation"}

    answer_queries(http, 6)
    second = run_round(http)
    assert second["state"] in ("promoted", "rejected"), second["verdict"]
    assert second["labels"] > first["labels"]

    view = http.get("/campaigns/demo").json()
    serving = view["current_model"]["version"]
    assert serving == ("v2" if second["state"] == "promoted" else "v1")
    assert view["current_model"]["loaded"]
    points = http.get("/campaigns/demo/learning-curve").json()["points"]
    assert [point["round_number"] for point in points if point["task"] == "classification"] == [1, 2]

    every = http.get("/campaigns/demo/samples", params={"limit": 100}).json()["samples"]
    aided = next(sample for sample in every if sample["state"] != "reserve")
    tested = next(sample for sample in every if sample["state"] == "reserve")
    image = encoded(root / aided["path"])
    shown = http.post(f"/campaigns/demo/samples/{tested['sample_id']}/suggest", json={"annotator": "anna"})
    assert shown.status_code == 409
    assert "on purpose" in shown.json()["detail"]
    probabilities = http.post("/campaigns/demo/predictions/classification", files={"image": ("image", image)}).json()
    assert len(probabilities) == 2
    assert sum(probabilities) == pytest.approx(1, abs=1e-4)

    mask = http.post("/campaigns/demo/predictions/segmentation", files={"image": ("image", image)})
    with (
        rasterio.MemoryFile(mask.content) as memory,
        memory.open() as result,
        rasterio.open(root / aided["path"]) as source,
    ):
        assert (result.count, result.dtypes[0]) == (1, "uint8")
        assert result.shape == source.shape
        assert result.crs == source.crs
        assert result.transform == source.transform
        assert set(np.unique(result.read(1))) <= {0, 1}

    card = http.get(f"/campaigns/demo/models/{serving}").json()
    assert max(card["parity"]["differences"].values()) <= card["parity"]["tolerance"]
    assert aided["score"] is not None
    for overlay in ("uncertainty", "suggestion"):
        picture = http.get(f"/campaigns/demo/samples/{tested['sample_id']}/thumbnail.png", params={"overlay": overlay})
        assert (picture.status_code, "on purpose" in picture.json()["detail"]) == (409, True)
    tif = http.get(f"/campaigns/demo/samples/{aided['sample_id']}/uncertainty.tif").content
    with rasterio.MemoryFile(tif) as memory, memory.open() as result:
        assert result.dtypes[0] == "float32"
        assert result.crs.to_epsg() == 32631
    regions = http.get(f"/campaigns/demo/samples/{aided['sample_id']}/uncertainty.geojson").json()
    assert [feature["properties"]["rank"] for feature in regions["features"]][:1] == [1]

    back = http.post("/campaigns/demo/models/v1/promote", json={"reason": "rollback"})
    assert back.json()["current_model"]["version"] == "v1"
    assert msgspec.json.decode((root.parent.parent / "data/campaigns/demo/models/current.json").read_bytes()) == {
        "version": "v1"
    }
