from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from al_loop.scaneo.watching.change_search import ChangeSearch, Signal, turns
from al_loop.scaneo.watching.debounce import IN_WORK, Debouncer

NOON = datetime(2026, 6, 1, 12)  # noqa: DTZ001  # SCANEO's times have no zone
NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
MANY = range(1, 101)


def signal(count: int, seconds: float) -> Signal:
    return Signal(count, NOON + timedelta(seconds=seconds))


def reads(chase: ChangeSearch, contents: dict[int, list[float]], before: dict[int, int]) -> list[int]:
    """Follow a chase to its end, with annotations made at some seconds after noon; returns the images read."""
    read = []
    while not chase.over and (image_id := chase.next()) is not None:
        read.append(image_id)
        times = [NOON + timedelta(seconds=second) for second in contents.get(image_id, [])]
        known = before.get(image_id, 0)
        chase.found(
            image_id,
            known,
            times,
            changed=len(times) != known or any(second > 0 for second in contents.get(image_id, [])),
        )
    return read


@given(st.lists(st.integers(0, 2**31), min_size=1, max_size=1), st.datetimes())
def test_signal_survives_being_written_down(counts: list[int], moment: datetime) -> None:
    assert Signal.parse(str(Signal(counts[0], moment))) == Signal(counts[0], moment)


def test_first_chase_reads_everything() -> None:
    assert reads(ChangeSearch(None, signal(3, 5), [], [7], MANY), {7: [5.0]}, {}) == [7, *(i for i in MANY if i != 7)]


def test_new_annotation_on_a_likely_image_costs_one_reading() -> None:
    chase = ChangeSearch(signal(3, 0), signal(4, 5), [], [42, 43], MANY)
    assert reads(chase, {42: [4.9]}, {}) == [42]
    assert not chase.complete


def test_brush_stroke_is_explained_by_its_moment_although_the_count_is_the_same() -> None:
    assert reads(ChangeSearch(signal(3, 0), signal(3, 5), [9, 42], [], MANY), {42: [4.9]}, {42: 1}) == [9, 42]


def test_deletion_is_explained_by_what_is_missing() -> None:
    assert reads(ChangeSearch(signal(3, 0), signal(2, 5), [], [42], MANY), {}, {42: 1}) == [42]


def test_two_changes_between_two_looks_are_both_found() -> None:
    chase = ChangeSearch(signal(3, 0), signal(5, 5), [], [42], MANY)
    assert reads(chase, {42: [4.9], 60: [3.0]}, {})[-1] == 60


def test_images_in_work_are_read_even_if_the_signal_is_explained() -> None:
    assert reads(ChangeSearch(signal(3, 0), signal(4, 5), [42, 43, 44], [], MANY), {42: [4.9]}, {}) == [42, 43, 44]


def test_batch_does_not_wait_behind_the_quiet_search_of_a_whole_campaign() -> None:
    quiet = ChangeSearch(signal(3, 0), signal(3, 5), [42], [], MANY)
    assert quiet.next() == 42
    quiet.found(42, 0, [NOON + timedelta(seconds=5)] * 2, changed=True)  # the latest, and more than the signal counts
    assert not quiet.over
    batch, whole = (ChangeSearch(signal(0, 0), signal(1, 5), [], [], MANY) for _ in range(2))
    searches = {"quiet": quiet, "whole": whole, "batch": batch}
    assert turns(searches, {"quiet": 5, "whole": 100, "batch": 8}) == ["batch", "whole", "quiet"]


def test_unexplained_signal_ends_after_every_image() -> None:
    chase = ChangeSearch(signal(3, 0), signal(9, 5), [], [], MANY)
    assert reads(chase, {}, {}) == list(MANY)
    assert chase.complete


@given(st.sets(st.sampled_from(list(MANY)), min_size=1, max_size=6), st.integers(0, 40))
def test_signal_that_moves_during_a_search_loses_nothing(changed: set[int], read_before: int) -> None:
    """Whatever was read when a second change comes, every changed image is read after its change."""
    first, *later = sorted(changed)
    contents = {first: [4.9]}
    chase = ChangeSearch(signal(0, 0), signal(1, 5), [], [], MANY)
    seen: dict[int, int] = {}
    for _ in range(read_before):
        image_id = None if chase.over else chase.next()
        if image_id is None:
            break
        seen[image_id] = len(contents.get(image_id, []))
        chase.found(
            image_id, 0, [NOON + timedelta(seconds=s) for s in contents.get(image_id, [])], changed=image_id in contents
        )
    if later:
        contents |= {image_id: [9.9] for image_id in later}
        chase.again(signal(len(changed), 10), [], [])
    for image_id in reads(chase, contents, {}):
        seen[image_id] = len(contents.get(image_id, []))
    assert all(seen.get(image_id) == 1 for image_id in later)


def test_change_settles_only_when_nothing_moves() -> None:
    settling = Debouncer(timedelta(seconds=4))
    assert settling.see(1, "a", NOW)
    assert not settling.see(1, "a", NOW + timedelta(seconds=3))
    assert settling.see(1, "b", NOW + timedelta(seconds=3))
    assert settling.rested(NOW + timedelta(seconds=5)) == {}
    assert settling.rested(NOW + timedelta(seconds=7)) == {1: "b"}
    settling.drop(1)
    assert len(settling) == 0
    assert settling.in_work(NOW + timedelta(seconds=8)) == [1]
    assert settling.in_work(NOW + IN_WORK + timedelta(seconds=8)) == []
