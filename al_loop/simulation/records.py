"""What is asked of a simulation and what it remembers; `OUT/runs/*.json` lets it go on after a stop."""

from itertools import accumulate
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from al_loop.domain.queries import QueryUnit
from models.card import ModelConfig, TrainConfig

RUNS = "runs"


class SimulationConfig(msgspec.Struct, frozen=True, kw_only=True):
    """One call of `al-loop simulate`."""

    directory: Path
    """Labelled folder of a kind that can be imported."""
    task: str | None = None
    """Which of the folder's tasks; None: all of it, where it has several, and the curve is that of the first."""
    strategies: list[str]
    """Names of query strategies; "random" is the baseline."""
    rounds: Annotated[int, msgspec.Meta(ge=1)]
    query_size: Annotated[int, msgspec.Meta(ge=1)]
    """Labels a round."""
    first_query_size: Annotated[int, msgspec.Meta(ge=1)] | None = None
    """Labels of the first round; None: `query_size`."""
    growth: Annotated[float, msgspec.Meta(ge=1, le=10)] = 1.0
    """Each round after the second asks for this many times the labels of the one before; 1: equal steps."""
    seeds: Annotated[int, msgspec.Meta(ge=1)] = 3
    """Runs of each strategy. Seed s has the same test reserve and training seed for all of them."""
    out: Path
    mode: Literal["fast", "full"] = "full"
    unit: QueryUnit = "image"
    """What is asked about. With "point", in fast mode only, cost is counted in clicks, `query_size` too: one a point,
    or what the strategy says."""
    reserve_share: Annotated[float, msgspec.Meta(gt=0, le=0.5)] = 0.25
    """Share of the samples that is the test reserve; labelled from the start, not counted, never trained on."""
    workers: Annotated[int, msgspec.Meta(ge=1)] = 2
    """Runs side by side."""
    threads: Annotated[int, msgspec.Meta(ge=1)] = 1
    """Threads of each run's training."""
    model: ModelConfig = ModelConfig()
    train: TrainConfig = TrainConfig()
    pretrain_minutes: Annotated[float, msgspec.Meta(ge=0)] = 0.0
    """Fast mode: minutes of self-supervised training on the images outside of the reserve, once for all runs; 0: the
    shipped encoder describes the images."""

    thin: dict[str, Annotated[float, msgspec.Meta(gt=0, le=1)]] = {}
    """Fast mode: share of the samples of a class that stay in the pool, so that it is rare; the test reserve stays as
    it is."""

    @property
    def label_counts(self) -> list[int]:
        """Labels spent after each round."""
        first = self.first_query_size or self.query_size
        asked = [max(1, round(self.query_size * self.growth**number)) for number in range(self.rounds - 1)]
        return list(accumulate(asked, initial=first))


class RoundRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One finished round of a run."""

    labels: int
    value: float | None
    """Test metric; None if no model could be trained."""
    per_class: list[float | None] = []
    """Recall of each class (classification) or its IoU (segmentation); None where the test reserve has none of it."""
    area: float | None = None
    """Labelled pixels as a share of all in the pool; None: samples are labelled whole."""
    points: int | None = None
    """Pixels that were answered, where points are asked about; `labels` are clicks then."""
    boxes: int | None = None
    """Boxes that were drawn outside of the test reserve; None: of another task."""
    reason: str = ""
    """Why there is no model."""
    query_seconds: float
    training_seconds: float
    scoring_seconds: float


class RunRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One finished run: a strategy with a seed."""

    strategy: str
    seed: int
    fingerprint: str
    """Digest of everything that the result depends on but strategy and seed."""
    metric: str
    reserve: int
    """Samples in the test reserve."""
    refused: int
    """Answers that the label store refused (polygons outside of their image and the like)."""
    rounds: list[RoundRecord]


class RunProgress(msgspec.Struct, frozen=True, kw_only=True):
    """Reported after every round of every run."""

    strategy: str
    seed: int
    round_number: int
    rounds: int
    record: RoundRecord
