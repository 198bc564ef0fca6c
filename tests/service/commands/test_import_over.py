"""`al-loop import FILE --over CAMPAIGN` against a real service."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from al_loop.client.operators import OperatorClient
from al_loop.domain.campaigns import CampaignRequest, TaskRequest
from al_loop.domain.labels import LabelInput
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.data.make_roads import write_roads
from tests.e2e.campaigns import running_server

Over = Callable[..., tuple[int, str]]


@pytest.fixture
def roads(imagery: Path) -> Path:
    """16 chips of one place, and a map of its roads."""
    write_roads(imagery / "chips", scenes=1, chips=16)
    return imagery / "chips" / "roads.geojson"


@pytest.fixture
def client(settings: Settings, roads: Path) -> Iterator[OperatorClient]:
    tasks = [TaskRequest(task="segmentation", classes=["road"])]
    with running_server(create_app(settings)) as url, OperatorClient(url) as client:
        client.create_campaign(CampaignRequest(name="roads", tasks=tasks, root=str(roads.parent)))
        client.register("roads")
        yield client


@pytest.fixture
def over(client: OperatorClient, roads: Path, capfd: pytest.CaptureFixture[str]) -> Over:
    def run(*arguments: str) -> tuple[int, str]:
        code = main(["import", str(roads), "--over", "roads", *arguments, "--service", client.url])
        said = capfd.readouterr()
        return code, said.out + said.err

    return run


def labels(client: OperatorClient) -> list[dict[str, object]]:
    found = json.loads(client.export("roads", "geojson"))["features"]
    return list(found)


def test_dry_run_prints_the_plan_and_records_nothing(over: Over, client: OperatorClient) -> None:
    code, said = over("--dry-run")
    assert code == 0
    assert "nothing was recorded" in said
    assert "lines and areas in" in said
    assert "best shift" in said or "no shift stands out" in said
    assert labels(client) == []


def test_lines_become_labels_once_and_stay_lines(over: Over, client: OperatorClient) -> None:
    code, said = over()
    assert code == 0, said
    first = labels(client)
    assert first
    kinds = {str(feature["geometry"]["type"]) for feature in first}  # type: ignore[index]
    assert kinds == {"LineString"}
    assert "stay unlabelled (--empty" in said or "show nothing of it" not in said
    code, said = over()
    assert (code, labels(client)) == (0, first)
    assert " 0 new" in said


def test_what_a_person_answered_counts(over: Over, client: OperatorClient) -> None:
    sample = next(client.every_sample("roads"))
    none = {"type": "FeatureCollection", "features": []}
    client.record_labels(
        "roads", [LabelInput(sample_id=sample.sample_id, task="segmentation", annotator="ann", features=none)]
    )
    assert over("--empty")[0] == 0
    counting = [feature["properties"] for feature in labels(client)]
    own = [entry for entry in counting if entry["path"] == sample.path and entry["counts"]]  # type: ignore[index]
    assert [entry["annotator"] for entry in own] == ["ann"]  # type: ignore[index]


def test_options_that_do_not_go_together_are_refused(client: OperatorClient, roads: Path, over: Over) -> None:
    assert over("--class", "river")[0] == 2
    assert over("--campaign", "roads")[0] == 2
    assert over("--crs", "/vsicurl/http://127.0.0.1:1/x")[0] == 2
    assert main(["import", str(roads.parent), "--service", client.url]) == 2
    assert main(["import", str(roads.parent), "--campaign", "x", "--empty", "--service", client.url]) == 2
