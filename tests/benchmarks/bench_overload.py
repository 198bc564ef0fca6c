"""What a crowd leaves to the others.

On the real service with a small convolutional network of both tasks:

- the peak of predictions a second with 8 clients, and twice that rate over 64, 256 (more than the queue holds) and 600
  connections (more than may be open), in turns of three seconds (a machine that is shared by others changes its speed
  by a third within a minute), both beside labels and probes: answers a second against the peak, what was refused, and
  how long labels and readiness take. Answers after the end of a turn are not counted. The connections stay open over
  the turns; what it costs the others when all of them are opened at one moment is measured before;
- six scenes of 2,048 px at once: how long readiness and a label take;
- 200 exports at once: how long a label takes;
- 600 connections that ask again at once, whatever they are told: what is refused, and how long a label takes;
- memory, descriptors and threads before and after.

Clients share the cores with the service, so ratios say more than figures.

Run: python -m tests.benchmarks.bench_overload [--seconds 20]
"""

import argparse
import asyncio
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np

from tests.benchmarks.bench_serving import fill, service
from tests.data.make_scene import make_scene

Message = tuple[int, bytes]
BOUNDARY = b"overload"
TURN_S = 3.0


class Caller:
    """A keep-alive connection, opened again when the server closed it."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._ends: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def call(self, request: bytes) -> Message:
        """Status and head of the answer; 0 if the connection was refused."""
        try:
            if self._ends is None:
                self._ends = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._ends
            writer.write(request)
            await writer.drain()
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            if b"content-length:" in head:
                await reader.readexactly(int(head.split(b"content-length:")[1].split(b"\r\n")[0]))
            else:
                while size := int((await reader.readline()).strip() or b"0", 16):
                    await reader.readexactly(size + 2)
                await reader.readline()
            if b"connection: close" in head:
                self.close()
            return int(head[9:12]), head
        except (ConnectionError, asyncio.IncompleteReadError):
            self.close()
            return 0, b""

    def close(self) -> None:
        """Give the connection back."""
        if self._ends is not None:
            self._ends[1].close()
        self._ends = None


def get(path: str) -> bytes:
    """A GET request."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


def predict(task: str, image: bytes) -> bytes:
    """A prediction request."""
    body = (
        b"--" + BOUNDARY + b'\r\nContent-Disposition: form-data; name="image"; filename="image"\r\n\r\n' + image
        + b"\r\n--" + BOUNDARY + b"--\r\n"
    )  # fmt: skip
    head = f"POST /campaigns/bench/predictions/{task} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"Content-Type: multipart/form-data; boundary=" + BOUNDARY + b"\r\n\r\n" + body


def label(number: int) -> bytes:
    """A request that labels a sample."""
    body = (
        f'{{"path": "img_{number % 1000:05}.png", "task": "classification", "annotator": "a{number}", '
        '"classes": ["class-1"], "override_lease": true}'
    )
    head = "POST /campaigns/bench/labels HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


class Probe:
    """Labels and asks for readiness now and then, and keeps how long each took."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._number = 0
        self.seconds: dict[str, list[float]] = {"label": [], "ready": [], "live": []}
        self.statuses: Counter[tuple[str, int]] = Counter()

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Probe"]:
        """Probe while the block runs."""
        tasks = [
            asyncio.create_task(self._repeat("label", self._label, 0.05)),
            asyncio.create_task(self._repeat("ready", lambda: get("/health/ready"), 0.05)),
            asyncio.create_task(self._repeat("live", lambda: get("/health/live"), 0.2)),
        ]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    def _label(self) -> bytes:
        self._number += 1
        return label(self._number)

    async def _repeat(self, name: str, request: Callable[[], bytes], pause_s: float) -> None:
        caller = Caller(self._port)
        try:
            while True:
                started = time.perf_counter()
                status, _ = await caller.call(request())
                self.seconds[name].append(time.perf_counter() - started)
                self.statuses[name, status] += 1
                await asyncio.sleep(pause_s)
        finally:
            caller.close()

    def summary(self) -> str:
        """One line."""
        parts = [
            f"{name} p50 {1000 * np.median(values):.0f}, p99 {1000 * np.percentile(values, 99):.0f} ms ({len(values)})"
            for name, values in self.seconds.items()
            if values
        ]
        odd = {key: count for key, count in self.statuses.items() if key[1] not in (200, 201)}
        return "; ".join(parts) + (f"; not answered well: {odd}" if odd else "")


async def closed_loop(port: int, request: bytes, clients: int, seconds: float) -> tuple[float, Counter[int]]:
    """Good answers a second of clients who ask again as soon as they are answered, and all statuses."""
    statuses: Counter[int] = Counter()
    end = time.perf_counter() + seconds

    async def one() -> None:
        caller = Caller(port)
        while time.perf_counter() < end:
            status, _ = await caller.call(request)
            statuses[status] += 1
            if status != 200:
                await asyncio.sleep(0.05)  # a client that heeded Retry-After would wait a second
        caller.close()

    await asyncio.gather(*(one() for _ in range(clients)))
    return statuses[200] / seconds, statuses


async def open_loop(callers: Sequence[Caller], request: bytes, rate: float, seconds: float) -> Counter[str]:
    """Ask at a rate, however long answers take."""
    due: asyncio.Queue[None] = asyncio.Queue()
    counts: Counter[str] = Counter()
    end = time.perf_counter() + seconds

    async def one(caller: Caller) -> None:
        while time.perf_counter() < end:
            try:
                await asyncio.wait_for(due.get(), 0.5)
            except TimeoutError:
                continue
            status, head = await caller.call(request)
            if time.perf_counter() >= end:
                counts["too late to count"] += 1
                break
            counts[str(status)] += 1
            counts["retry-after"] += b"retry-after" in head

    async def ask() -> None:
        started, sent = time.perf_counter(), 0
        while time.perf_counter() < end:
            while sent < rate * (time.perf_counter() - started):
                due.put_nowait(None)
                sent += 1
            await asyncio.sleep(0.01)

    await asyncio.gather(ask(), *(one(caller) for caller in callers))
    counts["not sent"] = due.qsize()
    return counts


def state(process_id: int) -> str:
    """Memory, descriptors and threads of the service."""
    status = Path(f"/proc/{process_id}/status").read_text()
    memory = int(status.split("VmRSS:")[1].split()[0]) // 1024
    descriptors, threads = (len(list(Path(f"/proc/{process_id}/{name}").iterdir())) for name in ("fd", "task"))
    return f"{memory} MB, {descriptors} descriptors, {threads} threads"


async def measure(port: int, process_id: int, small: bytes, scene: bytes, seconds: float) -> None:
    """All figures."""
    one = predict("classification", small)
    await closed_loop(port, one, 8, 3)
    print("at rest", state(process_id), "| load", os.getloadavg()[0])
    await overload(port, process_id, one, 64, seconds)
    await overload(port, process_id, one, 256, seconds)
    peak = await overload(port, process_id, one, 600, seconds)
    large = predict("segmentation", scene)
    started = time.perf_counter()
    status, _ = await Caller(port).call(large)
    print(f"a scene of 2,048 px alone: {status} in {time.perf_counter() - started:.1f} s")
    await crowd(port, "six scenes of 2,048 px at once", [large] * 6)
    async with Probe(port).running() as probe:
        scenes = asyncio.gather(*(Caller(port).call(large) for _ in range(3)))
        alone, _ = await closed_loop(port, one, 2, seconds / 4)
        await scenes
    print(f"small predictions beside three scenes: {alone:.0f}/s |", probe.summary(), flush=True)
    exports = [
        get("/campaigns/bench/export?format=" + ("geojson", "parquet", "scaneo")[index % 3]) for index in range(200)
    ]
    await crowd(port, "200 exports at once", exports)
    async with Probe(port).running() as probe:
        rate, statuses = await closed_loop(port, one, 600, seconds / 2)
    print(f"600 connections: goodput {rate:.0f}/s = {rate / peak:.2f} of the peak, {dict(statuses)}")
    print("  ", probe.summary())
    again, _ = await closed_loop(port, one, 8, 5)
    print(f"8 clients again: {again:.0f}/s |", state(process_id), "| load", os.getloadavg()[0])


async def overload(port: int, process_id: int, request: bytes, connections: int, seconds: float) -> float:
    """Goodput at twice the peak, in turns with the peak; gives the median peak."""
    peaks, goods = [], []
    counts: Counter[str] = Counter()
    callers = [Caller(port) for _ in range(connections)]
    await crowd(port, f"{connections} connections opened at one moment", [request] * connections, callers)
    before, probe = Probe(port), Probe(port)
    for _ in range(max(2, round(seconds / TURN_S))):
        async with before.running():
            peak, _ = await closed_loop(port, request, 8, TURN_S)
        async with probe.running():
            turn = await open_loop(callers, request, 2 * peak, TURN_S)
        peaks.append(peak)
        goods.append(turn["200"] / TURN_S)
        counts += turn
    for caller in callers:
        caller.close()
    ratios = np.divide(goods, peaks)
    print(f"peak of 8 clients: median {np.median(peaks):.0f}/s ({min(peaks):.0f} to {max(peaks):.0f})")
    print("  ", before.summary())
    print(
        f"{connections} connections at twice that: goodput {np.median(goods):.0f}/s = {np.median(ratios):.2f} "
        f"({ratios.min():.2f} to {ratios.max():.2f} in {len(ratios)} turns); {dict(counts)}"
    )
    print("  ", probe.summary(), "|", state(process_id), "| load", os.getloadavg()[0], flush=True)
    return float(np.median(peaks))


async def crowd(port: int, name: str, requests: Sequence[bytes], callers: Sequence[Caller] = ()) -> None:
    """Send requests at once, over connections of their own by default, and say how they and the probes fared."""
    callers = callers or [Caller(port) for _ in requests]
    async with Probe(port).running() as probe:
        started = time.perf_counter()
        calls = [caller.call(request) for caller, request in zip(callers, requests, strict=True)]
        answers = await asyncio.gather(*calls)
        took = time.perf_counter() - started
        await asyncio.sleep(0.3)
    print(f"{name}: {dict(Counter(status for status, _ in answers))} in {took:.1f} s |", probe.summary(), flush=True)


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        fill(directory, 1000)
        small = make_scene(directory / "small.tif", width=64, height=64, bands=4).read_bytes()
        scene = make_scene(directory / "scene.tif", width=2048, height=2048, bands=4).read_bytes()
        with service(directory) as (url, process_id):
            asyncio.run(measure(int(url.rsplit(":", 1)[1]), process_id, small, scene, seconds))


if __name__ == "__main__":
    main()
