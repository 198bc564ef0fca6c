"""Lanes of an event loop: bounded, apart from each other, and left at once by whoever does not wait any more."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from litestar.concurrency import sync_to_thread

from models.errors import OverloadedError, RasterTooLargeError
from models.inference.turns import given_away
from service.limits.lane import LaneSize
from service.limits.lanes import (
    PREDICTIONS,
    SCENES,
    STORE,
    Lanes,
    in_lane,
    lane_sizes,
    small_first,
)
from tests.service.limits.lanes_of_three import SIZES, blocked, request, run
from tests.waiting import PATIENCE_S


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.limits.lane.PATIENCE_S", 0.1)


def test_full_lane_refuses_and_says_when_to_come_back() -> None:
    async def work(lanes: Lanes) -> None:
        done = threading.Event()
        tasks = blocked(PREDICTIONS, done, 3)
        await asyncio.sleep(0.05)
        with pytest.raises(OverloadedError, match="2 predictions are waiting already; try again in 1 s") as refused:
            await request(lanes)
        assert refused.value.retry_after_s >= 1
        with in_lane(PREDICTIONS), pytest.raises(OverloadedError):
            await sync_to_thread(done.is_set)
        done.set()
        assert await asyncio.gather(*tasks) == [True] * 3
        assert await request(lanes) == 7

    run(work)


def test_full_lane_leaves_the_others_alone() -> None:
    async def work(lanes: Lanes) -> None:
        done = threading.Event()
        tasks = blocked(PREDICTIONS, done, 3)
        assert await asyncio.wait_for(sync_to_thread(lambda: 7), PATIENCE_S) == 7
        done.set()
        await asyncio.gather(*tasks)

    run(work)


def test_call_that_nobody_waits_for_is_never_run_and_makes_room() -> None:
    async def work(lanes: Lanes) -> None:
        done, ran = threading.Event(), threading.Event()
        tasks = blocked(PREDICTIONS, done, 1)
        with in_lane(PREDICTIONS):
            waiting = [asyncio.create_task(sync_to_thread(ran.set)) for _ in range(2)]
        await asyncio.sleep(0.05)
        with pytest.raises(OverloadedError):
            await request(lanes)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        further = asyncio.create_task(request(lanes))
        done.set()
        assert await further == 7
        await asyncio.gather(*tasks)
        with in_lane(PREDICTIONS):
            await sync_to_thread(int)
        assert not ran.is_set()

    run(work)


def test_large_image_waits_in_a_lane_of_its_own() -> None:
    names: list[str] = []

    def predict(most_values: int | None = None) -> str:
        names.append(threading.current_thread().name.split("_")[0])
        if most_values is not None:
            raise RasterTooLargeError("image", 9000, 9000, 4, most_values)
        return "answer"

    async def work(_: Lanes) -> None:
        with in_lane(PREDICTIONS):
            assert await small_first(predict) == "answer"

    run(work)
    assert names == [PREDICTIONS, SCENES]


def test_threads_end_with_the_loop() -> None:
    async def work(lanes: Lanes) -> None:
        await sync_to_thread(int)

    lanes = run(work)
    with pytest.raises(RuntimeError, match="shutdown"):
        lanes.submit(int)
    assert not [thread for thread in threading.enumerate() if thread.name.startswith(f"{STORE}_")]


def test_refused_call_costs_no_place() -> None:
    with ExitStack() as stack:
        lanes = stack.enter_context(Lanes(SIZES))
        done = threading.Event()
        stack.callback(done.set)
        for _ in range(2):
            lanes.submit(done.wait, PATIENCE_S)
        for _ in range(5):
            with pytest.raises(OverloadedError, match="1 requests"):
                lanes.submit(int)
        done.set()
    assert isinstance(lanes, ThreadPoolExecutor)


def test_every_lane_but_that_of_begun_answers_is_bounded() -> None:
    assert [name for name, size in lane_sizes().items() if size.queue is None] == ["answers"]


@pytest.mark.parametrize(("cores", "turns"), [(1, 1), (2, 1), (8, 7)])
def test_predictions_leave_a_core_to_labels_but_for_the_image_that_is_in_the_model(
    monkeypatch: pytest.MonkeyPatch, cores: int, turns: int
) -> None:
    monkeypatch.setattr("os.cpu_count", lambda: cores)
    size = lane_sizes()[PREDICTIONS]
    assert (size.turns, size.threads) == (turns, turns + 1)


def test_next_image_is_read_while_one_is_in_the_model() -> None:
    read = threading.Event()

    def in_model() -> bool:
        with given_away():
            return read.wait(PATIENCE_S)

    with Lanes(SIZES | {PREDICTIONS: LaneSize("predictions", 2, 2, turns=1)}) as lanes, in_lane(PREDICTIONS):
        first = lanes.submit(in_model)
        lanes.submit(read.set).result(PATIENCE_S)
        assert first.result(PATIENCE_S)
