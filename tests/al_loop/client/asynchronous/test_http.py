"""The asynchronous client is written from the other one, and does the same against the real service."""

import asyncio
import io
from collections.abc import AsyncIterator, Coroutine
from concurrent.futures import ThreadPoolExecutor
from inspect import isasyncgenfunction, iscoroutinefunction
from typing import Any, TypeVar

import httpx
import pytest

from al_loop.client import AsyncClient, AsyncOperatorClient, BusyServiceError, NoAnswerError, NothingThereError, Retries
from al_loop.client.asynchronous.events import resumed
from al_loop.client.operators import OperatorClient
from al_loop.domain.labels import LabelInput
from tests.data.write_async_client import CLIENT, written

T = TypeVar("T")


def in_a_loop(work: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a thread of its own: another test's browser may have a loop in this one."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


@pytest.mark.parametrize("name", ["http", "operators"])
def test_it_is_as_it_would_be_written_today(name: str) -> None:
    assert (CLIENT / "asynchronous" / f"{name}.py").read_text(encoding="utf-8") == written(name), "make async-client"


def test_every_call_can_be_awaited_or_iterated() -> None:
    names = {n for n in vars(OperatorClient) | vars(OperatorClient.__base__ or object) if not n.startswith("_")}
    plain = {
        n for n in names if not (iscoroutinefunction(f := getattr(AsyncOperatorClient, n)) or isasyncgenfunction(f))
    }
    assert plain == {"every_sample", "every_label", "every_comment", "every_audit_entry", "every_delivery"}


def test_many_calls_at_once_to_the_real_service(land_url: str) -> None:
    async def use() -> None:
        async with AsyncOperatorClient(land_url) as client:
            await client.wait_until_live()
            campaigns, samples = await asyncio.gather(client.campaigns(), client.samples("land", limit=2))
            assert [campaign.name for campaign in campaigns] == ["land"]
            assert len(samples.samples) == 2
            assert [sample.sample_id async for sample in client.every_sample("land")] != []
            label = LabelInput(sample_id=2, task="classification", annotator="ann", classes=["bright"])
            assert len(await client.record_labels("land", [label])) == 1
            assert {label.sample_id async for label in client.every_label("land")} == {1, 2}
            assert "encoder" in await client.readiness()
            with pytest.raises(NothingThereError, match="no campaign 'sea'"):
                await client.campaign("sea")
            archive = io.BytesIO()
            await client.backup(archive, embeddings=False, compression="none")
            assert b"backup.json" in archive.getvalue()

    in_a_loop(use())


def test_busy_service_is_asked_again() -> None:
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(429, json={"detail": "later"}) if len(asked) < 3 else httpx.Response(200, json=[])

    async def use(tries: int) -> list[object]:
        asked.clear()
        http = httpx.AsyncClient(base_url="http://al-loop.invalid", transport=httpx.MockTransport(answer))
        async with AsyncClient(
            "http://al-loop.invalid", http=http, retries=Retries(tries=tries, first_s=0.01)
        ) as client:
            return [*await client.campaigns()]

    assert in_a_loop(use(3)) == []
    with pytest.raises(BusyServiceError, match="later"):
        in_a_loop(use(2))


def test_broken_stream_goes_on_after_the_last_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("al_loop.client.events.PAUSE_S", 0.0)
    asked: list[str] = []

    async def stream(seen: str) -> AsyncIterator[str]:
        asked.append(seen)
        if seen == "0":
            for line in ("id: 1", "event: state", "data: {1}"):
                yield line
            raise NoAnswerError("the connection broke")
        for line in ("id: 2", "event: state", "data: {2}"):
            yield line

    async def first_two() -> list[tuple[str, bytes]]:
        found = []
        async for event in resumed(stream):
            found.append(event)
            if len(found) == 2:
                break
        return found

    assert in_a_loop(first_two()) == [("state", b"{1}"), ("state", b"{2}")]
    assert asked == ["0", "1"]
