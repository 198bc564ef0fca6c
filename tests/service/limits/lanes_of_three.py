"""Small lanes in a loop of their own: predictions with one thread and a queue of two."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

from litestar.concurrency import sync_to_thread

from service.limits.lane import LaneSize
from service.limits.lanes import ANSWERS, PREDICTIONS, SCENES, STORE, Lanes, in_lane
from tests.waiting import PATIENCE_S

SIZES = {
    STORE: LaneSize("requests", 1, 1),
    PREDICTIONS: LaneSize("predictions", 1, 2),
    SCENES: LaneSize("predictions of large images", 1, 1),
    ANSWERS: LaneSize("answers", 1, None),
}


def run(work: object) -> Lanes:
    """Run a coroutine function in a loop whose default executor has small lanes."""

    async def main() -> Lanes:
        lanes = Lanes(SIZES)
        asyncio.get_running_loop().set_default_executor(lanes)
        await work(lanes)  # type: ignore[operator]
        return lanes

    with ThreadPoolExecutor(1) as pool:  # the thread of the tests may have a loop of the browser
        return pool.submit(asyncio.run, main()).result()


def blocked(name: str, until: threading.Event, count: int) -> list[asyncio.Task[bool]]:
    async def wait() -> bool:
        with in_lane(name):
            return await sync_to_thread(until.wait, PATIENCE_S)

    return [asyncio.create_task(wait()) for _ in range(count)]


async def request(lanes: Lanes) -> int:
    """What a request does: it takes a place and calls something."""
    async with lanes.place(PREDICTIONS):
        return await sync_to_thread(lambda: 7)
