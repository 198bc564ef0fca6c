"""The query strategies. The registry is the union `StrategyConfig`: one frozen Struct each, holding its options.

A strategy sees arrays only; leases, annotators and the test reserve are the sampler's business. Each works for a pool
of a million samples: what compares samples with each other looks at bounded random parts of it (`candidates`). None
fails because the pool lacks what it wants: it chooses otherwise and says in the reason what was missing (`fallback`).
"""

import msgspec

from al_loop.querying.strategies.at_random import Random
from al_loop.querying.strategies.auto import Auto
from al_loop.querying.strategies.badge import Badge
from al_loop.querying.strategies.clasp_pe import ClaspPE
from al_loop.querying.strategies.herding import MaxHerding, UHerding
from al_loop.querying.strategies.power import Power
from al_loop.querying.strategies.typiclust import TypiClust
from al_loop.querying.strategies.uncertainty import Bald, Entropy, LeastConfidence, Margin

StrategyConfig = (
    Random
    | LeastConfidence
    | Margin
    | Entropy
    | Bald
    | Badge
    | TypiClust
    | MaxHerding
    | UHerding
    | Power
    | ClaspPE
    | Auto
)

REMOVED = {"core_set": "max_herding", "prob_cover": "max_herding"}
"""Strategies of earlier versions that stayed behind random choice, and what to ask for instead."""


def removal(name: str) -> str | None:
    """What to tell who asks for a strategy of an earlier version; None if there never was such a one."""
    if name not in REMOVED:
        return None
    return f"{name} was removed, it stayed behind random choice; use {REMOVED[name]}, or auto"


def wants_bald(strategy: StrategyConfig) -> bool:
    """Whether a strategy ranks by BALD, by its nature or by an option: computing it costs an ensemble of heads."""
    return b'"bald"' in msgspec.json.encode(strategy)


__all__ = [
    "Auto",
    "Badge",
    "Bald",
    "ClaspPE",
    "Entropy",
    "LeastConfidence",
    "Margin",
    "MaxHerding",
    "Power",
    "Random",
    "StrategyConfig",
    "TypiClust",
    "UHerding",
    "removal",
    "wants_bald",
]
