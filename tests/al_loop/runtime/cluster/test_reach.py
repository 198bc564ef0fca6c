"""Whether a head answers, found out without Ray."""

import socket
from datetime import UTC, datetime, timedelta

import pytest

from al_loop.runtime.cluster.reach import ClusterState, connects


def test_listening_port_is_reached_and_a_closed_one_is_not():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert connects(f"127.0.0.1:{port}")
    assert not connects(f"127.0.0.1:{port}")


@pytest.mark.parametrize("address", ["no-such-host.invalid:6379", "127.0.0.1:0"])
def test_address_that_nobody_has_is_not_reached(address: str):
    assert not connects(address, 1.0)


def test_problem_says_what_to_do_and_is_gone_once_the_head_answers():
    answers = [False, True]
    state = ClusterState("head:6379", lambda address: answers.pop(0))
    assert state.problem is None
    assert not state.look()
    assert str(state.problem).startswith("the Ray cluster at head:6379 does not answer; start it")
    assert state.look()
    assert state.problem is None


def test_refusal_stays_until_a_driver_could_work():
    state = ClusterState("head:6379", lambda address: True)
    state.refused("of another version")
    assert state.look()
    assert state.problem == "of another version"
    state.refused(None)
    assert state.problem is None


class Hours:
    """A cluster by a clock of ours."""

    def __init__(self) -> None:
        self.now, self.answers = datetime(2026, 3, 1, 12, 0, tzinfo=UTC), True
        self.state = ClusterState("head:6379", lambda address: self.answers, lambda: self.now)

    def after(self, minutes: float, *, answers: bool) -> list[str]:
        self.now += timedelta(minutes=minutes)
        self.answers = answers
        self.state.look()
        return self.state.notices


def test_cluster_that_is_away_and_comes_back_is_told_with_times_for_an_hour(caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO")
    hours = Hours()
    assert hours.after(0, answers=True) == []
    [away] = hours.after(1, answers=False)
    assert away.startswith("the Ray cluster at head:6379 does not answer; start it")
    assert away.endswith(
        "(since 2026-03-01 12:01 UTC); rounds wait or fail and are tried again, labels and predictions go on"
    )
    assert hours.after(3, answers=False) == [away]
    assert hours.state.returned is None
    told = "the Ray cluster at head:6379 can be used again since 12:06 UTC; it could not for 5 min 0 s"
    assert hours.after(2, answers=True) == [told]
    assert hours.state.returned == told
    assert hours.after(59, answers=True) == [told]
    assert hours.after(2, answers=True) == []
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]  # once each


def test_cluster_of_another_version_is_told_until_a_driver_could_work_or_another_head_answers():
    hours = Hours()
    hours.after(0, answers=True)
    hours.state.refused("of another version")
    assert hours.state.notices[0].startswith("of another version (since 2026-03-01 12:00 UTC)")
    assert hours.after(1, answers=True)[0].startswith("of another version")
    assert "does not answer" in hours.after(1, answers=False)[0]
    assert "can be used again since 12:03 UTC; it could not for 3 min 0 s" in hours.after(1, answers=True)[0]
    hours.state.refused("of another version")
    hours.state.refused(None)
    assert "can be used again" in hours.state.notices[0]
