"""Which requests are sent again, and after what time: exponential back-off with full jitter, or as the service says.

https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter; `Retry-After`: RFC 9110, section 10.2.3.
"""

import random
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import msgspec

RETRIED_STATUS = frozenset({429, 503})
"""Answers of a service that has done nothing of what was asked for."""
SAFE_METHODS = frozenset({"GET", "HEAD"})
"""Sent again also when the connection broke: they change nothing."""


class Retries(msgspec.Struct, frozen=True, kw_only=True):
    """How often a request is sent before its error is raised."""

    tries: int = 5
    """Times that it is sent at most; 1: never again."""
    first_s: float = 0.5
    """Longest pause after the first try in seconds; it doubles with each."""
    most_s: float = 60.0
    """Longest pause in seconds. A service that asks for a longer one by `Retry-After` is not waited for."""

    def pause_s(self, failed: int, retry_after: str | None) -> float | None:
        """Seconds until the next try.

        Args:
            failed: Tries so far, from 1.
            retry_after: The header of the answer: seconds, or a date; None: there was none.

        Returns:
            None: the request is not sent again.
        """
        if failed >= self.tries:
            return None
        backoff = min(self.first_s * 2.0 ** (failed - 1), self.most_s) * random.uniform(0.5, 1.0)  # noqa: S311
        asked = seconds_of(retry_after)
        if asked is not None and asked > self.most_s:
            return None
        return max(backoff, asked or 0.0)


def seconds_of(retry_after: str | None) -> float | None:
    """Seconds that the header `Retry-After` asks for, from now; None: it is missing or neither number nor date."""
    if retry_after is None:
        return None
    try:
        seconds = float(retry_after)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(retry_after).astimezone(UTC) - datetime.now(UTC)).total_seconds()
        except ValueError:
            return None
    return max(0.0, seconds) if seconds == seconds else None  # not a number
