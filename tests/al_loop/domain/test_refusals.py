"""What msgspec refuses is said in words, with the choices that there are."""

from typing import Any

import msgspec
import pytest

from al_loop.domain.campaigns import CampaignSettings
from al_loop.domain.refusals import in_words
from al_loop.domain.retraining import RetrainPolicy
from service.schemas import WebhookRequest


def said(kind: Any, value: object) -> str:
    with pytest.raises(msgspec.ValidationError) as refused:
        msgspec.convert(value, kind)
    reason, _, path = str(refused.value).partition(" - at `")
    return in_words(kind, path.removesuffix("`"), reason)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({"promotion": "maybe"}, "'maybe' is none of ask, automatic, shadow"),
        ({"shadow": {"decide": "me"}}, "'me' is none of automatic, person"),
        (
            {"gate": {"thresholds": [{"change_threshold": {"direction": "up"}}]}},
            "'up' is none of higher_is_better, lower_is_better",
        ),
        ({"quiet_hours": ["22-6"]}, "expected times of the day such as 22:00-06:00"),
        ({"new_labels": 0}, "at least 1"),
        ({"interval_s": 0.5}, "at least 10"),
        ({"expected_gain": 1}, "less than 1"),
        ({"new_labels_share": 0}, "more than 0"),
        ({"timezone": "x" * 65}, "at most 64 characters"),
        ({"timezone": 5}, "expected a text, got a whole number"),
        ({"new_labels": "all"}, "expected a whole number or null, got a text"),
    ],
)
def test_policy_is_refused_in_words(value: dict[str, object], words: str) -> None:
    assert said(RetrainPolicy, value) == words


def test_address_name_and_kind_of_event_are_refused_in_words() -> None:
    assert said(WebhookRequest, {"url": "ftp://a.org"}) == "expected an address that begins with http:// or https://"
    assert said(WebhookRequest, {"url": "http://a.org", "events": ["none"]}).startswith(
        "'none' is none of drift.detected,"
    )
    named = said(CampaignSettings, {"view": {"views": [{"name": "My View", "title": "x", "bands": [1]}]}})
    assert named == "expected a name such as ndvi"
