"""Times that a clock which was set back left in the future."""

from datetime import timedelta

from al_loop.training.triggers.state import PastTimes, settled_at
from tests.al_loop.training.triggers.states import NOW, state

HOUR = timedelta(hours=1)


def test_time_in_the_future_counts_from_when_it_was_first_seen_there() -> None:
    past = PastTimes()
    ahead = NOW + 10 * HOUR
    assert past.of("a", ahead, NOW) == NOW
    assert past.of("a", ahead, NOW + HOUR) == NOW
    assert past.of("a", ahead, NOW - HOUR) == NOW - HOUR  # set back again
    assert past.of("a", ahead, NOW + 11 * HOUR) == ahead
    assert past.of("a", ahead, NOW) == NOW
    assert past.of("a", ahead + HOUR, NOW + HOUR) == NOW + HOUR  # another time
    assert past.of("b", None, NOW) is None
    assert past.of("b", NOW, NOW) == NOW


def test_labels_settle_a_pause_after_the_last_one() -> None:
    assert settled_at(state(last_label_at=None), 5) is None
    assert settled_at(state(last_label_at=NOW), 5) == NOW + timedelta(seconds=5)
    assert settled_at(state(last_label_at=NOW, debounced_since=NOW - HOUR), 5) == NOW - HOUR + timedelta(seconds=300)
