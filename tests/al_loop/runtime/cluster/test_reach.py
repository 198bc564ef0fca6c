"""Whether a head answers, found out without Ray."""

import socket

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
