"""Reserve samples that show what training samples show: the same ground, or the same pixels."""

from datetime import UTC, datetime

import pytest

from al_loop.domain.samples import Sample
from al_loop.training.evaluation.leakage import find_leaks, leaks_of

SIDE_M = 640.0


def sample(number: int, east_m: float = 0.0, **changes: object) -> Sample:
    """A tile of 640 m, so many metres east of the first one, in UTM 31 N on the equator."""
    left = 3.0 + east_m / 111_195.0
    fields: dict[str, object] = {
        "path": f"{number}.tif", "width": 64, "height": 64, "band_count": 3, "dtype": "uint16", "crs": "EPSG:32631",
        "transform": [10.0, 0.0, 500_000.0 + east_m, 0.0, -10.0, 640.0], "nodata": None,
        "bounds": [left, 0.0, left + SIDE_M / 111_195.0, SIDE_M / 111_195.0], "file_bytes": 1, "modified_ns": 1,
        "sample_id": number, "campaign_id": 1, "block": f"b{number}", "reserve": True,
        "registered_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    return Sample(**(fields | changes))  # type: ignore[arg-type]


def test_tiles_that_share_ground_leak_and_neighbours_do_not() -> None:
    training = [sample(10)]
    reserve = [sample(1, SIDE_M), sample(2, SIDE_M - 5), sample(3, SIDE_M - 100), sample(4, 0.0), sample(5, 9_000.0)]
    found = find_leaks(reserve, training)
    assert found.overlapping == {3, 4}  # 5 m of 640 is less than 2 %
    assert found.equal == set()
    assert found.nearest_m[1] == pytest.approx(SIDE_M, rel=0.01)
    assert found.nearest_m[5] == pytest.approx(9_000, rel=0.01)
    leaks = leaks_of(found, excluded=True)
    assert (leaks.overlapping, leaks.equal, leaks.sample_ids) == (2, 0, [3, 4])


def test_copies_leak_wherever_they_lie() -> None:
    nowhere = {"crs": None, "transform": None, "bounds": None}
    training = [sample(10, **nowhere), sample(11, same_as=7, **nowhere)]
    reserve = [sample(1, same_as=10, **nowhere), sample(2, same_as=7, **nowhere), sample(3, **nowhere)]
    found = find_leaks(reserve, training)
    assert found.equal == {1, 2}
    assert (found.overlapping, found.nearest_m) == (set(), {})


def test_images_of_other_crs_leak_where_their_boxes_cover_each_other() -> None:
    here = sample(1)
    box = here.bounds
    assert box is not None
    degrees = (box[2] - box[0]) / 64
    other = sample(10, crs="EPSG:4326", transform=[degrees, 0, box[0], 0, -degrees, box[3]])
    far = sample(11, 40_000.0, crs="EPSG:32632")
    assert find_leaks([here], [other]).overlapping == {1}
    assert find_leaks([here], [far]).overlapping == set()


def test_date_line_is_no_border() -> None:
    across = [179.99, 10.0, -179.99, 10.02]
    east = [-180.0, 10.0, -179.98, 10.02]
    mine = sample(1, bounds=across, crs="EPSG:32601")
    theirs = sample(10, bounds=east, crs="EPSG:4326")
    assert find_leaks([mine], [theirs]).overlapping == {1}
    assert find_leaks([theirs], [mine]).overlapping == {10}


def test_nothing_leaks_without_training_samples() -> None:
    found = find_leaks([sample(1)], [])
    assert leaks_of(found, excluded=False).sample_ids == []
