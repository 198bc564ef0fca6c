"""Reports of rounds over HTTP and in the terminal: for operators alone, and one sentence where there is none."""

import re
import shutil
from pathlib import Path

import httpx
import msgspec
import pytest

from al_loop.domain.round_reports import RoundReport
from al_loop.domain.rounds import RoundState
from al_loop.loop import Loop
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.e2e.campaigns import Http, create, label_all, register, run_round, running_server, write_pool
from tests.service.routes.test_round_events import begin


def test_round_has_a_report_as_json_page_and_table(
    settings: Settings, imagery: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    app = create_app(settings)
    with running_server(app) as url, httpx.Client(base_url=url, timeout=300) as client:
        http: Http = client  # type: ignore[assignment]
        create(http, imagery)
        write_pool(imagery, 24, size=32)
        register(http)
        label_all(http)
        entry = run_round(http)
        answer = client.get("/campaigns/demo/rounds/1/report")
        assert answer.status_code == 200, answer.text
        report = msgspec.json.decode(answer.content, type=RoundReport)
        (task,) = report.tasks
        assert (task.value, task.low) == (
            entry["evaluation"]["candidate"][0]["value"], entry["evaluation"]["candidate"][0]["low"],
        )  # fmt: skip
        assert report.reserve_labels == entry["reserve_labels"] == task.overall.samples
        assert sum(map(sum, task.confusion.counts)) == report.reserve_labels
        assert sum(entry.count for entry in task.reliability) == report.reserve_labels
        assert report.leakage is not None
        assert report.leakage.samples == 0
        assert report.chosen.sentence.startswith("Biased")
        assert task.distances[0].samples > 0

        page = client.get("/campaigns/demo/rounds/1/report.html")
        assert page.headers["content-type"].startswith("text/html")
        assert "unsafe-inline" not in page.headers["content-security-policy"]
        assert "<script" not in page.text
        assert not re.search(r"""(?:src|href)=["'](?!data:)""", page.text)  # opens without a network
        out = tmp_path / "round-1.html"
        assert main(["round", "report", "demo", "1", "--out", str(out), "--service", url]) == 0
        assert out.read_text() == page.text
        assert main(["round", "report", "demo", "1", "--out", str(out), "--service", url]) == 2  # is there already
        assert main(["round", "report", "demo", "--service", url]) == 0
        assert "by class" in capfd.readouterr().out

        image = (imagery / "scene_000.tif").read_bytes()
        served = client.post("/campaigns/demo/predictions/classification", files={"image": ("image", image)})
        if served.status_code == 200:  # the gate let it serve
            assert served.headers["x-model-version"] == "v1"
        assert client.get("/campaigns/demo/models/v1/lineage").json()["version"] == "v1"

        loop: Loop = app.state.loop
        folder = loop.store.campaigns.get("demo").folder
        (loop.layout.models(folder) / "v1").chmod(0o755)
        shutil.rmtree(loop.layout.models(folder) / "v1")
        shutil.rmtree(loop.layout.round(folder, 1))
        pruned = client.get("/campaigns/demo/rounds/1/report")
        assert (pruned.status_code, "were removed" in pruned.json()["detail"]) == (409, True)
        gone = client.get("/campaigns/demo/models/v1/lineage").json()
        assert (gone["files"], len(gone["notices"])) == ([], 2)


@pytest.mark.parametrize("state", [RoundState.FAILED, RoundState.INTERRUPTED, RoundState.TRAINING])
def test_round_without_a_report_says_why(http: Http, imagery: Path, state: RoundState) -> None:
    create(http, imagery)
    number = begin(http.app.state.loop, state)
    for path in ("report", "report.html"):
        answer = http.get(f"/campaigns/demo/rounds/{number}/{path}")
        assert answer.status_code == 409
        assert f"it is {state}" in answer.json()["detail"]
    assert http.get("/campaigns/demo/rounds/99/report").status_code == 404


def test_annotators_learn_nothing_of_the_reserve(settings: Settings, imagery: Path) -> None:
    tokens = msgspec.structs.replace(settings, tokens="ops=ops-secret,annotate=ann-secret")
    with running_server(create_app(tokens)) as url, httpx.Client(base_url=url) as client:
        headers = {"Authorization": "Bearer ann-secret"}
        for path in ("rounds/1/report", "rounds/1/report.html", "models/v1/lineage", "labels/1/lineage"):
            assert client.get(f"/campaigns/demo/{path}", headers=headers).status_code == 403
