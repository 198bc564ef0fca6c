"""Trainings of super-resolution as jobs: one at a time, beside rounds, going on after a stop of the service."""

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.campaigns.create import resolve_root
from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.super_resolutions import (
    SuperResolutionRequest,
    SuperResolutionResult,
    SuperResolutionState,
    SuperResolutionTraining,
)
from al_loop.errors import ArchivedError, InvalidValueError
from al_loop.runtime.executor import Executor
from al_loop.runtime.jobs import Job, JobKind, JobRunner
from al_loop.runtime.processes import run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.store import LabelStore
from al_loop.training.super_resolution.program import (
    check_can_super_resolve,
    newest_run,
    part_of,
    run_count,
    train_on_pairs,
)
from models.errors import SuperResolutionError
from models.limits import RunLimits
from models.super_resolution.card import read_pair_set

PHASES = {name: SuperResolutionState(name) for name in ("training", "evaluating", "exporting")}
MOST_ATTEMPTS = 8
"""How often one training is taken up: what ends the service each time must not do so for ever."""
THREADS = 1
"""Of the program, which runs for minutes beside answers and rounds."""

SuperResolutionJob = Job[Campaign, SuperResolutionState]


class SuperResolutionRunner(JobRunner[Campaign, SuperResolutionTraining, SuperResolutionState]):
    """Starts, follows and cancels trainings of super-resolution."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        clock: Callable[[], datetime],
        *,
        executor: Executor = run_supervised,
    ) -> None:
        """Make a runner without trainings.

        Args:
            store: Where states are kept.
            layout: Where models go.
            clock: Gives aware UTC times.
            executor: Runs the program, on this machine: it reads the pairs where they lie.
        """
        kind = SuperResolutionKind(store, layout, executor)
        super().__init__(kind, store.super_resolutions, TrainingSlots(1), clock)
        self._label_store = store

    def start(
        self, campaign: Campaign, request: SuperResolutionRequest, imagery: Sequence[Path]
    ) -> SuperResolutionTraining:
        """Store a new training and run it when its turn comes.

        Args:
            campaign: That gets the model.
            request: The pairs and the recipe.
            imagery: Resolved folders that the service reads.

        Raises:
            NotInstalledError: This installation cannot train.
            ArchivedError: The campaign is put away.
            InvalidValueError: The folder lies elsewhere, or holds no pairs.
        """
        check_can_super_resolve()
        if campaign.archived_at is not None:
            raise ArchivedError(campaign.name)
        folder = resolve_root(str(Path(campaign.root) / request.pairs), imagery, "$.pairs")
        try:
            read_pair_set(folder)
        except SuperResolutionError as error:
            raise InvalidValueError("$.pairs", str(error)) from error
        request = msgspec.structs.replace(request, pairs=str(folder))
        return self.submit(
            campaign,
            lambda: self._label_store.super_resolutions.create(campaign.campaign_id, request, self._clock()),
        )


class SuperResolutionKind(JobKind[Campaign, SuperResolutionTraining, SuperResolutionState]):
    """What a training of super-resolution does."""

    noun = "super-resolution"
    start_again = "start it again"
    stopped = "the service was stopped"
    waits_through_a_stop = True
    states = SuperResolutionState

    def __init__(self, store: LabelStore, layout: DataLayout, executor: Executor) -> None:
        self._store, self._layout, self._executor = store, layout, executor

    def directory(self, owner: Campaign, number: int) -> Path:
        """Of the newest attempt."""
        return newest_run(self._layout.super_resolution(owner.folder, number))

    def goes_on(self, owner: Campaign, record: SuperResolutionTraining) -> bool:
        """Until it was taken up too often: it goes on from its checkpoint."""
        return run_count(self._layout.super_resolution(owner.folder, record.number)) < MOST_ATTEMPTS

    def after_a_kill(self, record: SuperResolutionTraining) -> tuple[SuperResolutionState, str]:
        """Interrupted."""
        return (
            SuperResolutionState.INTERRUPTED,
            f"the service ended {MOST_ATTEMPTS} times while it was {record.state}; start it again",
        )

    def carry_out(self, job: SuperResolutionJob) -> None:
        """From the pairs to the model in the campaign's folder; what was cancelled or failed leaves its log alone."""
        campaign = self._store.campaigns.get(job.owner.name)
        request = self._store.super_resolutions.get(*job.key).request
        out = self._layout.super_resolution(campaign.folder, job.number)
        try:
            card = train_on_pairs(
                Path(request.pairs), out, request.config,
                RunLimits(threads=THREADS, memory_mb=campaign.settings.limits.memory_mb),
                on_phase=job.phases(PHASES), on_progress=job.note, cancelled=job.cancelled, executor=self._executor,
            )  # fmt: skip
        except BaseException:
            if not job.stopping.is_set():
                shutil.rmtree(part_of(out) / "checkpoint", ignore_errors=True)
            raise
        job.enter(
            SuperResolutionState.FINISHED,
            result=SuperResolutionResult(
                version=card.version, factor=card.factor, bands=card.bands,
                folder=str(out.relative_to(self._layout.campaign(campaign.folder))), seconds=card.seconds,
                report=card.report,
            ),
        )  # fmt: skip
