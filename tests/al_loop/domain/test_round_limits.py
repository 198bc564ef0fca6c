import pytest

from al_loop.domain.round_limits import RoundLimits, check_limits
from al_loop.errors import InvalidValueError


def test_limits_of_the_program_are_those_that_it_can_hold_itself_to() -> None:
    limits = RoundLimits(memory_mb=4_000, threads=2, nice=19).of_the_program
    assert (limits.memory_mb, limits.least_free_mb, limits.threads, limits.nice) == (4_000, 200, 2, 19)


def test_more_free_space_than_the_disk_has_is_refused() -> None:
    check_limits(RoundLimits(least_free_mb=999), 10**9)
    with pytest.raises(InvalidValueError, match="1,000 MB is as much as the whole disk has") as refused:
        check_limits(RoundLimits(least_free_mb=1_000), 10**9, "$.settings.limits")
    assert refused.value.path == "$.settings.limits.least_free_mb"
