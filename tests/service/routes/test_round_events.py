"""Server-sent events of rounds: every state once, also over broken connections and restarts of the service."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import msgspec
import pytest

from al_loop.client.answers import RoundView
from al_loop.client.http import Client
from al_loop.domain.rounds import RoundEvent, RoundState
from al_loop.loop import Loop
from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import Http, create, running_server
from tests.waiting import PATIENCE_S

WAYPOINTS = (RoundState.SNAPSHOT, RoundState.TRAINING, RoundState.EVALUATING)


def begin(loop: Loop, *states: RoundState) -> int:
    """A round of `demo` that entered these states."""
    campaign_id = loop.store.campaigns.get("demo").campaign_id
    number = loop.store.rounds.create(campaign_id, reason="ops", now=loop.clock()).number
    for state in states:
        loop.store.rounds.set_state(campaign_id, number, state, loop.clock())
    return number


def received(text: str) -> list[tuple[str, str]]:
    """Ids and states of the events of a stream."""
    found = []
    for block in text.replace("\r\n", "\n").split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.splitlines() if ": " in line)
        if fields.get("event") == "state":
            found.append((fields["id"], msgspec.json.decode(fields["data"])["state"]))
    return found


@pytest.mark.parametrize(
    ("last", "expected"),
    [
        (None, ["queued", "snapshot", "training", "evaluating", "rejected"]),
        ("2", ["training", "evaluating", "rejected"]),
        ("5", []),
        ("99", []),
        ("nonsense", ["queued", "snapshot", "training", "evaluating", "rejected"]),
    ],
)
def test_stream_goes_on_after_the_last_event_that_was_received(
    http: Http, imagery: Path, last: str | None, expected: list[str]
) -> None:
    create(http, imagery)
    number = begin(http.app.state.loop, *WAYPOINTS, RoundState.REJECTED)
    headers = {} if last is None else {"Last-Event-ID": last}
    events = received(http.get(f"/campaigns/demo/rounds/{number}/events", headers=headers).text)
    assert [state for _, state in events] == expected
    assert [int(one) for one, _ in events] == list(range(6 - len(expected), 6))


def test_last_state_comes_with_its_verdict_though_it_came_while_the_stream_was_read(
    http: Http, imagery: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(http, imagery)
    loop: Loop = http.app.state.loop
    number = begin(loop, *WAYPOINTS)
    read = loop.store.rounds.events

    def ended_meanwhile(campaign_id: int, number: int) -> list[RoundEvent]:
        if not loop.store.rounds.get(campaign_id, number).state.is_end:
            loop.store.rounds.set_state(campaign_id, number, RoundState.REJECTED, loop.clock(), verdict="worse")
        return read(campaign_id, number)

    monkeypatch.setattr(loop.store.rounds, "events", ended_meanwhile)
    text = http.get(f"/campaigns/demo/rounds/{number}/events").text
    last = msgspec.json.decode(text.replace("\r\n", "\n").split("data: ")[-1].partition("\n")[0])
    assert (last["state"], last["verdict"]) == ("rejected", "worse")


def test_watching_goes_on_after_a_restart_of_the_service(settings: Settings, imagery: Path) -> None:
    app = create_app(settings)
    with ThreadPoolExecutor(1) as pool:
        with running_server(app) as url, httpx.Client(base_url=url) as http:
            create(http, imagery)  # type: ignore[arg-type]
            number = begin(app.state.loop, *WAYPOINTS)
            client = Client(url)
            events = client.watch_round("demo", number)
            seen = [next(events) for _ in range(4)]
            rest = pool.submit(list, events)
        with running_server(create_app(settings), client.port):
            seen += rest.result(PATIENCE_S)
    states = [event.state for event in seen if isinstance(event, RoundView)]
    taken_up = ["queued", "snapshot", "failed"]  # it has nothing to train on
    assert states == ["queued", *WAYPOINTS, *taken_up]
