"""A follower looks at what changed, at deadlines, and at nothing else."""

import threading
import time
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest

from al_loop.runtime.follower import Follower
from al_loop.runtime.tick_errors import TickErrors
from al_loop.store.changes import Change, Changes
from tests.waiting import wait_for


class Item(msgspec.Struct, frozen=True):
    campaign_id: int
    name: str


ITEMS = [Item(1, "one"), Item(2, "two")]


class Looks:
    """Counts looks; `answers` says what a look returns or raises."""

    def __init__(self) -> None:
        self.count: Counter[str] = Counter()
        self.answers: dict[str, Callable[[], float | None]] = {}
        self.seen = threading.Event()

    def __call__(self, item: Item) -> float | None:
        self.count[item.name] += 1
        self.seen.set()
        return self.answers.get(item.name, lambda: None)()

    def wait_for(self, **counts: int) -> None:
        wait_for(
            lambda: all(self.count[name] >= least for name, least in counts.items()),
            lambda: f"{self.count} instead of {counts}",
        )


@pytest.fixture
def looks():
    return Looks()


@pytest.fixture
def follow(looks):
    started: list[Follower[Item]] = []

    def start(pause_s: float = 0.01) -> tuple[Changes, TickErrors]:
        changes, errors = Changes(), TickErrors()
        follower = Follower("work", lambda: ITEMS, changes, looks, errors, pause_s=pause_s)
        started.append(follower)
        follower.start()
        return changes, errors

    yield start
    for follower in started:
        follower.close()
        assert not follower.running


def test_everything_is_looked_at_once_at_the_start_and_then_nothing(follow, looks):
    follow()
    looks.wait_for(one=1, two=1)
    time.sleep(0.1)
    assert looks.count == {"one": 1, "two": 1}


def test_only_what_changed_is_looked_at_again(follow, looks):
    changes, _ = follow()
    looks.wait_for(one=1, two=1)
    changes.note([Change(2)])
    looks.wait_for(two=2)
    assert looks.count["one"] == 1


def test_look_that_names_a_time_is_repeated_then(follow, looks):
    answers = iter([0.05])
    looks.answers["one"] = lambda: next(answers, None)
    follow()
    looks.wait_for(one=2)
    time.sleep(0.1)
    assert looks.count == {"one": 2, "two": 1}


@pytest.mark.parametrize("error", [OSError("gone"), KeyError("x"), RuntimeError("odd")])
def test_error_is_shown_and_the_others_go_on(follow, looks, error, monkeypatch):
    monkeypatch.setattr("al_loop.runtime.follower.RETRY_S", 0.05)
    fails = iter([True])

    def answer() -> None:
        if next(fails, False):
            raise error

    looks.answers["one"] = answer
    _, errors = follow()
    looks.wait_for(one=2, two=1)
    wait_for(lambda: not errors.problems)


def test_many_changes_within_a_pause_are_one_look(follow, looks):
    changes, _ = follow(pause_s=1.0)
    looks.wait_for(one=1, two=1)
    for _ in range(50):
        changes.note([Change(1)])
    looks.wait_for(one=2)
    time.sleep(0.1)
    assert looks.count["one"] == 2
