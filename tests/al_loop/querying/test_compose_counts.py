"""How much of a query is test reserve: half early, its share later, at random places."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from al_loop.querying.compose import mix, reserve_count


@pytest.mark.parametrize(
    ("query_size", "queried", "expected"),
    [(20, 0, 10), (20, 10, 5), (20, 15, 4), (20, 1000, 4), (1000, 0, 200), (10, 0, 5)],
)
def test_reserve_count_is_half_early_and_the_share_later(query_size, queried, expected):
    rng = np.random.default_rng(0)
    assert reserve_count(query_size, share=0.2, queried=queried, needed=5, rng=rng) == expected


def test_reserve_count_of_single_samples_is_right_on_average():
    rng = np.random.default_rng(0)
    counts = [reserve_count(1, share=0.2, queried=100, needed=5, rng=rng) for _ in range(2000)]
    assert set(counts) == {0, 1}
    assert np.mean(counts) == pytest.approx(0.2, abs=0.03)


def test_campaign_without_reserve_mixes_in_none_once_enough_were_asked():
    assert reserve_count(7, share=0.0, queried=15, needed=5, rng=np.random.default_rng(0)) == 0


@given(pool=st.integers(0, 20), reserve=st.integers(0, 20), seed=st.integers(0, 100))
def test_mix_keeps_everything_in_its_own_order(pool, reserve, seed):
    first, second = list(range(pool)), list(range(100, 100 + reserve))
    mixed = mix(first, second, np.random.default_rng(seed))
    assert [item for item in mixed if item < 100] == first
    assert [item for item in mixed if item >= 100] == second
