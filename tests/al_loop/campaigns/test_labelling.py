from collections.abc import Callable

import pytest

from al_loop.campaigns.labelling import record_labels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import LabelInput
from al_loop.errors import InvalidValueError, NotFoundError
from al_loop.store import LabelStore
from tests.al_loop.store.fixtures import NOW


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign]) -> Campaign:
    return make_campaign(samples=6)


def answer(sample_id: int, *classes: str) -> LabelInput:
    return LabelInput(sample_id=sample_id, task="classification", annotator="ann", classes=list(classes))


def test_label_by_path(label_store: LabelStore, campaign: Campaign) -> None:
    by_path = LabelInput(path="img_00002.png", task="classification", annotator="ann", classes=["water"])
    assert record_labels(label_store, campaign, [by_path], NOW)[0].sample_id == 3


@pytest.mark.parametrize(
    ("bad", "error", "place"),
    [
        (answer(99, "water"), NotFoundError, "$.labels[1].sample_id"),
        (answer(2, "lava"), InvalidValueError, "$.labels[1].classes[0]"),
        (
            LabelInput(path="nope.tif", task="classification", annotator="a", classes=[]),
            NotFoundError,
            "$.labels[1].path",
        ),
        (LabelInput(task="classification", annotator="a", classes=[]), InvalidValueError, "$.labels[1]"),
        (
            LabelInput(sample_id=2, path="img_00000.png", task="classification", annotator="a", classes=[]),
            InvalidValueError,
            "$.labels[1].sample_id",
        ),
    ],
)
def test_one_bad_label_refuses_all(
    label_store: LabelStore, campaign: Campaign, bad: LabelInput, error: type[Exception], place: str
) -> None:
    with pytest.raises(error) as caught:
        record_labels(label_store, campaign, [answer(1, "water"), bad], NOW)
    assert f"`{place}`" in str(caught.value)
    assert label_store.labels.current(campaign.campaign_id) == []


def test_no_label_is_no_request(label_store: LabelStore, campaign: Campaign) -> None:
    assert record_labels(label_store, campaign, [], NOW) == []
    assert label_store.labels.newest_event(campaign.campaign_id) == 0
