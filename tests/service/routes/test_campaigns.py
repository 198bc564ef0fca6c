"""Campaigns that are renamed, put away, made smaller and deleted, on the real service."""

from collections.abc import Callable
from pathlib import Path

import pytest

from al_loop.campaigns.layout import DataLayout
from al_loop.loop import Loop
from service.settings import Settings
from tests.e2e.campaigns import Http, all_labels, create, encoded, label_all, register, run_round, write_pool
from tests.waiting import wait_for

StartService = Callable[[], Http]


@pytest.fixture
def root(imagery: Path) -> Path:
    write_pool(imagery / "pool", 30)
    return imagery / "pool"


@pytest.fixture
def campaign(http: Http, root: Path) -> str:
    create(http, root)
    register(http)
    return "/campaigns/demo"


def next_samples(http: Http, campaign: str, size: int = 5) -> list[int]:
    answer = http.post(f"{campaign}/queries", json={"annotator": "anna", "query_size": size})
    assert answer.status_code == 201, answer.text
    return [sample["sample_id"] for sample in answer.json()["samples"]]


def test_campaign_with_a_model_is_renamed_and_another_deleted_while_it_trains(
    start_service: StartService, settings: Settings, root: Path
) -> None:
    http = start_service()
    create(http, root)
    register(http)
    label_all(http)
    assert run_round(http)["state"] == "promoted"
    assert http.patch("/campaigns/demo", json={"name": "fields"}).json()["name"] == "fields"
    assert http.get("/campaigns/demo").status_code == 404
    create(http, root, name="demo")  # its name is free again, and its files are its own
    register(http, "demo")
    label_all(http, "demo")
    http.__exit__(None, None, None)

    http = start_service()
    assert http.get("/health/ready").json()["models"] == {"fields": "v1"}
    files = {"image": ("image", encoded(root / "scene_000.tif"))}
    assert http.post("/campaigns/fields/predictions/classification", files=files).status_code == 200
    assert http.post("/campaigns/demo/rounds", json={}).status_code == 202
    told = http.get("/campaigns/demo/deletion").json()
    assert told["running"] == ["round 1"]
    assert (told["samples"], told["labels"], told["rounds"], told["models"]) == (30, 30, 1, 0)
    refused = http.delete("/campaigns/demo")
    assert refused.status_code == 400
    assert "30 labels" in refused.json()["detail"]
    assert http.delete("/campaigns/demo", params={"confirm": "fields"}).status_code == 400
    assert http.delete("/campaigns/demo", params={"confirm": "demo"}).status_code == 200
    assert http.get("/campaigns/demo").status_code == 404
    assert [entry["name"] for entry in http.get("/campaigns").json()] == ["fields"]
    layout = DataLayout(settings.data)
    assert [path.name for path in (layout.root / "campaigns").iterdir()] == ["demo"]  # of `fields`, which was `demo`
    assert len(list(root.glob("*.tif"))) == 30
    assert http.post("/campaigns/fields/rounds", json={}).json()["number"] == 2
    wait_for(lambda: http.get("/campaigns/fields/rounds/2").json()["state"] not in ("queued", "snapshot"))
    assert http.post("/campaigns/fields/rounds/2/cancel").status_code == 202


def test_archived_campaign_rests_and_comes_back(http: Http, campaign: str) -> None:
    label_all(http, most=10)
    assert http.patch(campaign, json={"archived": True}).json()["archived"] is True
    assert http.get("/campaigns").json() == []
    assert [entry["name"] for entry in http.get("/campaigns", params={"archived": True}).json()] == ["demo"]
    query = {"annotator": "anna", "query_size": 1}
    for path, body in (("queries", query), ("relabels/queries", query), ("rounds", {}), ("pretrainings", {})):
        answer = http.post(f"{campaign}/{path}", json=body)
        assert answer.status_code == 409, path
        assert "al-loop archive demo --undo" in answer.json()["detail"]
    assert http.get(campaign).json()["next_round"]["sentence"] == "archived: no rounds start"
    assert len(all_labels(http)) == 10
    assert http.patch(campaign, json={"archived": False}).json()["archived"] is False
    assert next_samples(http, campaign)


def test_name_that_is_taken_or_none_is_refused(http: Http, campaign: str, root: Path) -> None:
    create(http, root, name="other")
    assert http.patch(campaign, json={"name": "other"}).status_code == 409
    assert http.patch(campaign, json={"name": "../up"}).status_code == 400
    assert http.patch(campaign, json={"name": 5}).status_code == 400
    assert http.patch(campaign, json={"title": "x"}).status_code == 400
    assert http.patch(campaign, json={"name": "demo"}).status_code == 200


def test_removed_sample_is_gone_with_its_labels_and_stays_away_from_scans(http: Http, campaign: str) -> None:
    label_all(http, most=10)
    given = next_samples(http, campaign)
    [labelled] = [label["sample_id"] for label in all_labels(http)][:1]
    assert http.patch("/campaigns/demo/classes/classification/dark", json={"examples": [labelled]}).status_code == 200
    for sample_id in (labelled, given[0]):
        refused = http.delete(f"{campaign}/samples/{sample_id}")
        assert (refused.status_code, "confirm=true" in refused.json()["detail"]) == (400, True)
        path = next(
            entry["path"]
            for entry in http.get(f"{campaign}/samples", params={"limit": 100}).json()["samples"]
            if entry["sample_id"] == sample_id
        )
        assert http.delete(f"{campaign}/samples/{sample_id}", params={"confirm": True}).status_code == 204
        assert http.delete(f"{campaign}/samples/{sample_id}", params={"confirm": True}).status_code == 404
        label = {"sample_id": sample_id, "task": "classification", "annotator": "ann", "classes": ["dark"]}
        assert http.post(f"{campaign}/labels", json=label).status_code == 404
    assert len(all_labels(http)) == 9
    assert http.get(f"{campaign}/classes").json()["tasks"][0]["classes"][0]["examples"] == []
    report = register(http)
    assert (report["registered"], report["known"], report["removed"], report["skipped"]) == (0, 28, 2, [])
    seen: set[int] = set()
    while size := len(more := next_samples(http, campaign, 10) if len(seen) < 10 else []):
        seen |= set(more)
        assert size
    assert not seen & {labelled, given[0]}
    again = http.post(f"{campaign}/samples", json={"paths": [path]}).json()
    assert again["registered"] == 1
    assert register(http)["removed"] == 1


def test_kept_pictures_go_with_their_sample_and_survive_a_new_name(
    http: Http, campaign: str, root: Path, settings: Settings
) -> None:
    [sample, *_] = http.get(f"{campaign}/samples").json()["samples"]
    tile = f"samples/{sample['sample_id']}/tiles/0/0/0.png"
    assert http.get(f"{campaign}/{tile}").status_code == 200
    scenes = DataLayout(settings.data).pictures("demo") / "scenes"
    kept = scenes / f"{sample['sample_id']}-1"
    kept.mkdir(parents=True)
    assert http.patch(campaign, json={"name": "renamed"}).status_code == 200
    assert http.get(f"/campaigns/renamed/{tile}").status_code == 200
    assert not DataLayout(settings.data).pictures("renamed").exists()
    gone = http.delete(f"/campaigns/renamed/samples/{sample['sample_id']}", params={"confirm": True})
    assert (gone.status_code, kept.exists()) == (204, False)


def test_kill_between_the_commit_and_the_files_leaves_no_half_campaign(
    start_service: StartService, settings: Settings, root: Path
) -> None:
    http = start_service()
    created = create(http, root)
    register(http)
    label_all(http, most=5)
    loop: Loop = http.app.state.loop
    folder = loop.layout.campaign(created["name"])
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "models" / "big").write_bytes(bytes(1000))
    campaign_id = loop.store.campaigns.get("demo").campaign_id
    loop.store.removals.delete(campaign_id)  # and here the machine stops
    create(http, root)  # before its files are removed, a campaign of that name has others
    assert loop.store.campaigns.get("demo").folder != "demo"
    http.__exit__(None, None, None)
    http = start_service()
    assert not (folder / "models" / "big").exists()
    assert http.get("/campaigns/demo").json()["samples"]["total"] == 0
    assert http.app.state.loop.store.removals.directories() == []


def test_rows_that_were_written_after_a_deletion_are_removed_at_the_next_start(
    start_service: StartService, root: Path
) -> None:
    http = start_service()
    create(http, root)
    register(http)
    loop: Loop = http.app.state.loop
    campaign_id = loop.store.campaigns.get("demo").campaign_id
    loop.store.removals.delete(campaign_id)
    loop.store.samples.set_pixel_hashes(campaign_id, [(1, "abc", 1)])
    database = loop.store._database  # a label that was on its way, which no verb lets us send
    columns = "(campaign_id, sample_id, task, annotator, labelled_at, recorded_at)"
    late = f"INSERT INTO label_events {columns} VALUES (?, 1, 'classification', 'ann', '2026-01-01', '2026-01-01')"  # noqa: S608  # constants
    database.write(lambda connection: connection.execute(late, [campaign_id]).fetchall())
    http.__exit__(None, None, None)
    http = start_service()
    found = http.app.state.loop.store._database.read(
        "SELECT count(*) AS rows FROM label_events UNION ALL SELECT count(*) FROM pixel_hashes"
    )
    assert [row["rows"] for row in found] == [0, 0]
