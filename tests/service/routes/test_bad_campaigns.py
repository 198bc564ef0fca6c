"""What is wrong in a new campaign is refused, and the answer names the field."""

from pathlib import Path
from typing import Any

import pytest

from tests.e2e.campaigns import Http
from tests.service.routes.bad_input import refused


def new(**changes: Any) -> dict[str, Any]:
    task = {"task": "classification", "classes": ["a", "b"]}
    return {"name": "new", "tasks": [task], "root": "."} | changes


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        (new(name="Has Spaces"), 400, ["$.name"]),
        (new(name="x" * 65), 400, ["$.name"]),
        (new(tasks=[]), 400, ["$.tasks"]),
        (new(tasks=[{"task": "painting", "classes": ["a"]}]), 400, ["$.tasks[0].task", "painting"]),
        (new(tasks=[{"task": "detection", "classes": []}]), 400, ["$.tasks[0].classes"]),
        (new(tasks=[{"task": "detection", "classes": ["a"], "multi_label": True}]), 400, ["$.tasks[0].multi_label"]),
        (new(tasks=[{"task": "classification", "classes": ["a"]}]), 400, ["$.tasks[0].classes", "2 classes"]),
        (new(tasks=[{"task": "classification", "classes": ["a", "a"]}]), 400, ["$.tasks[0].classes", "unique"]),
        (new(tasks=[{"task": "classification", "classes": ["a", "b\0"]}]), 400, ["classes[1]", "control character"]),
        (new(root="/etc"), 400, ["$.root", "/etc"]),
        (new(root="../.."), 400, ["$.root"]),
        (new(root="no-such-folder"), 400, ["$.root", "not an existing directory"]),
        (new(bands=[0]), 400, ["$.bands"]),
        (new(tasks=[{"task": "segmentation", "classes": ["a"], "multi_label": True}]), 400, ["$.tasks[0].multi_label"]),
        (new(settings={"reserve": {"group_pattern": "tile"}}), 400, ["$.settings.reserve.group_pattern", "group"]),
        (new(policy={"cron": "0 3 * *"}), 400, ["4 fields instead of 5", "$.policy.cron"]),
        (new(surprise=1), 400, ["surprise"]),
        ({"name": "new"}, 400, ["tasks"]),
    ],
)
def test_bad_campaign_is_refused(still_http: Http, body: dict[str, Any], status: int, words: list[str]) -> None:
    refused(still_http.post("/campaigns", json=body), status, *words)
    assert still_http.get("/campaigns").json() == []


@pytest.mark.parametrize("pattern", ["tile[0-9]+_", "("])
def test_reserve_pattern_that_names_no_block_is_refused_when_settings_are_replaced(
    http: Http, campaign: str, pattern: str
) -> None:
    answer = http.put(f"/campaigns/{campaign}/settings", json={"reserve": {"group_pattern": pattern}})
    refused(answer, 400, "$.reserve.group_pattern")
    assert http.get(f"/campaigns/{campaign}").json()["settings"]["reserve"]["group_pattern"] is None


def test_body_that_is_no_json_is_refused(still_http: Http) -> None:
    headers = {"content-type": "application/json"}
    refused(still_http.post("/campaigns", content=b"{not json", headers=headers), 400)


def test_taken_campaign_name_is_refused(http: Http, campaign: str, root: Path) -> None:
    refused(http.post("/campaigns", json=new(name=campaign, root=str(root))), 409, "exists already")
