"""A query is answered before the store has its leases: nothing may come between."""

import shutil
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import msgspec
import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.querying.sampler import Sampler
from al_loop.scoring.current import CurrentScores
from al_loop.store import LabelStore
from al_loop.store.database import Database
from al_loop.store.tables import queries
from models.scoring.embeddings import EmbeddingStore
from tests.al_loop.store.fixtures import NOW, open_query
from tests.waiting import PATIENCE_S, wait_for

MakeCampaign = Callable[..., Campaign]


@pytest.fixture
def campaign(make_campaign: MakeCampaign) -> Campaign:
    return make_campaign(samples=40)


@pytest.fixture
def sampler(label_store: LabelStore, campaign: Campaign, tmp_path: Path) -> Sampler:
    """It has answered a query of two, so that the campaign's pool index is read."""
    sampler = Sampler(label_store, CurrentScores(label_store, lambda _: EmbeddingStore(tmp_path / "scores")))
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
    raise duckdb.IOException("No space left on device")


@contextmanager
def busy_writer(store_database: Database) -> Iterator[None]:
    """The writer does nothing meanwhile."""
    begun, gate = threading.Event(), threading.Event()

    def operation(_: duckdb.DuckDBPyConnection) -> None:
        begun.set()
        gate.wait(PATIENCE_S)

    writing = threading.Thread(target=store_database.write, args=(operation,))
    writing.start()
    assert begun.wait(PATIENCE_S)
    try:
        yield
    finally:
        gate.set()
        writing.join(PATIENCE_S)


def test_annotators_get_different_samples_while_the_store_is_busy_and_it_has_all_after(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler, store_database: Database
) -> None:
    with busy_writer(store_database):
        given = {person: ask(sampler, campaign, person) for person in ("ann", "bob", "cleo")}
    expected = {sample_id: person for person, samples in given.items() for sample_id in samples}
    assert len(expected) == 15
    stored = held(label_store, campaign)  # a read finds what was answered before it began
    assert expected.items() <= stored.items()


def test_kill_before_the_commit_forgets_the_leases_and_lets_the_labels_in(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler, tmp_path: Path, store_database: Database
) -> None:
    with busy_writer(store_database):
        given = ask(sampler, campaign, "ann")
        shutil.copytree(tmp_path / "store", tmp_path / "as if killed here")
    reopened = LabelStore.open(tmp_path / "as if killed here" / "al_loop.duckdb")
    assert "ann" not in held(reopened, campaign).values()
    other = Sampler(reopened, CurrentScores(reopened, lambda _: EmbeddingStore(tmp_path / "scores")))
    assert len(ask(other, campaign, "bob", 35)) == 35
    labels = [LabelInput(sample_id=i, task="classification", annotator="ann", classes=["water"]) for i in given]
    free = [label for label in labels if label.sample_id not in held(reopened, campaign)]
    assert len(record_labels(reopened, campaign, free, NOW)) == len(free)
    reopened.close()


def test_numbers_of_queries_go_on_after_those_in_the_store(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler, tmp_path: Path
) -> None:
    numbers = [open_query(label_store, campaign.campaign_id, "ann", [sample]).query_id for sample in (5, 6, 7)]
    label_store.close()
    reopened = LabelStore.open(tmp_path / "store" / "al_loop.duckdb")
    numbers.append(open_query(reopened, campaign.campaign_id, "ann", [8]).query_id)
    reopened.close()
    assert numbers == list(range(numbers[0], numbers[0] + 4))


def test_leases_that_cannot_be_stored_are_free_again_and_the_error_is_logged(
    label_store: LabelStore,
    campaign: Campaign,
    sampler: Sampler,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    number = campaign.campaign_id
    index = label_store.pool_indexes.of(number, NOW)
    assert held(label_store, campaign)  # the fixture's query is stored
    with monkeypatch.context() as patch:
        patch.setattr(queries, "execute", full)
        assert len(ask(sampler, campaign, "ann", 20)) == 20
        wait_for(lambda: label_store.pool_indexes.known(number) is not index)
    assert "No space left" in caplog.text
    assert "ann" not in held(label_store, campaign).values()
    assert len(ask(sampler, campaign, "bob", 38)) == 38
    assert "bob" in held(label_store, campaign).values()


@pytest.mark.parametrize("restart", [False, True])
def test_lease_that_ran_out_does_not_run_again_beside_a_newer_one_when_the_clock_is_moved_back(
    label_store: LabelStore, campaign: Campaign, tmp_path: Path, restart: bool
) -> None:
    number, late = campaign.campaign_id, NOW + timedelta(days=1)
    for person, now in (("ann", NOW), ("bob", late)):
        assert open_query(label_store, number, person, [9], lease_s=60, now=now)
    if restart:
        label_store.close()
        label_store = LabelStore.open(tmp_path / "store" / "al_loop.duckdb")
    back = NOW + timedelta(seconds=5)
    label_store.pool_indexes.of(number, back)
    assert [lease.annotator for lease in label_store.queries.leases(number, back)] == ["bob"]
    assert not label_store.queries.leases(number, back + timedelta(seconds=campaign.settings.lease_s))
    label_store.close()


def test_lapsed_lease_taken_up_again_is_not_given_to_somebody_else_meanwhile(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler, store_database: Database
) -> None:
    number = campaign.campaign_id
    given = ask(sampler, campaign, "ann", 20)
    late = NOW + timedelta(days=1)
    label_store.pool_indexes.of(number, late)
    with ThreadPoolExecutor(1) as pool:
        with busy_writer(store_database):
            renewal = pool.submit(label_store.leases.renew, number, "ann", given, lease_s=60, now=late)
            index = label_store.pool_indexes.of(number, late)
            wait_for(lambda: all(position in index.holders for position in map(index.position, given)))
            answer = sampler.query(campaign, annotator="bob", query_size=40, now=late)
        assert renewal.result().extended == sorted(given)
    others = {sample.sample_id for sample in answer.samples}
    assert len(others) == 20
    assert not others & set(given)


def test_book_that_is_read_anew_knows_what_was_given_meanwhile(
    label_store: LabelStore, campaign: Campaign, sampler: Sampler, store_database: Database
) -> None:
    with ThreadPoolExecutor(1) as pool:
        with busy_writer(store_database):
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
