"""What a request and an answer are, whether they are sent from threads or from an event loop."""

from typing import Any, Protocol, TypeVar

import httpx
import msgspec

from al_loop.client.errors import ForeignAnswerError, ServiceError

T = TypeVar("T")
TIMEOUT = httpx.Timeout(120.0, connect=5.0)
EVENTS_TIMEOUT = httpx.Timeout(60.0, connect=5.0)


class Page(Protocol):
    """A part of a list."""

    @property
    def next_cursor(self) -> str | None:
        """Names the next part; None: this is the last."""


def headers_of(token: str | None) -> dict[str, str]:
    """Headers of every request."""
    return {"Authorization": f"Bearer {token}"} if token else {}


def options_of(body: object, timeout: float | None, options: dict[str, Any]) -> dict[str, Any]:
    """Options of httpx with a JSON body, if there is one, and another limit in seconds, if there is one."""
    if body is not None:
        headers = {"Content-Type": "application/json"} | options.get("headers", {})
        options = options | {"content": msgspec.json.encode(body), "headers": headers}
    return options if timeout is None else options | {"timeout": timeout}


def decoded(url: str, content: bytes, kind: type[T]) -> T:
    """A record from the JSON of an answer.

    Raises:
        ForeignAnswerError: It is not such a record.
    """
    try:
        return msgspec.json.decode(content, type=kind)
    except msgspec.DecodeError as error:
        raise ForeignAnswerError(f"what answers at {url} is no al-loop service of this version: {error}") from error


def problem(url: str, response: httpx.Response) -> ServiceError:
    """The error that an answer stands for, whose body was read."""
    try:
        facts = msgspec.json.decode(response.content, type=dict[str, Any])
    except msgspec.DecodeError:
        facts = {}
    unexplained = f"status {response.status_code} without a reason from {url}: is it an al-loop service?"
    return ServiceError.of(
        response.status_code,
        str(facts.get("detail", unexplained)),
        facts,
        method=response.request.method,
        url=str(response.request.url),
        request_id=response.headers.get("X-Request-Id", ""),
    )


def page_parameters(filters: dict[str, Any], limit: int, cursor: str | None) -> dict[str, str | int]:
    """Parameters of a page; filters that are None are left out."""
    given = {"limit": limit, **filters, "cursor": cursor}
    return {name: value for name, value in given.items() if value is not None}
