"""Turns: never more threads at work than there are turns, and one that waits for a graph keeps nobody waiting."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from models.inference.turns import Turns, given_away
from tests.waiting import PATIENCE_S


def test_turn_that_is_given_away_is_had_by_another_thread_and_taken_back() -> None:
    turns, in_graph, read, done = Turns(1), threading.Event(), threading.Event(), []

    def first() -> None:
        with turns.taken():
            with given_away():
                in_graph.set()
                assert read.wait(PATIENCE_S)
            done.append("first")

    def second() -> None:
        assert in_graph.wait(PATIENCE_S)
        with turns.taken():
            read.set()
            assert not done
            done.append("second")

    with ThreadPoolExecutor(2) as pool:
        for future in [pool.submit(first), pool.submit(second)]:
            future.result(PATIENCE_S)
    assert done == ["second", "first"]


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_threads_than_turns_work_at_once(count: int) -> None:
    turns, lock = Turns(count), threading.Lock()
    working, most = 0, 0

    def step(by: int) -> None:
        nonlocal working, most
        with lock:
            working += by
            most = max(most, working)

    def work() -> None:
        for _ in range(200):
            with turns.taken():
                step(1)
                step(-1)
                with given_away():
                    pass
                step(1)
                step(-1)

    with ThreadPoolExecutor(8) as pool:
        for future in [pool.submit(work) for _ in range(8)]:
            future.result(PATIENCE_S)
    assert 1 <= most <= count


def test_turn_comes_back_after_an_error_and_threads_without_one_give_nothing_away() -> None:
    turns = Turns(1)
    with pytest.raises(ValueError, match="in the graph"), turns.taken(), given_away():
        raise ValueError("in the graph")
    with given_away(), turns.taken():
        pass
    with turns.taken():
        pass
