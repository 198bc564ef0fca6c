"""One strategy with one seed: query, answer, train, score, and again. The parts are the service's own, without HTTP."""

import shutil
import threading
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from functools import reduce
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from al_loop.campaigns.importing import ImportPlan
from al_loop.campaigns.labelling import record_labels
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.retraining import RetrainPolicy
from al_loop.errors import InvalidValueError, NotEnoughLabelsError
from al_loop.querying.sampler import Sampler
from al_loop.querying.strategies import Random, StrategyConfig
from al_loop.runtime.processes import ERROR_FILE, ProcessFailedError, run_supervised
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.scoring.refit import HeadRefitter
from al_loop.simulation.oracle import ANNOTATOR, Oracle
from al_loop.simulation.records import RoundRecord, SimulationConfig
from al_loop.store import LabelStore
from al_loop.training.encoder_run import train_encoder
from al_loop.training.installed import can_embed
from al_loop.training.snapshot import write_snapshot
from models.arrays import Ids, positions_of
from models.card import Evaluation, ModelCard
from models.errors import TrainingDataError
from models.pretrain_config import PretrainConfig
from models.progress import ProgressLine
from models.registry import CARD_FILE, ModelRegistry
from models.scoring.embeddings import EmbeddingStore
from models.scoring.spec import FEATURES, FROZEN
from models.tasks import task_of

CAMPAIGN = "simulation"
_START = datetime(2000, 1, 1, tzinfo=UTC)
_LEASE_S = 7 * 86400.0
_LARGEST_QUERY = 1_000
_REGISTERED_AT_ONCE = 10_000


class SimulatedRun:
    """A label store, a registry and scores in a directory of their own, and the steps of a round on them."""

    def __init__(
        self,
        config: SimulationConfig,
        plan: ImportPlan,
        oracle: Oracle,
        strategy: StrategyConfig,
        seed: int,
        directory: Path,
        cancelled: threading.Event,
    ) -> None:
        self._config, self._oracle, self._strategy, self._cancelled = config, oracle, strategy, cancelled
        self._now = _START
        self._answered_at_once = 1 if any(task_of(spec).per_pixel for spec in plan.tasks) else 200
        self._layout = DataLayout(directory)
        self.refused = 0
        """Answers that the label store refused."""
        self._finds_objects = any(task_of(spec).finds_objects for spec in plan.tasks)
        self._boxes = 0
        self.store = LabelStore.open(self._layout.database)
        self.campaign = self._create_campaign(plan, seed)
        self._registry = ModelRegistry(self._layout.models(CAMPAIGN))
        self._embedding_store = EmbeddingStore(self._layout.scores(CAMPAIGN))
        scores = CurrentScores(self.store, lambda _: self._embedding_store)
        self._sampler = Sampler(self.store, scores, seed)
        self._refitter = HeadRefitter(
            self.store, self._layout, scores, lambda _: False, self._sampler.wants_bald, self._tick
        )
        self._scorer = PoolScorer(self.store, self._layout, self._tick)

    def label_reserve(self) -> int:
        """Draw the test reserve and answer all of it; return its size."""
        self.draw_reserve()
        _, reserve = self.store.queries.available(self.campaign.campaign_id, self._tick())
        samples = self.store.samples.get_many(self.campaign.campaign_id, reserve.tolist())
        answered = self._answer([sample.path for sample in samples.values()])
        self._boxes = 0  # what is measured with costs all strategies the same
        return answered

    @property
    def boxes(self) -> int | None:
        """Boxes that were drawn outside of the test reserve; None: the tasks have none."""
        return self._boxes if self._finds_objects else None

    def draw_reserve(self) -> None:
        """Draw the test reserve."""
        self.store.samples.draw_reserve(self.campaign.campaign_id, self._tick())

    def embeddings(self, versions: Sequence[str]) -> tuple[Ids, list[NDArray[np.floating]]]:
        """Embed all samples by each version; ids of those that all could embed (N,), and (N, D) a version."""
        for version in versions:
            self.score(version)
        loaded = [self._embedding_store.load(version) for version in versions]
        sample_ids = reduce(np.intersect1d, [part.sample_ids for part in loaded])
        return sample_ids, [part.values[positions_of(sample_ids, part.sample_ids)[0]] for part in loaded]

    def pretrain(self, minutes: float, on_progress: Callable[[ProgressLine], None]) -> str:
        """Train an encoder without labels on the samples outside of the reserve; return its version.

        Raises:
            ProcessFailedError: The training run died.
        """
        config = PretrainConfig(minutes=minutes, encoder=self._config.model.encoder)
        card = train_encoder(
            self.store, self._layout, self.campaign, 1, config,
            on_phase=_ignore, on_progress=on_progress, cancelled=self._cancelled,
        )  # fmt: skip
        return card.version

    def spend(self, labels: int) -> int:
        """Query and answer until `labels` samples outside of the reserve are labelled; return how many are.

        Fewer only when the pool is exhausted.
        """
        counts = self.store.campaigns.counts(self.campaign.campaign_id, self._tick())
        spent = counts.labelled + counts.partly
        while spent < labels:
            if not isinstance(self._strategy, Random):
                self._refitter.refit(self.campaign)  # as a service does after labels
            query = self._sampler.query(
                self.campaign,
                annotator=ANNOTATOR,
                query_size=min(labels - spent, _LARGEST_QUERY),
                strategy=self._strategy,
                now=self._tick(),
            )
            if not query.samples:
                break
            spent += self._answer([sample.path for sample in query.samples])
        return spent

    def describe(self) -> None:
        """Embed the samples by what a service chooses by before there is a model."""
        for version in [FEATURES, *([FROZEN] if can_embed() else [])]:
            self.score(version)

    def score(self, version: str) -> None:
        """Score the samples by a version."""
        self._scorer.score(self.campaign, version, on_phase=_ignore, on_progress=_ignore, cancelled=self._cancelled)

    def train(self, number: int) -> Evaluation:
        """Snapshot, train and publish version `v<number>`; return its evaluation on the reserve.

        Raises:
            NotEnoughLabelsError: The labels do not allow a training run yet.
            TrainingDataError: The training run refused them.
            ProcessFailedError: The training run died.
        """
        version, directory = f"v{number}", self._layout.round(CAMPAIGN, number)
        write_snapshot(
            self.store, self.campaign, number, directory / "snapshot",
            version=version, incumbent=None, incumbent_version=None, now=self._tick(),
        )  # fmt: skip
        training = directory / "training"
        try:
            run_supervised(
                "models.train", [str((directory / "snapshot").resolve())], training, on_phase=_ignore,
                on_progress=_ignore, cancelled=self._cancelled,
                environment={"OMP_NUM_THREADS": str(self._config.threads)},
            )  # fmt: skip
        except ProcessFailedError as error:
            if (training / ERROR_FILE).exists():
                raise TrainingDataError(str(error)) from error
            raise
        card = msgspec.json.decode((training / CARD_FILE).read_bytes(), type=ModelCard)
        self._registry.publish(version, training, card)
        shutil.rmtree(directory)
        return card.evaluation

    def promote(self, number: int) -> None:
        """Let version `v<number>` serve, and score the pool by it if the strategy asks for scores."""
        version, campaign_id = f"v{number}", self.campaign.campaign_id
        self.store.versions.add(campaign_id, version, number, self._tick())
        self.store.versions.promote(campaign_id, version, reason="simulation", now=self._tick())
        self.campaign = self.store.campaigns.get(CAMPAIGN)
        if not isinstance(self._strategy, Random):
            self.score(version)

    def _create_campaign(self, plan: ImportPlan, seed: int) -> Campaign:
        reserve = msgspec.structs.replace(plan.settings.reserve, share=self._config.reserve_share, seed=seed)
        train = msgspec.structs.replace(self._config.train, seed=seed)
        query = msgspec.structs.replace(plan.settings.query, control_share=0.0)  # strategies are compared side by side
        settings = msgspec.structs.replace(
            plan.settings, lease_s=_LEASE_S, reserve=reserve, query=query, model=self._config.model, train=train
        )
        policy = RetrainPolicy(new_labels=None, min_labels=2, min_reserve_labels=2)
        campaign = self.store.campaigns.create(
            name=CAMPAIGN, tasks=plan.tasks, root=str(plan.root), bands=None, settings=settings, policy=policy,
            now=self._tick(),
        )  # fmt: skip
        headers = self._oracle.headers
        for start in range(0, len(headers), _REGISTERED_AT_ONCE):
            chunk = headers[start : start + _REGISTERED_AT_ONCE]
            self.store.samples.register(campaign.campaign_id, chunk, self._tick())
        return self.store.campaigns.get(CAMPAIGN)

    def _answer(self, paths: Sequence[str]) -> int:
        """Label samples; return how many, those left out whose answer the store refuses."""
        answered = 0
        for start in range(0, len(paths), self._answered_at_once):
            chunk = paths[start : start + self._answered_at_once]
            labels = [label for path in chunk for label in self._oracle.answer(path)]
            try:
                stored = record_labels(self.store, self.campaign, labels, self._tick())
                answered += len(chunk)
                self._boxes += sum(len((label.features or {}).get("features", [])) for label in stored)
            except InvalidValueError:
                if len(chunk) == 1:
                    self.refused += 1
                else:
                    answered += sum(self._answer([path]) for path in chunk)
        return answered

    def _tick(self) -> datetime:
        """A clock that moves when it is read, so that equal runs store equal times."""
        self._now += timedelta(milliseconds=1)
        return self._now


def _ignore(_: object) -> None:
    """A run in a simulation reports rounds, not phases."""


def play(run: SimulatedRun, config: SimulationConfig, report: Callable[[int, RoundRecord], None]) -> list[RoundRecord]:
    """All rounds of a run whose reserve is labelled; ends early when the pool is exhausted."""
    rounds: list[RoundRecord] = []
    for number, labels in enumerate(config.label_counts, start=1):
        times = [time.monotonic()]
        if run.spend(labels) < labels:
            break
        times.append(time.monotonic())
        value, reason = None, ""
        try:
            evaluation = run.train(number)
        except (NotEnoughLabelsError, TrainingDataError) as error:
            reason = str(error)
            times.append(time.monotonic())
        else:
            times.append(time.monotonic())
            value = evaluation.candidate[0].value if evaluation.candidate else None
            if number < config.rounds:
                run.promote(number)
        times.append(time.monotonic())
        querying, training, scoring = (later - earlier for earlier, later in pairwise(times))
        rounds.append(
            RoundRecord(
                labels=labels, value=value, reason=reason, query_seconds=querying, training_seconds=training,
                scoring_seconds=scoring, boxes=run.boxes,
            )
        )  # fmt: skip
        report(number, rounds[-1])
    return rounds
