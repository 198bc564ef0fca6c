"""A label in, a better ranking out: refits light heads on cached embeddings after new labels, and ranks by them.

A campaign has a head for each task that is answered with classes and whose labels hold two different answers, of
embeddings that all tasks share. A task that has none yet is left out; if none has, nothing is refitted. Either the
heads rank, which know every label, or the serving model, which sees the pixels: the heads do if each of them is more
accurate than the model at its task (`al_loop.scoring.task_head`), and no task that is drawn is measured of the model.
There is one ranking for all tasks, and a head that is worse would spoil it. A sample counts by the task that it ranks
highest in (`al_loop.scoring.task_ranks`).

Tasks that are drawn have no head between training runs: ranking images by heads on cells of them could not be shown
to find better ones than chance (docs/strategies.md).
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import reduce

import numpy as np

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.scoring.current import CurrentScores
from al_loop.scoring.embedding_versions import available_embeddings
from al_loop.scoring.head_data import class_head_data
from al_loop.scoring.head_report import HeadReport
from al_loop.scoring.pool_scores import HEAD_PREFIX
from al_loop.scoring.pool_scores_of_heads import pool_scores_of_heads
from al_loop.scoring.task_head import FittedTask, TaskHead, model_metric
from al_loop.store import LabelStore
from models.card import TaskName, TaskSpec
from models.scoring.embeddings import Embeddings
from models.scoring.joined_embeddings import SpaceStore
from models.tasks import task_of


@dataclass(eq=False)
class _KnownHeads:
    """What was made of a campaign last time."""

    spaces: SpaceStore
    key: tuple[object, ...] = ()
    heads: dict[TaskName, TaskHead] = field(default_factory=dict)
    worse_than_random: bool = False
    report: HeadReport | None = None


class HeadRefitter:
    """Looks for new labels and refits; one campaign after the other."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        scores: CurrentScores,
        is_worse_than_random: Callable[[Campaign], bool],
        wants_bald: Callable[[Campaign], bool],
        clock: Callable[[], datetime],
    ) -> None:
        """Make a refitter that has looked at nothing yet.

        Args:
            store: Where labels are.
            layout: Where embeddings are.
            scores: Where the scores of the heads are published.
            is_worse_than_random: Whether choosing by scores has done worse than chance so far; may take seconds.
            wants_bald: Whether queries rank by BALD lately, which costs an ensemble to compute.
            clock: Gives aware UTC times.
        """
        self._store, self._layout, self._scores, self._clock = store, layout, scores, clock
        self._is_worse_than_random, self._wants_bald = is_worse_than_random, wants_bald
        self._known: dict[int, _KnownHeads] = {}
        self._lock = threading.Lock()

    def look(self, campaign: Campaign) -> None:
        """`refit` for a campaign that may have changed."""
        self.refit(campaign)

    def report(self, campaign: Campaign) -> HeadReport | None:
        """What the newest refit did; None if there was none."""
        known = self._known.get(campaign.campaign_id)
        return None if known is None else known.report

    def refit(self, campaign: Campaign) -> HeadReport | None:
        """Refit the heads of a campaign if something is new, and let them rank if they are more accurate.

        Where all tasks are drawn, newly stored scores rank at once, so that the query after a round is chosen by them.

        Returns:
            What was done; None if nothing is new, or no task has two different classes with embeddings yet.

        Raises:
            ScoringError: Embeddings do not fit together or are not finite.
        """
        if all(_is_drawn(spec) for spec in campaign.tasks):
            if self._scores.known(campaign) is not None:  # somebody has asked: others' scores need not be in memory
                self._scores.of(campaign)
            return None
        with self._lock:
            changed = self._store.campaign_version(campaign.campaign_id)
            known = self._known_of(campaign)
            versions = self._versions(campaign)
            key = (
                changed,
                tuple(versions),
                campaign.current_version,
                tuple((spec.task, *spec.classes) for spec in campaign.tasks),
            )
            if known.key == key or not versions:
                return None
            report = self._refit(campaign, known, versions)
            known.key, known.report = key, report or known.report
            return report

    def _refit(self, campaign: Campaign, known: _KnownHeads, versions: Sequence[str]) -> HeadReport | None:
        started = time.perf_counter()
        embeddings = known.spaces.load(versions)
        fitted = self._fit(campaign, known, "+".join(versions), embeddings)
        if not fitted:
            return None
        version = HEAD_PREFIX + "+".join(versions)
        labels = len(reduce(np.union1d, [part.material.labelled for part in fitted]))
        skills = [part.head.skill for part in fitted if part.head.skill is not None]
        skill = max(skills, default=None)  # embeddings that help one task are worth ranking by
        ranks = all(part.judgement.ranks for part in fitted) and not self._draws_measured(campaign)
        several = len(campaign.tasks) > 1
        if ranks:
            with_bald = self._wants_bald(campaign)
            scored = [part.score(with_bald=with_bald) for part in fitted]
            scores = pool_scores_of_heads(
                version, scored, embeddings,
                labels=labels, scored_at=self._clock(), skill=skill, worse_than_random=known.worse_than_random,
            )  # fmt: skip
            self._scores.publish(campaign, scores)
        elif (self._scores.of(campaign).version or "").startswith(HEAD_PREFIX):
            self._scores.publish_stored(campaign)  # heads that ranked until now fell behind the model
        head, judgement = fitted[0].head, fitted[0].judgement
        report = HeadReport(
            version=version, labels=labels,
            samples=len(reduce(np.union1d, [part.material.sample_ids for part in fitted])),
            fitted_at=self._clock(), seconds=time.perf_counter() - started,
            held_out_accuracy=None if several else head.held_out_accuracy, trust=skill,
            reserve_accuracy=None if several else judgement.reserve_accuracy,
            model_metric=None if several else judgement.model_metric,
            ranks=ranks, tasks=[part.report() for part in fitted] if several else [],
        )  # fmt: skip
        self._check_against_random(campaign, known)
        return report

    def _fit(self, campaign: Campaign, known: _KnownHeads, space: str, embeddings: Embeddings) -> list[FittedTask]:
        """The heads of the tasks that have something to learn, in the order of the campaign's tasks."""
        fitted = []
        for spec in campaign.tasks:
            if _is_drawn(spec):
                continue
            material = class_head_data(self._store, campaign, spec, embeddings)
            part = known.heads.setdefault(spec.task, TaskHead()).fit(self._store, campaign, spec, material, space)
            if part is not None:
                fitted.append(part)
        return fitted

    def _known_of(self, campaign: Campaign) -> _KnownHeads:
        known = self._known.get(campaign.campaign_id)
        if known is None:
            root = self._layout.scores(campaign.folder)
            known = self._known[campaign.campaign_id] = _KnownHeads(SpaceStore(root))
        return known

    def _versions(self, campaign: Campaign) -> list[str]:
        """Features, and the encoder trained without labels; until there is one, the serving model's embedding.

        The model's own embedding has seen the labels, so a head on it takes itself for surer than it is.
        """
        found = {entry.kind: entry.version for entry in available_embeddings(self._store, self._layout, campaign)}
        second = found.get("encoder") or found.get("model")
        return [version for version in (found.get("features"), second) if version is not None]

    def _draws_measured(self, campaign: Campaign) -> bool:
        """Whether the serving model was measured at a task that has no head: then its scores must count."""
        drawn = [spec for spec in campaign.tasks if _is_drawn(spec)]
        return any(model_metric(self._store, campaign, spec) is not None for spec in drawn)

    def _check_against_random(self, campaign: Campaign, known: _KnownHeads) -> None:
        """After the new ranking is handed over: whether the strategy does worse than chance, which changes `auto`."""
        worse_than_random = self._is_worse_than_random(campaign)
        if worse_than_random != known.worse_than_random:
            known.worse_than_random = worse_than_random
            self._scores.publish(campaign, replace(self._scores.of(campaign), worse_than_random=worse_than_random))


def _is_drawn(spec: TaskSpec) -> bool:
    """Whether a task is answered with shapes on the image instead of classes of it."""
    return task_of(spec).answered_with != "classes"
