import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.domain.campaigns import ReserveSettings
from al_loop.domain.reserve import (
    assign_blocks,
    block_position,
    default_block_m,
    draw_blocks,
    later_side,
    place_blocks,
    random_keys,
)
from models.geo.footprints import METRES_PER_DEGREE

NOWHERE = [math.nan] * 4


def footprints(longitudes: list[float], latitudes: list[float], side: float = 0.01) -> np.ndarray:
    """Bounds of squares, `side` degrees wide, about their centres."""
    x, y = np.array(longitudes), np.array(latitudes)
    return np.column_stack([x - side / 2, y - side / 2, x + side / 2, y + side / 2])


@given(
    blocks=st.lists(st.integers(0, 30), min_size=1, max_size=200),
    share=st.floats(0, 0.5),
    minimum=st.integers(0, 60),
    seed=st.integers(-(2**62), 2**62),
)
def test_reserve_is_whole_blocks_and_at_most_half(blocks: list[int], share: float, minimum: int, seed: int) -> None:
    names = [f"block {block}" for block in blocks]
    settings = ReserveSettings(share=share, minimum=minimum, seed=seed)
    taken = draw_blocks(names, settings)
    assert taken <= set(names)
    assert sum(name in taken for name in names) <= len(names) // 2
    assert draw_blocks(list(reversed(names)), settings) == taken


@given(count=st.integers(0, 400), share=st.floats(0, 0.5), minimum=st.integers(0, 60))
def test_single_samples_reach_the_target_exactly(count: int, share: float, minimum: int) -> None:
    taken = draw_blocks([f"sample:{i}" for i in range(count)], ReserveSettings(share=share, minimum=minimum))
    assert len(taken) == min(math.ceil(max(share * count, minimum)), count // 2)


def test_draw_depends_on_the_seed_and_is_unbiased() -> None:
    blocks = [f"sample:{i}" for i in range(40)]
    draws = [draw_blocks(blocks, ReserveSettings(share=0.25, minimum=0, seed=seed)) for seed in range(400)]
    often = np.array([sum(block in draw for draw in draws) for block in blocks]) / len(draws)
    assert np.abs(often - 0.25).max() < 5 * math.sqrt(0.25 * 0.75 / len(draws))


def test_huge_block_is_left_to_the_pool() -> None:
    blocks = ["huge"] * 45 + [f"small {i}" for i in range(55)]
    for seed in range(20):
        assert "huge" not in draw_blocks(blocks, ReserveSettings(share=0.2, minimum=0, seed=seed))


def test_smallest_block_is_drawn_when_all_overshoot() -> None:
    blocks = ["a"] * 60 + ["b"] * 40
    assert draw_blocks(blocks, ReserveSettings(share=0.1, minimum=0)) == {"b"}
    assert draw_blocks(["a"] * 100, ReserveSettings()) == set()


@given(st.lists(st.integers(0, 10), max_size=100), st.floats(0, 0.5))
def test_later_samples_stay_on_their_blocks_side(blocks: list[int], share: float) -> None:
    names = [f"block {block}" for block in blocks]
    known = {f"block {block}": block % 2 == 0 for block in range(5)}
    sides = later_side(names, known, ReserveSettings(share=share))
    for name, side in zip(names, sides, strict=True):
        assert side == known.get(name, block_position(name, 0) < share)


def test_new_blocks_join_the_reserve_with_the_share() -> None:
    sides = later_side([f"block {i}" for i in range(4000)], {}, ReserveSettings(share=0.2))
    assert np.mean(sides) == pytest.approx(0.2, abs=0.03)


@pytest.mark.parametrize("latitude", [0.0, 45.0, -60.0, 80.0])
def test_cells_keep_their_ground_size_at_every_latitude(latitude: float) -> None:
    block_m = 10_000.0
    longitudes = np.arange(0.0, 10.0, 0.01)
    cells = place_blocks(footprints(longitudes.tolist(), [latitude] * len(longitudes)), block_m)
    width_m = 10.0 * METRES_PER_DEGREE * math.cos(math.radians(latitude))
    assert len(set(cells)) == pytest.approx(width_m / block_m, rel=0.1, abs=1.5)


@given(st.floats(-180, 180), st.floats(-89.9, 89.9), st.sampled_from([1.0, 500.0, 1e5, 1e8]))
def test_turning_the_globe_once_changes_no_cell(longitude: float, latitude: float, block_m: float) -> None:
    centre = np.round(longitude * 4) / 4 + 0.0625
    bounds = footprints([centre, centre + 360, centre - 360], [latitude] * 3, side=0.125)
    wrapped = footprints([centre], [latitude], side=0.125)
    wrapped[:, [0, 2]] = np.mod(wrapped[:, [0, 2]] + 180, 360) - 180
    assert len({*place_blocks(bounds, block_m), *place_blocks(wrapped, block_m)}) == 1


def test_footprint_across_the_date_line_lies_at_the_date_line() -> None:
    across = np.array([[179.9, 0.0, -179.9, 0.2]])
    near, far = footprints([179.999], [0.1]), footprints([0.0], [0.1])
    assert place_blocks(across, 50_000.0) != place_blocks(far, 50_000.0)
    assert place_blocks(across, 50_000.0)[0] in {
        place_blocks(near, 50_000.0)[0], place_blocks(footprints([-179.999], [0.1]), 50_000.0)[0]
    }  # fmt: skip


def test_few_cells_meet_at_a_pole() -> None:
    cells = place_blocks(footprints([0, 90, 180, -90], [89.999] * 4, side=0.001), 100_000.0)
    assert len(set(cells)) <= 3
    assert set(cells).isdisjoint(place_blocks(footprints([0], [-89.999], side=0.001), 100_000.0))


def test_default_block_is_four_footprints_where_there_are_many_places() -> None:
    side = 0.01
    grid = [(x * side, y * side) for x in range(40) for y in range(40)]
    bounds = footprints([x for x, _ in grid], [y for _, y in grid], side)
    block_m = default_block_m(bounds, ReserveSettings())
    assert block_m == pytest.approx(4 * side * METRES_PER_DEGREE, rel=0.01)
    assert default_block_m(bounds, ReserveSettings(block_m=123.0)) == 123.0
    assert default_block_m(np.array([NOWHERE]), ReserveSettings()) is None


def test_default_block_shrinks_in_a_small_campaign() -> None:
    bounds = footprints([0.0, 0.01, 0.02, 0.03], [0.005] * 4)
    block_m = default_block_m(bounds, ReserveSettings())
    assert block_m is not None
    assert len(set(place_blocks(bounds, block_m))) > 1


def test_blocks_by_place_folder_sample_and_pattern() -> None:
    paths = ["a/tile1_x.tif", "a/tile1_y.tif", "b/tile2_x.tif", "odd.tif"]
    bounds = np.vstack([footprints([1.0, 1.0, 5.0], [1.0] * 3), [NOWHERE]])

    def blocks(**settings: object) -> list[str]:
        return assign_blocks(paths, bounds, ReserveSettings(**settings), 10_000.0)  # type: ignore[arg-type]

    by_place = blocks()
    assert by_place[0] == by_place[1] != by_place[2]
    assert by_place[3] == "sample:odd.tif"
    assert blocks(block_by="folder") == ["folder:a", "folder:a", "folder:b", "folder:"]
    assert blocks(block_by="sample") == [f"sample:{path}" for path in paths]
    assert blocks(group_pattern=r"(tile\d)") == ["group:tile1", "group:tile1", "group:tile2", "sample:odd.tif"]
    assert blocks(group_pattern=r"tile\d") == ["group:tile1", "group:tile1", "group:tile2", "sample:odd.tif"]


def offer_order(sample_ids: np.ndarray, seed: int) -> np.ndarray:
    """The order in which the pool index offers the reserve."""
    return sample_ids[np.argsort(random_keys(sample_ids, seed), kind="stable")]


@given(st.sets(st.integers(1, 10**9), max_size=50), st.integers(-(2**62), 2**62), st.data())
def test_offer_order_of_a_subset_is_the_same_order(ids: set[int], seed: int, data: st.DataObject) -> None:
    everything = np.array(sorted(ids), dtype=np.int64)
    kept = data.draw(st.sets(st.sampled_from(sorted(ids)))) if ids else set()
    ordered = offer_order(everything, seed)
    assert sorted(ordered.tolist()) == everything.tolist()
    subset = offer_order(np.array(sorted(kept), dtype=np.int64), seed)
    assert subset.tolist() == [sample_id for sample_id in ordered.tolist() if sample_id in kept]


def test_any_prefix_of_the_offer_order_is_random() -> None:
    ids = np.arange(1, 1001, dtype=np.int64)
    means = [offer_order(ids, seed)[:50].mean() for seed in range(50)]
    assert np.mean(means) == pytest.approx(500.5, abs=25)
    assert np.std(means) > 20
