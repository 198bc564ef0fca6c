"""What goes wrong between a client and a service, in words; the status of an answer is not looked at."""

from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from al_loop.client.errors import NoAnswerError, ServiceUnreachableError


@contextmanager
def faults(url: str) -> Iterator[None]:
    """Name what went wrong on the way, and what to do."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout) as error:
        raise ServiceUnreachableError.at(url, str(error)) from error
    except httpx.TimeoutException as error:
        raise NoAnswerError(
            f"the service at {url} did not answer in time; it may be busy and still carry the request out"
        ) from error
    except httpx.TransportError as error:
        raise NoAnswerError(f"the connection to {url} broke before the answer was complete: {error}") from error
