"""No request is a fault of the service, however odd: deep, huge, wrong, cut off; and none breaks a later one."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from tests.e2e.campaigns import Http, create, register, write_pool

BIG = 10**40
DEEP = "[" * 100_000 + "]" * 100_000
OBJECTS = '{"a":' * 50_000 + "1" + "}" * 50_000
TASKS = [{"task": "classification", "classes": ["dark", "bright"]}, {"task": "segmentation", "classes": ["field"]}]
FILLED = {
    "model": "demo",
    "sample_id": "1",
    "label_id": "1",
    "number": "1",
    "version": "v1",
    "task": "classification",
    "name": "dark",
}
VALUES: list[Any] = [None, True, 0, -1, 1.5, BIG, -BIG, 2**31, 2**63, "", "x", "\0", "x" * 10_000, [], {}, [[]], [BIG]]
LABEL = {"path": "scene_000.tif", "task": "classification", "annotator": "x", "classes": ["dark"]}


@pytest.fixture
def demo(http: Http, imagery: Path) -> Http:
    """A campaign `demo` of twelve scenes with both tasks, and one label."""
    write_pool(imagery / "pool", 12)
    create(http, imagery / "pool", tasks=TASKS)
    register(http)
    assert http.post("/campaigns/demo/labels", json=LABEL).status_code == 201
    return http


def body_routes(http: Http) -> list[tuple[str, str, list[str]]]:
    """Method, address and names of the fields of each route that takes JSON."""
    document = http.get("/schema/openapi.json").json()
    found = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            schema = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
            if schema is not None:
                text = str(schema)
                names = [
                    name
                    for kind, described in document["components"]["schemas"].items()
                    if f"/{kind}'" in text
                    for name in described.get("properties", {})
                ]
                found.append(
                    (
                        method.upper(),
                        path.format(
                            **{"campaign": "demo", "comment_id": "1", "webhook_id": "1", "delivery_id": "1"} | FILLED
                        ),
                        names,
                    )
                )
    return found


def send(http: Http, method: str, path: str, body: Any) -> Any:
    if isinstance(body, str | bytes):
        return http.request(method, path, content=body, headers={"content-type": "application/json"})
    return http.request(method, path, json=body)


def test_odd_bodies_are_the_callers_mistake_on_every_route(demo: Http) -> None:
    routes = body_routes(demo)
    assert len(routes) > 20
    bad = []
    for method, path, names in routes:
        bodies: list[Any] = [
            DEEP,
            OBJECTS,
            DEEP[:1000],
            "",
            "{",
            "nul",
            '"\\ud800"',
            b"\xff\xfe{}",
            "1e400",
            "9" * 5000,
        ]
        bodies += ['{"' + "x" * 5000 + '":1}', '{"annotator":' + DEEP + "}", *([value] for value in VALUES)]
        bodies += [{name: value} for name in names for value in VALUES[::3]]
        for body in bodies:
            answer = send(demo, method, path, body)
            if answer.status_code >= 500 and answer.status_code != 501:
                bad.append((method, path, str(body)[:80], answer.status_code))
            assert "duckdb" not in answer.text.lower()
    assert bad == []


@examples(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_labels_with_any_one_field_changed_are_no_fault(demo: Http, data: st.DataObject) -> None:
    anything = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
        max_leaves=6,
    )
    names = [*LABEL, "sample_id", "features", "crs", "override_lease", "labelled_at", "other"]
    body = LABEL | {data.draw(st.sampled_from(names)): data.draw(anything)}
    assert send(demo, "POST", "/campaigns/demo/labels", body).status_code < 500


ADDRESSES = [
    f"/campaigns/demo/samples/{BIG}/thumbnail.png", f"/campaigns/demo/samples/{2**63}/labels",
    "/campaigns/demo/samples/-5/labels", f"/campaigns/demo/rounds/{BIG}", f"/campaigns/demo/rounds/{2**40}/events",
    f"/campaigns/demo/pretrainings/{BIG}", "/campaigns/demo/labels?cursor=" + str(BIG), "/campaigns/%00",
    "/campaigns/demo/labels?cursor=" + "OTk5OTk5OTk5OTk5OTk5OTk5OTk5OTk5", f"/campaigns/demo/queries/{BIG}",
    "/campaigns/demo/labels?as_of=9999-12-31T23:59:59-12:00", "/campaigns/demo/labels?as_of=1e300",
    "/campaigns/demo/labels?as_of=0.5", "/campaigns/demo/labels?as_of=0001-01-01T00:00:00%2B14:00",
    "/campaigns/demo/progress?annotator=a&since=9999-12-31T23:59:59-12:00", "/campaigns/" + "a" * 9000,
    f"/campaigns/demo/samples/1/uncertainty.tif?max_side={BIG}", "/campaigns/demo/leases?annotator=%00",
    f"/campaigns/demo/samples/1/tiles/{BIG}/0/0.png", f"/campaigns/demo/samples/1/tiles/0/{BIG}/0.png",
    f"/campaigns/demo/samples/{'9' * 5000}/labels", "/campaigns/demo/samples?search=%00", "/audit?cursor=%00",
]  # fmt: skip


def test_odd_addresses_are_the_callers_mistake(demo: Http) -> None:
    for path in ADDRESSES:
        answer = demo.get(path)
        assert answer.status_code in (400, 404) or (answer.status_code == 200 and "search" in path), answer.text[:300]


BROKEN: list[tuple[str, dict[str, Any]]] = [
    ("reserve.seed", {"reserve": {"seed": BIG}}),
    ("reserve.block_m", {"reserve": {"block_m": 1e-300}}),
    ("reserve.block_m", {"reserve": {"block_m": 1e300}}),
    ("reserve.group_pattern", {"reserve": {"group_pattern": "(" * 1000}}),
    ("reserve.group_pattern", {"reserve": {"group_pattern": "(" + "a" * 5000 + ")"}}),
    ("reserve.group_pattern", {"reserve": {"group_pattern": r"(a)(?=b)"}}),
    ("reserve.group_pattern", {"reserve": {"group_pattern": r"(a)\1"}}),
    ("reserve.group_pattern", {"reserve": {"group_pattern": "(a{0,60000})"}}),
    ("query.spread.group_pattern", {"query": {"spread": {"group_pattern": "["}}}),
    ("query.spread.max_per_group", {"query": {"spread": {"group_pattern": "x", "max_per_group": 2**70}}}),
    ("lease_s", {"lease_s": 1e300}),
    ("train.seed", {"train": {"seed": 2**70}}),
    ("train.learning_rate", {"train": {"learning_rate": 1e308}}),
    ("model.embedding_size", {"model": {"embedding_size": -1}}),
    ("model.encoder", {"model": {"encoder": "local-dir:/x"}}),
    ("model.encoder", {"model": {"encoder": "hf-hub:owner/x", "pretrained": True}}),
    ("view.views[0].bands[0]", {"view": {"views": [{"name": "a", "title": "a", "bands": [BIG]}]}}),
]


def test_setting_that_would_break_a_later_query_is_refused_when_it_is_set(
    demo: Http,
) -> None:
    for field, changed in BROKEN:
        new = {"name": "n", "root": "pool", "tasks": TASKS[:1], "settings": changed}
        for answer, path in (
            (demo.post("/campaigns", json=new), f"$.settings.{field}"),
            (demo.put("/campaigns/demo/settings", json=changed), f"$.{field}"),
            (demo.patch("/campaigns/demo/settings", json=changed), f"$.{field}"),
        ):
            assert (answer.status_code, f"`{path}`" in answer.json()["detail"]) == (400, True), answer.text
    assert demo.post("/campaigns/demo/queries", json={"annotator": "a", "query_size": 1}).status_code == 201


CAMPAIGNS: list[dict[str, Any]] = [
    {"root": "x" * 4000}, {"root": "a/" * 2000}, {"root": "\0"}, {"root": "x" * 5000}, {"bands": [2**31]},
    {"bands": [BIG]}, {"settings": []}, {"settings": None}, {"settings": 1}, {"settings": "x"}, {"policy": []},
    {"policy": {"new_labels": BIG}}, {"policy": {"interval_s": 1e308}}, {"policy": {"debounce_s": 1e308}},
    {"policy": {"min_labels": 2**70}}, {"tasks": [{"task": "classification", "classes": ["a"] * 20_000}]},
]  # fmt: skip


def test_odd_campaign_is_refused_with_the_field(demo: Http) -> None:
    for changes in CAMPAIGNS:
        answer = demo.post("/campaigns", json={"name": "n", "root": "pool", "tasks": TASKS[:1]} | changes)
        assert answer.status_code == 400, answer.text
        assert f"$.{next(iter(changes))}" in answer.json()["detail"]


def test_pattern_that_takes_exponential_time_elsewhere_is_matched_at_once(http: Http, imagery: Path) -> None:
    names = write_pool(imagery / "pool", 4)
    (imagery / "pool" / names[0]).rename(imagery / "pool" / ("a" * 60 + "!.tif"))
    evil = {
        "reserve": {"group_pattern": "^(a+)+$"},
        "query": {"spread": {"group_pattern": "^(a+)+$", "max_per_group": 1}},
    }
    create(http, imagery / "pool", tasks=TASKS[:1], settings=evil)
    register(http)
    assert http.post("/campaigns/demo/queries", json={"annotator": "a", "query_size": 2}).status_code == 201
