"""Rare classes on purpose: real campaigns are not balanced as benchmark folders are."""

from collections.abc import Mapping

import msgspec
import numpy as np

from al_loop.campaigns.importing import ImportPlan
from al_loop.errors import InvalidValueError
from al_loop.simulation.oracle import Oracle
from al_loop.simulation.records import SimulationConfig

SEED = 0


def thin(
    config: SimulationConfig, plan: ImportPlan, oracle: Oracle, reserve: set[str]
) -> tuple[SimulationConfig, Oracle]:
    """Take most samples of some classes out of the pool; the test reserve keeps all.

    Args:
        config: Its `thin` says which classes, and what share of them stays.
        plan: The folder.
        oracle: Knows every sample.
        reserve: Paths of the test reserve.

    Returns:
        The configuration whose reserve share draws the same reserve from fewer samples, and an oracle of those.

    Raises:
        InvalidValueError: The folder has no such class.
    """
    keep = np.random.default_rng(SEED)
    paths = [header.path for header in oracle.headers]
    shares = _checked(config.thin, plan.tasks[0].classes)
    kept = []
    for path in paths:
        named = {name for label in oracle.answer(path) for name in label.classes or []}
        share = min((shares[name] for name in named if name in shares), default=1.0)
        if keep.random() < share or path in reserve:  # drawn for every path: what stays does not depend on the reserve
            kept.append(path)
    share = min(0.5, len(reserve) / len(kept))
    return msgspec.structs.replace(config, reserve_share=share), oracle.only(kept)


def _checked(shares: Mapping[str, float], classes: list[str]) -> Mapping[str, float]:
    for name in shares:
        if name not in classes:
            raise InvalidValueError("$.thin", f"there is no class {name!r}; there are {', '.join(classes)}")
    return shares
