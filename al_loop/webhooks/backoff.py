"""When a delivery that failed is tried again. Pure."""

from datetime import datetime, timedelta

FIRST_PAUSE = timedelta(seconds=5)
FACTOR = 4.0
LONGEST_PAUSE = timedelta(hours=8)
GIVE_UP_AFTER = timedelta(days=3)
JITTER = 0.2
"""Share of a pause by which it is longer or shorter, so that receivers are not met by everything at once."""

GONE = 410


def next_attempt(
    attempts: int, queued_at: datetime, now: datetime, *, status: int | None, chance: float
) -> datetime | None:
    """When to try again, or None to give up.

    Pauses are 5 s, 20 s, 80 s and so on up to 8 hours, for three days: about 16 attempts.

    Args:
        attempts: That failed so far, this one included.
        queued_at: Since when it is tried.
        now: When the last one failed.
        status: Of the answer; a receiver that answers 410 (gone) is left alone at once.
        chance: From 0 to 1, at random.
    """
    if status == GONE or now - queued_at >= GIVE_UP_AFTER:
        return None
    pause = min(FIRST_PAUSE * FACTOR ** min(attempts - 1, 10), LONGEST_PAUSE)
    return now + pause * (1 + JITTER * (2 * chance - 1))
