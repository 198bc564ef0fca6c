"""Errors of work that nobody waits for: kept from the rest whatever they are, logged once, gone when it succeeds."""

import logging
from collections.abc import Callable

import duckdb
import pytest

from al_loop.errors import StoreError
from al_loop.runtime.tick_errors import TickErrors

ERRORS = [
    OSError(2, "No such file"),
    KeyError("x"),
    duckdb.IOException("disk"),
    StoreError("full"),
    ZeroDivisionError(),
]


def failing(error: Exception) -> Callable[[], None]:
    def work() -> None:
        raise error

    return work


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_error_of_any_kind_is_shown_until_the_work_succeeds(error: Exception) -> None:
    errors = TickErrors()
    errors.watched("score demo", failing(error))()
    assert errors.problems == {"score demo": f"{type(error).__name__}: {error}"}
    errors.watched("score other", lambda: None)()
    assert list(errors.problems) == ["score demo"]
    errors.watched("score demo", lambda: None)()
    assert errors.problems == {}


def test_error_is_logged_once_until_it_changes_or_was_gone(caplog: pytest.LogCaptureFixture) -> None:
    errors = TickErrors()

    def logged(work: Callable[[], None]) -> int:
        caplog.clear()
        for _ in range(3):
            errors.watched("score demo", work)()
        return sum(record.levelno == logging.ERROR for record in caplog.records)

    assert logged(failing(OSError("a"))) == 1
    assert logged(failing(OSError("a"))) == 0
    assert logged(failing(OSError("b"))) == 1
    assert logged(lambda: None) == 0
    assert logged(failing(OSError("b"))) == 1
    assert "Traceback" in caplog.text


def test_interrupt_of_the_process_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), TickErrors().watch("score demo"):
        raise KeyboardInterrupt
