"""A query is answered before the store has its leases: nothing may come between."""

import errno
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.errors import StoreError
from al_loop.querying.sampler import Sampler
from al_loop.store import LabelStore
from al_loop.store import query_rows as granting
from models.scoring.embeddings import EmbeddingStore
from tests.fixtures_store import NOW

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign(samples=40)


@pytest.fixture
def sampler(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> Sampler:
    """It has answered a query of two, so that the campaign's book is read."""
    sampler = Sampler(label_store, lambda _: EmbeddingStore(tmp_path / "scores"))
    ask(sampler, campaign, "first", 2)
    return sampler


def ask(sampler: Sampler, campaign: Campaign, annotator: str, size: int = 5) -> list[int]:
    answer = sampler.query(campaign, annotator=annotator, query_size=size, now=NOW)
    return [sample.sample_id for sample in answer.samples]


def held(store: LabelStore, campaign: Campaign) -> dict[int, str]:
    leases = store.queries.leases(campaign.campaign_id, NOW)
    assert len({lease.sample_id for lease in leases}) == len(leases)
    return {lease.sample_id: lease.annotator for lease in leases}


def full(*_: object, **__: object) -> None:
    if threading.current_thread().name == "label-store-writer":
        raise duckdb.IOException("No space left on device")
    raise OSError(errno.ENOSPC, "No space left on device")


def wait_until(condition: Callable[[], bool]) -> None:
    for _ in range(2000):
        if condition():
            return
        time.sleep(0.005)
    raise AssertionError("it did not come to that")


@contextmanager
def busy_writer(store: LabelStore) -> Iterator[None]:
    """The writer does nothing meanwhile."""
    begun, gate = threading.Event(), threading.Event()

    def operation(_: duckdb.DuckDBPyConnection, items: Sequence[None]) -> list[None]:
        begun.set()
        gate.wait(30)
        return list(items)

    store._database._writer.submit(operation, None)
    assert begun.wait(30)
    try:
        yield
    finally:
        gate.set()


def test_annotators_get_different_samples_while_the_store_is_busy_and_it_has_all_after(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler
) -> None:
    with busy_writer(label_store):
        given = {person: ask(sampler, campaign, person) for person in ("ann", "bob", "cleo")}
    expected = {sample_id: person for person, samples in given.items() for sample_id in samples}
    assert len(expected) == 15
    stored = held(label_store, campaign)  # a read finds what was answered before it began
    assert expected.items() <= stored.items()


def test_query_answered_before_the_process_was_killed_is_kept(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler, tmp_path: Path
) -> None:
    with busy_writer(label_store):
        given = ask(sampler, campaign, "ann")
        shutil.copytree(tmp_path / "store", tmp_path / "as if killed here")
    for _ in range(2):  # and once only
        reopened = LabelStore.open(tmp_path / "as if killed here" / "al_loop.duckdb")
        assert [sample_id for sample_id, person in held(reopened, campaign).items() if person == "ann"] == given
        other = Sampler(reopened, lambda _: EmbeddingStore(tmp_path / "scores"))
        assert not set(given) & set(ask(other, campaign, "bob"))
        reopened.close()
        assert list((tmp_path / "as if killed here" / "al_loop.queries").iterdir()) == []


def test_query_that_can_be_neither_noted_nor_stored_is_refused_and_gives_its_samples_back(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = label_store.pool_indexes.of(campaign.campaign_id, NOW).free

    with monkeypatch.context() as patch:
        patch.setattr(granting, "execute", full)
        patch.setattr(os, "fdatasync", full)
        with pytest.raises(StoreError, match="No space left"):
            ask(sampler, campaign, "ann")
    assert label_store.pool_indexes.of(campaign.campaign_id, NOW).free == free
    assert "ann" not in held(label_store, campaign).values()
    assert len(ask(sampler, campaign, "bob")) == 5


def test_query_that_is_noted_and_cannot_be_stored_yet_is_stored_with_the_next(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(granting, "execute", full)
        given = ask(sampler, campaign, "ann")
        assert "ann" not in held(label_store, campaign).values()
    others = ask(sampler, campaign, "bob")
    assert not set(given) & set(others)
    stored = held(label_store, campaign)
    assert {stored[sample_id] for sample_id in given} == {"ann"}
    assert {stored[sample_id] for sample_id in others} == {"bob"}


def test_lapsed_lease_taken_up_again_is_not_given_to_somebody_else_meanwhile(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler
) -> None:
    number = campaign.campaign_id
    given = ask(sampler, campaign, "ann", 20)
    late = NOW + timedelta(days=1)
    label_store.pool_indexes.of(number, late)
    with ThreadPoolExecutor(1) as pool:
        with busy_writer(label_store):
            renewal = pool.submit(label_store.leases.renew, number, "ann", given, lease_s=60, now=late)
            book = label_store.pool_indexes.of(number, late)
            wait_until(lambda: all(position in book.holders for position in map(book.position, given)))
            answer = sampler.query(campaign, annotator="bob", query_size=40, now=late)
        assert renewal.result().extended == sorted(given)
    others = {sample.sample_id for sample in answer.samples}
    assert len(others) == 20
    assert not others & set(given)


def test_book_that_is_read_anew_knows_what_was_given_meanwhile(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with busy_writer(label_store):
            given = ask(sampler, campaign, "ann", 20)
            label_store.pool_indexes.forget(campaign.campaign_id)
            other = pool.submit(ask, sampler, campaign, "bob", 40)
        assert not set(given) & set(other.result())


def test_retired_book_grants_nothing(label_store: LabelStore, campaign: Campaign, sampler: Sampler) -> None:
    old = label_store.pool_indexes.of(campaign.campaign_id, NOW)
    settings = msgspec.structs.replace(campaign.settings, lease_s=77.0)
    label_store.campaigns.set_settings(campaign.campaign_id, settings)
    assert old.retired
    assert ask(sampler, campaign, "ann")
    assert "ann" not in {person for held in old.holders.values() for person in held}
