"""Places of a lane: waited for in order, counted from the first moment, lost by whoever makes the others wait."""

import asyncio
import threading

import pytest
from litestar.concurrency import sync_to_thread

from models.errors import OverloadedError
from service.limits.lanes import PREDICTIONS, Lanes, begin_answer
from tests.service.limits.lanes_of_three import blocked, request, run
from tests.waiting import PATIENCE_S


def test_requests_wait_for_room_and_are_let_in_in_their_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.limits.lane.PATIENCE_S", PATIENCE_S)
    order: list[int] = []

    async def numbered(lanes: Lanes, number: int) -> None:
        async with lanes.place(PREDICTIONS):
            await sync_to_thread(order.append, number)

    async def work(lanes: Lanes) -> None:
        done = threading.Event()
        tasks = blocked(PREDICTIONS, done, 3)
        await asyncio.sleep(0.05)
        waiting = [asyncio.create_task(numbered(lanes, number)) for number in range(20)]
        await asyncio.sleep(0.05)
        gone = waiting.pop(4)
        gone.cancel()
        assert not order
        done.set()
        await asyncio.gather(*tasks, *waiting)
        assert order == [number for number in range(20) if number != 4]
        assert lanes._lanes[PREDICTIONS]._inside == 0

    run(work)


def test_requests_that_come_at_once_are_counted_before_they_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """While nobody has called yet, as many as there are places are let in."""
    monkeypatch.setattr("service.limits.lane.PATIENCE_S", 0.1)
    monkeypatch.setattr("service.limits.lane.KEPT_S", PATIENCE_S)

    async def work(lanes: Lanes) -> None:
        go, inside = asyncio.Event(), []

        async def waits() -> None:
            async with lanes.place(PREDICTIONS):
                inside.append(1)
                await go.wait()

        tasks = [asyncio.create_task(waits()) for _ in range(5)]
        refused = await asyncio.wait_for(asyncio.gather(*tasks[3:], return_exceptions=True), PATIENCE_S)
        assert [type(error) for error in refused] == [OverloadedError] * 2
        assert len(inside) == 3
        go.set()
        await asyncio.gather(*tasks[:3])

    run(work)


def test_body_that_comes_slowly_keeps_no_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("service.limits.lane.PATIENCE_S", PATIENCE_S)
    monkeypatch.setattr("service.limits.lane.KEPT_S", 0.05)

    async def work(lanes: Lanes) -> None:
        body = asyncio.Event()

        async def slow() -> int:
            async with lanes.place(PREDICTIONS):
                await body.wait()
                return await sync_to_thread(lambda: 3)

        tasks = [asyncio.create_task(slow()) for _ in range(3)]
        await asyncio.sleep(0)
        assert await request(lanes) == 7  # although three were before it
        body.set()
        assert await asyncio.gather(*tasks) == [3] * 3
        assert lanes._lanes[PREDICTIONS]._inside == 0

    run(work)


def test_answer_that_has_begun_keeps_no_place() -> None:
    async def work(lanes: Lanes) -> None:
        streams = []
        for _ in range(3):
            stream = lanes.place(PREDICTIONS)
            await stream.__aenter__()
            await sync_to_thread(int)
            begin_answer()
            streams.append(stream)
        assert await request(lanes) == 7
        for stream in reversed(streams):
            await stream.__aexit__(None, None, None)
        assert lanes._lanes[PREDICTIONS]._inside == 0

    run(work)
