"""The state of each sample of a campaign as a byte, and what it says of many at once."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import Ids

RESERVE, GOLD_STANDARD, LABELLED, LEASED, GIVEN_UP, UNUSABLE = 1, 2, 4, 8, 16, 32
"""Bits of a sample's state. The pool that strategies choose from is what has none of them."""


class States(NamedTuple):
    """The states of N samples at one moment."""

    sample_ids: Ids
    """Shape (N,), ascending."""
    state: NDArray[np.uint8]
    """Shape (N,)."""
    labelled: int
    """Labelled samples outside the test reserve, gold-standard ones left out."""
    open: NDArray[np.bool_]
    """Shape (N,): which strategies choose from."""

    def free(self) -> Ids:
        """Ids that strategies choose from, ascending."""
        return np.asarray(self.sample_ids[self.open])

    def queried(self) -> Ids:
        """Ids that are labelled or leased, ascending."""
        return np.asarray(self.sample_ids[(self.state & (LABELLED | LEASED)) != 0])

    def covered(self) -> Ids:
        """Ids outside the reserve that are labelled or leased, ascending; gold-standard ones left out."""
        queried = (self.state & (LABELLED | LEASED)) != 0
        return np.asarray(self.sample_ids[queried & ((self.state & (RESERVE | GOLD_STANDARD)) == 0)])
