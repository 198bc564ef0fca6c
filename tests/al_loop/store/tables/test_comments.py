from collections.abc import Callable
from datetime import timedelta

import pytest

from al_loop.domain.campaigns import Campaign
from al_loop.errors import NotFoundError
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW

LATER = NOW + timedelta(minutes=5)


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign(samples=3)


def test_comments_are_listed_newest_first_and_by_sample(label_store: LabelStore, campaign: Campaign) -> None:
    number = campaign.campaign_id
    first = label_store.comments.add(number, 2, annotator="ann", text="lake or sea?", flag=True, now=NOW)
    second = label_store.comments.add(number, 1, annotator="bob", text="haze", flag=False, now=LATER)
    assert (first.path, first.flag, first.resolved_at) == ("img_00001.png", True, None)
    assert [*label_store.comments.page(number)] == [second, first]
    assert [*label_store.comments.page(number, before=second.comment_id)] == [first]
    assert [*label_store.comments.of_sample(number, 1)] == [second]


def test_resolved_flag_is_off_the_list_and_stays_with_who_closed_it(
    label_store: LabelStore, campaign: Campaign
) -> None:
    number = campaign.campaign_id
    comment = label_store.comments.add(number, 2, annotator="ann", text="", flag=True, now=NOW)
    assert [*label_store.comments.page(number, flagged=True)] == [comment]
    closed = label_store.comments.resolve(number, comment.comment_id, annotator="otto", now=LATER)
    assert (closed.resolved_at, closed.resolved_by) == (LATER, "otto")
    assert label_store.comments.resolve(number, comment.comment_id, annotator="ann", now=LATER) == closed
    assert [*label_store.comments.page(number, flagged=True)] == []


def test_unknown_samples_and_comments_are_named(label_store: LabelStore, campaign: Campaign) -> None:
    with pytest.raises(NotFoundError, match="sample 99"):
        label_store.comments.add(campaign.campaign_id, 99, annotator="ann", text="x", flag=False, now=NOW)
    with pytest.raises(NotFoundError, match="comment 7"):
        label_store.comments.resolve(campaign.campaign_id, 7, annotator="ann", now=NOW)
