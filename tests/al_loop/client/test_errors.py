"""An error says what was asked, what was wrong, and which of the client's classes it is."""

import pytest

from al_loop.client.errors import (
    AccessError,
    BusyServiceError,
    InvalidRequestError,
    NothingThereError,
    ServiceError,
    StateError,
)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, InvalidRequestError),
        (413, InvalidRequestError),
        (401, AccessError),
        (403, AccessError),
        (404, NothingThereError),
        (409, StateError),
        (429, BusyServiceError),
        (503, BusyServiceError),
        (500, ServiceError),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[ServiceError]) -> None:
    error = ServiceError.of(status, "no", {}, method="GET", url="http://x/y", request_id="r1")
    assert type(error) is kind
    assert (error.status, error.method, error.url, error.request_id, str(error)) == (
        status, "GET", "http://x/y", "r1", "no",
    )  # fmt: skip


def test_fields_are_named_by_their_path() -> None:
    facts = {"errors": [{"path": "$[0].classes", "message": "at least one"}, "odd"]}
    assert ServiceError.of(400, "", facts).fields == {"$[0].classes": "at least one"}
    assert ServiceError.of(400, "", {"errors": "none"}).fields == {}
