"""Requests are sent again when nothing was done, and only then."""

from collections.abc import Callable

import httpx
import pytest

from al_loop.client import BusyServiceError, Client, NoAnswerError, NothingThereError, Retries, StateError
from al_loop.domain.labels import LabelInput

LABEL = LabelInput(sample_id=1, task="classification", annotator="ann", classes=["dark"])
Answer = Callable[[httpx.Request], httpx.Response]


def client_of(answer: Answer, tries: int = 4) -> Client:
    http = httpx.Client(base_url="http://al-loop.invalid", transport=httpx.MockTransport(answer))
    return Client("http://al-loop.invalid", http=http, retries=Retries(tries=tries, first_s=0.001))


def scripted(*answers: httpx.Response | Exception) -> tuple[Answer, list[httpx.Request]]:
    """Gives one answer after the other, the last one for ever."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        given = answers[min(len(asked), len(answers)) - 1]
        if isinstance(given, Exception):
            raise given
        return given

    return answer, asked


@pytest.mark.parametrize("status", [429, 503])
def test_labels_that_were_not_taken_are_sent_again_as_they_were(status: int) -> None:
    busy = httpx.Response(status, headers={"Retry-After": "0"}, json={"detail": "later"})
    answer, asked = scripted(busy, busy, httpx.Response(201, json={"label_ids": [7]}))
    assert client_of(answer).record_labels("land", [LABEL]) == [7]
    assert len(asked) == 3
    assert len({request.content for request in asked}) == 1


def test_busy_service_is_given_up_after_all_tries() -> None:
    answer, asked = scripted(httpx.Response(503, json={"detail": "too much is waiting"}))
    with pytest.raises(BusyServiceError, match="too much is waiting") as caught:
        client_of(answer, tries=3).campaigns()
    assert len(asked) == 3
    assert caught.value.url == "http://al-loop.invalid/campaigns"


@pytest.mark.parametrize(("status", "kind"), [(404, NothingThereError), (409, StateError)])
def test_refusal_is_raised_at_once_with_its_context(status: int, kind: type[Exception]) -> None:
    answer, asked = scripted(httpx.Response(status, json={"detail": "no"}, headers={"X-Request-Id": "r-1"}))
    with pytest.raises(kind) as caught:
        client_of(answer).start_round("land")
    assert len(asked) == 1
    error = caught.value
    assert getattr(error, "method", "") == "POST"
    assert getattr(error, "request_id", "") == "r-1"


def test_broken_connection_is_tried_again_where_nothing_is_changed() -> None:
    answer, asked = scripted(httpx.ReadError("reset"), httpx.Response(200, json=[]))
    assert client_of(answer).campaigns() == []
    answer, asked = scripted(httpx.ReadError("reset"))
    with pytest.raises(NoAnswerError, match="broke"):
        client_of(answer).start_round("land")
    assert len(asked) == 1


def test_timeout_is_not_tried_again() -> None:
    answer, asked = scripted(httpx.ReadTimeout("slow"))
    with pytest.raises(NoAnswerError, match="in time"):
        client_of(answer).campaigns()
    assert len(asked) == 1
