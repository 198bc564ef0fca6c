"""Which commits count for which campaign, and who is woken by them."""

import threading
import time

import pytest

from al_loop.store.changes import Change, Changes
from tests.al_loop.store.fixtures import NOW, plain_headers
from tests.waiting import PATIENCE_S


def test_version_grows_for_the_campaign_that_changed_only():
    changes = Changes()
    changes.note([Change(1)])
    assert (changes.version(1), changes.version(2)) == (1, 0)


def test_change_of_unknown_extent_counts_for_every_campaign():
    changes = Changes()
    changes.note([Change(None)])
    assert changes.version(1) == changes.version(99) == 1
    assert changes.content_version(1) == 0


def test_remembered_answer_is_read_again_after_a_change_of_its_campaign():
    changes, reads = Changes(), []

    def read() -> int:
        reads.append(None)
        return len(reads)

    assert [changes.remember("x", 1, read) for _ in range(3)] == [1, 1, 1]
    changes.note([Change(2)])
    assert changes.remember("x", 1, read) == 1
    changes.note([Change(1)])
    assert changes.remember("x", 1, read) == 2


def test_nothing_is_remembered_of_a_campaign_whose_change_is_being_committed():
    """Between a commit and its note, one answer would be from after it and a remembered one from before."""
    changes, reads = Changes(), iter(range(10))
    assert [changes.remember("x", number, lambda: next(reads)) for number in (1, 2)] == [0, 1]
    changes.begin([Change(1)])
    assert changes.remember("x", 1, lambda: next(reads)) == 2
    assert changes.remember("x", 2, lambda: next(reads)) == 1
    changes.note([Change(1)])
    assert [changes.remember("x", 1, lambda: next(reads)) for _ in range(2)] == [3, 3]


def test_waiting_ends_with_the_next_change():
    changes = Changes()
    seen = changes.total
    threading.Timer(0.05, changes.note, [[Change(1)]]).start()
    started = time.monotonic()
    changes.wait(seen, 2 * PATIENCE_S)
    assert time.monotonic() - started < PATIENCE_S


@pytest.mark.parametrize("content", [True, False])
def test_commits_of_the_store_count_before_their_caller_goes_on(label_store, make_campaign, content):
    store, campaign = label_store, make_campaign()
    number = campaign.campaign_id
    before, content_before = store.changes.version(number), store.campaign_version(number)
    if content:
        store.campaigns.set_tasks(number, campaign.tasks)
    else:
        store.samples.register(number, plain_headers(3), NOW)
    assert store.changes.version(number) > before
    assert (store.campaign_version(number) > content_before) == content


def test_rounds_are_read_again_after_one_was_created(label_store, make_campaign):
    store, campaign = label_store, make_campaign()
    number = campaign.campaign_id
    assert store.rounds.last(number) is None
    store.rounds.create(number, reason="test", now=NOW)
    assert [entry.number for entry in store.rounds.list(number)] == [1]
    assert store.rounds.active(number) == store.rounds.last(number)
