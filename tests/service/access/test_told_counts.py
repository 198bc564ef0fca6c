"""Every count that annotators see moves alike, whatever the sample was asked for."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar.testing import TestClient

from al_loop.domain.queries import Pick, QuerySource
from al_loop.loop import utc_now
from service.access.token_file import add_token
from service.app import create_app
from service.settings import Settings
from tests.al_loop.store.fixtures import open_query
from tests.e2e.campaigns import Http, create, register, write_pool

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
SHARED = "shared-annotate"
GOLDEN = [f"scene_{number:03d}.tif" for number in range(6)]
CAMPAIGN = "/campaigns/demo"
SEED = 4711
CHOICES = {"reserve": {"share": 0.3, "minimum": 4, "block_by": "sample", "seed": SEED}, "query": {"golden": GOLDEN}}


class Desk:
    """A campaign with gold-standard samples whose answers are known, as persons with tokens see it."""

    def __init__(self, http: Http, secrets: dict[str, str]) -> None:
        self.http, self.secrets = http, secrets
        self._last: dict[str, dict[str, float]] = {}
        self.store = http.app.state.loop.store
        self.number = self.store.campaigns.get("demo").campaign_id
        samples = self.send("Max", "GET", f"{CAMPAIGN}/samples").json()["samples"]
        self.samples: dict[str, list[int]] = {
            "golden": [entry["sample_id"] for entry in samples if entry["path"] in GOLDEN],
            **{
                state: [e["sample_id"] for e in samples if e["state"] == state and e["path"] not in GOLDEN]
                for state in ("pool", "reserve")
            },
        }

    def send(self, who: str, method: str, path: str, **options: Any) -> Any:
        answer = self.http.request(method, path, headers={"authorization": f"Bearer {self.secrets[who]}"}, **options)
        assert answer.status_code < 400, answer.text
        return answer

    def label(self, who: str, sample_id: int, annotator: str | None = None) -> None:
        body = {"sample_id": sample_id, "task": "classification", "annotator": annotator or who, "classes": ["dark"]}
        self.send(who, "POST", f"{CAMPAIGN}/labels", json=body)

    def counters(self, who: str) -> dict[str, float]:
        """All numbers that somebody is told."""
        get = lambda path: self.send(who, "GET", path).json()  # noqa: E731
        samples = get(f"{CAMPAIGN}/samples?limit=1000")["samples"]
        told: dict[str, Any] = {
            "list": get("/campaigns"), "campaign": get(CAMPAIGN), "rounds": get(f"{CAMPAIGN}/rounds"),
            "labels": len(get(f"{CAMPAIGN}/labels")["labels"]),
            "exported": len(get(f"{CAMPAIGN}/export?format=geojson")["features"]),
            "states": {state: sum(e["state"] == state for e in samples) for state in ("pool", "leased", "labelled")},
        }  # fmt: skip
        if who != "shared":
            told["progress"] = get(f"{CAMPAIGN}/progress?annotator={who}")
        lines = self.send(who, "GET", "/metrics").text.splitlines()
        told["metrics"] = {
            name: float(value)
            for name, value in (line.rsplit(" ", 1) for line in lines if line.startswith("al_loop_") and "demo" in line)
            if "request" not in name and "last_label_timestamp" not in name
        }
        return dict(_numbers(told, ""))

    def moved(self, who: str, sample_id: int, source: QuerySource) -> tuple[dict[str, float], dict[str, float]]:
        """What a query and then an answer change in what one person is told."""
        before = self._last[who] if who in self._last else self.counters(who)
        annotator = "Anna" if who == "shared" else who
        open_query(self.store, self.number, annotator, [Pick(sample_id, None, "", source)], now=utc_now())
        leased = self.counters(who)
        self.label(who, sample_id, annotator)
        after = self.counters(who)
        self._last = {who: after}  # nothing happens until the next sample; what happened changed what others are told
        assert before.keys() == leased.keys() == after.keys()
        steps = ((before, leased), (leased, after))
        first, second = (
            {key: end[key] - start[key] for key in start if end[key] != start[key]} for start, end in steps
        )
        return first, second


def _numbers(value: Any, place: str) -> Iterator[tuple[str, float]]:
    if isinstance(value, dict | list):
        entries = value.items() if isinstance(value, dict) else enumerate(value)
        for key, entry in entries:
            yield from _numbers(entry, f"{place}/{key}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield place, value


@pytest.fixture
def desk(settings: Settings, tmp_path: Path, imagery: Path) -> Iterator[Desk]:
    write_pool(imagery / "pool", 24)
    file = tmp_path / "tokens.tsv"
    secrets = {name: add_token(file, name, "annotate", NOW) for name in ("Anna", "Bert")}
    secrets |= {"Max": add_token(file, "Max", "ops", NOW), "shared": SHARED}
    quiet = msgspec.structs.replace(
        settings, tokens=f"annotate={SHARED}", tokens_file=file, score_tick_s=3600.0, retrain_tick_s=3600.0
    )
    with TestClient(create_app(quiet), base_url="http://127.0.0.1") as http:
        http.headers["authorization"] = f"Bearer {secrets['Max']}"
        create(http, imagery / "pool", settings=CHOICES, policy={"new_labels": 50})
        register(http)
        store = http.app.state.loop.store
        store.samples.draw_reserve(store.campaigns.get("demo").campaign_id, NOW)
        made = Desk(http, secrets)
        for sample_id in made.samples["golden"]:
            made.label("Max", sample_id, "golden")
        yield made


def test_counts_move_alike_whatever_a_sample_was_asked_for_and_whoever_answered_it_before(desk: Desk) -> None:
    kinds: dict[QuerySource, str] = {"strategy": "pool", "control": "pool", "reserve": "reserve", "golden": "golden"}
    for person in ("Anna", "Bert"):
        moved = {source: desk.moved(person, desk.samples[side].pop(), source) for source, side in kinds.items()}
        asked, answered = moved["strategy"]
        assert asked["/campaign/samples/pool"] == asked["/states/pool"] == -1
        assert answered["/progress/answered"] == answered["/campaign/samples/labelled"] == answered["/labels"] == 1
        assert answered["/progress/next_round/new_labels"] == answered["/list/0/next_round/new_labels"] == 1
        assert moved == dict.fromkeys(kinds, (asked, answered))
    known = desk.send("Max", "GET", f"{CAMPAIGN}/labels?annotator=Anna").json()["labels"]
    again = next(entry["sample_id"] for entry in known if entry["path"] in GOLDEN)
    first = desk.moved("Bert", desk.samples["pool"].pop(), "strategy")
    assert desk.moved("Bert", again, "golden") == first, "Anna answered this one before"
    history = desk.send("Bert", "GET", f"{CAMPAIGN}/samples/{again}/labels").json()
    assert {entry["annotator"] for entry in history} == {"Bert"}


def test_annotators_are_not_told_by_which_seed_the_reserve_was_drawn_nor_the_gold_standard(desk: Desk) -> None:
    for path in (CAMPAIGN, f"{CAMPAIGN}/settings"):
        for person, seed, golden in (("Max", SEED, GOLDEN), ("Anna", 0, []), ("shared", 0, [])):
            told = desk.send(person, "GET", path).json()
            settings = told.get("settings", told)
            assert (settings["reserve"]["seed"], settings["query"]["golden"]) == (seed, golden)
            assert settings["reserve"]["share"] == CHOICES["reserve"]["share"]


def test_counts_of_a_shared_token_move_alike_for_the_first_answer(desk: Desk) -> None:
    expected = desk.moved("shared", desk.samples["pool"].pop(), "strategy")
    assert desk.moved("shared", desk.samples["reserve"].pop(), "reserve") == expected
    assert desk.moved("shared", desk.samples["golden"].pop(), "golden") == expected


def test_campaign_is_done_for_an_annotator_when_only_gold_standard_samples_are_left(desk: Desk) -> None:
    for sample_id in (*desk.samples["pool"], *desk.samples["reserve"]):
        desk.label("Bert", sample_id)
    shown = desk.send("Anna", "GET", f"{CAMPAIGN}/progress?annotator=Anna").json()
    assert (shown["answered"], shown["left_in_pool"]) == (24, 0)
