"""Ordinary settings and a handful of labels: a quick model serves, suggests and predicts."""

from pathlib import Path

import pytest

from tests.e2e.campaigns import (
    AIDED,
    BALANCED,
    Http,
    create,
    encoded,
    label_all,
    register,
    run_round,
    truth,
    write_pool,
)


@pytest.mark.shipped_encoder
def test_fewer_than_ten_labels_a_class_already_give_suggestions(http: Http, imagery: Path) -> None:
    write_pool(imagery / "pool", 30)
    create(http, imagery / "pool", settings=AIDED | {"reserve": BALANCED})
    register(http)
    label_all(http, most=26)

    turn = run_round(http)

    assert turn["state"] == "promoted", turn["verdict"] or turn["error"]
    assert turn["labels"] < 20
    assert turn["choice"].startswith("quick is the only candidate; a deep network is tried in the background from 200")
    assert turn["background"] is False
    (version,) = http.get("/campaigns/demo/models").json()["models"]
    assert version["choice"] == turn["choice"]
    assert http.get("/campaigns/demo").json()["last_round"]["choice"] == turn["choice"]
    samples = http.get("/campaigns/demo/samples", params={"limit": 100, "state": "pool"}).json()["samples"]
    assert samples
    for sample in samples:
        path = sample["path"]
        image = encoded(imagery / "pool" / path)
        answer = http.post("/campaigns/demo/predictions/classification", files={"image": ("image", image)}).json()
        assert (answer[1] > answer[0]) == (truth(path) == "bright")
