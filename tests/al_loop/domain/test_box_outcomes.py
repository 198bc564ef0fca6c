import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.domain.box_outcomes import NamedBox, compare_boxes

SHIP: NamedBox = ("ship", (10.0, 10.0, 20.0, 20.0))
MOVED: NamedBox = ("ship", (12.0, 10.0, 22.0, 20.0))
FAR: NamedBox = ("ship", (40.0, 40.0, 44.0, 44.0))


@pytest.mark.parametrize(
    ("proposed", "kept", "counts", "outcome", "agreement"),
    [
        ([SHIP, FAR], [FAR, SHIP], (2, 0, 0, 0), "accepted", 1.0),
        ([], [], (0, 0, 0, 0), "accepted", 1.0),
        ([SHIP, FAR], [MOVED], (0, 1, 1, 0), "edited", 0.5 * 80 / 120),
        ([SHIP], [], (0, 0, 1, 0), "rejected", 0.0),
        ([SHIP], [FAR], (0, 0, 1, 1), "rejected", 0.0),
        ([], [SHIP], (0, 0, 0, 1), "rejected", 0.0),
        ([SHIP], [("buoy", SHIP[1])], (0, 0, 1, 1), "rejected", 0.0),
        ([SHIP, SHIP], [SHIP], (1, 0, 1, 0), "edited", 0.5),
    ],
)
def test_each_box_is_kept_moved_removed_or_added(
    proposed: list[NamedBox], kept: list[NamedBox], counts: tuple[int, ...], outcome: str, agreement: float
) -> None:
    found = compare_boxes(proposed, kept)
    assert (found.kept, found.moved, found.removed, found.added) == counts
    assert found.outcome == outcome
    assert found.agreement == pytest.approx(agreement)


boxes = st.lists(
    st.builds(
        lambda name, left, top, width, height: (name, (left, top, left + width, top + height)),
        st.sampled_from(["ship", "buoy"]), *[st.integers(0, 30).map(float)] * 2, *[st.integers(1, 9).map(float)] * 2,
    ), max_size=6,
)  # fmt: skip


@given(boxes, boxes)
def test_every_box_is_counted_once(proposed: list[NamedBox], kept: list[NamedBox]) -> None:
    found = compare_boxes(proposed, kept)
    assert found.kept + found.moved + found.removed == len(proposed)
    assert found.kept + found.moved + found.added == len(kept)
    assert 0 <= found.agreement <= 1 + 1e-9
    assert compare_boxes(kept, proposed).agreement == pytest.approx(found.agreement)


@given(boxes)
def test_what_is_left_as_it_is_was_accepted(proposed: list[NamedBox]) -> None:
    found = compare_boxes(proposed, list(reversed(proposed)))
    assert (found.outcome, found.agreement) == ("accepted", pytest.approx(1.0))
