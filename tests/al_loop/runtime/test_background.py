"""One thread does the jobs that nobody waits for, each once, whatever they raise."""

import threading
from collections.abc import Callable, Iterator

import duckdb
import pytest

from al_loop.errors import StoreError
from al_loop.runtime.background import Background
from al_loop.runtime.tick_errors import TickErrors
from tests.waiting import PATIENCE_S


@pytest.fixture
def errors() -> TickErrors:
    return TickErrors()


@pytest.fixture
def background(errors: TickErrors) -> Iterator[Background]:
    background = Background("test", errors)
    yield background
    background.close()


def failing(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize(
    "error",
    [OSError(2, "No such file"), KeyError("x"), duckdb.IOException("disk"), StoreError("full"), ZeroDivisionError()],
    ids=lambda error: type(error).__name__,
)
def test_thread_goes_on_after_any_error(background: Background, errors: TickErrors, error: Exception) -> None:
    done = threading.Event()
    background.ask("bad", failing(error), "ranking demo")
    background.ask("good", done.set, "ranking other")
    assert done.wait(PATIENCE_S)
    background.wait()
    assert list(errors.problems) == ["ranking demo"]


def test_job_that_waits_already_is_done_once(background: Background) -> None:
    begun, go_on, runs = threading.Event(), threading.Event(), []

    def first() -> None:
        begun.set()
        go_on.wait(PATIENCE_S)

    background.ask("first", first, "first")
    assert begun.wait(PATIENCE_S)
    for _ in range(3):
        background.ask("second", lambda: runs.append(1), "second")
    go_on.set()
    background.wait()
    assert runs == [1]


def test_jobs_that_wait_are_forgotten_at_the_end(background: Background) -> None:
    begun, go_on, runs = threading.Event(), threading.Event(), []

    def first() -> None:
        begun.set()
        go_on.wait(PATIENCE_S)
        runs.append("first")

    background.ask("first", first, "first")
    background.ask("second", lambda: runs.append("second"), "second")
    assert begun.wait(PATIENCE_S)
    threading.Timer(0.1, go_on.set).start()
    background.close()
    background.ask("third", lambda: runs.append("third"), "third")
    background.wait()
    assert runs == ["first"]
