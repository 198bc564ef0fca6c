import threading

from al_loop.runtime.slots import TrainingSlots
from tests.waiting import PATIENCE_S


def hold_in_thread(slots: TrainingSlots, campaign_id: int) -> tuple[threading.Event, threading.Event, threading.Thread]:
    """A thread that says when it holds a place and keeps it until told to let go."""
    held, done = threading.Event(), threading.Event()

    def work() -> None:
        with slots.hold(campaign_id, threading.Event()) as got:
            assert got
            held.set()
            done.wait(PATIENCE_S)

    thread = threading.Thread(target=work)
    thread.start()
    return held, done, thread


def test_places_are_shared_but_never_by_one_campaign() -> None:
    slots = TrainingSlots(2)
    first = hold_in_thread(slots, 1)
    assert first[0].wait(PATIENCE_S)
    same, other = hold_in_thread(slots, 1), hold_in_thread(slots, 2)
    assert other[0].wait(PATIENCE_S)
    assert not same[0].wait(0.3)
    third = hold_in_thread(slots, 3)
    assert not third[0].wait(0.3)  # both places are taken
    for _, done, thread in (first, other, same, third):
        done.set()
        thread.join(PATIENCE_S)
    assert same[0].is_set()
    assert third[0].is_set()


def test_waiting_ends_when_cancelled_and_takes_no_place() -> None:
    slots = TrainingSlots(1)
    holder = hold_in_thread(slots, 1)
    assert holder[0].wait(PATIENCE_S)
    cancelled = threading.Event()
    answers: list[bool] = []

    def wait() -> None:
        with slots.hold(2, cancelled) as got:
            answers.append(got)

    thread = threading.Thread(target=wait)
    thread.start()
    cancelled.set()
    thread.join(PATIENCE_S)
    assert answers == [False]
    holder[1].set()
    holder[2].join(PATIENCE_S)
    with slots.hold(2, threading.Event()) as got:
        assert got
