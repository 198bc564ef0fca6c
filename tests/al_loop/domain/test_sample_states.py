"""What the states of samples say of many at once."""

import numpy as np

from al_loop.domain.sample_states import GIVEN_UP, GOLD_STANDARD, LABELLED, LEASED, RESERVE, States


def test_covered_samples_are_labelled_or_leased_outside_the_reserve_and_no_gold_standard() -> None:
    state = [0, LABELLED, LEASED, LABELLED | RESERVE, LABELLED | GOLD_STANDARD, GIVEN_UP, LABELLED | LEASED, RESERVE]
    codes = np.array(state, np.uint8)
    states = States(np.arange(10, 18), codes, labelled=2, open=codes == 0)

    assert states.free().tolist() == [10]
    assert states.queried().tolist() == [11, 12, 13, 14, 16]
    assert states.covered().tolist() == [11, 12, 16]
