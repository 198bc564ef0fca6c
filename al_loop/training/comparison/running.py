"""A comparison: one model for each task and a joint one, trained on one snapshot under one recipe, and measured.

Each is trained by the program of a round, with the same split, schedule and seeds. Nothing of it is published or
served. It takes one of the places that rounds run in (`al_loop.runtime.slots`).
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.campaigns.imagery.labelled import look_at_images
from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign
from al_loop.domain.comparisons import ComparisonRequest, ComparisonState, ModelComparison
from al_loop.errors import ArchivedError, ConflictError, InvalidValueError
from al_loop.runtime.executor import Executor, read_output, run_program
from al_loop.runtime.jobs import Job, JobKind, JobRunner
from al_loop.runtime.processes import LOG_FILE, run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.store import LabelStore
from al_loop.training.comparison.outcome import outcome_of
from al_loop.training.comparison.subsets import lay_subset, tasks_to_compare
from al_loop.training.installed import check_can_train
from al_loop.training.running.program import TrainingProgram
from al_loop.training.running.round_files import RoundFiles
from al_loop.training.snapshot import write_snapshot
from al_loop.training.starting_weights import starting_weights
from models.card import TaskSpec
from models.manifest import Manifest
from models.progress import ProgressLine
from models.training.measuring.figures import (
    COMPARISON_FILE,
    JOINT,
    SPEC_FILE,
    ComparisonSpec,
    MeasuredComparison,
    TrainedModel,
)

TRAINING_PHASES = dict.fromkeys(("training", "evaluating", "exporting"), ComparisonState.TRAINING)

ComparisonJob = Job[Campaign, ComparisonState]


class ComparisonRunner(JobRunner[Campaign, ModelComparison, ComparisonState]):
    """Starts, follows and cancels comparisons."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        slots: TrainingSlots,
        clock: Callable[[], datetime],
        *,
        executor: Executor = run_supervised,
    ) -> None:
        """Make a runner without comparisons.

        Args:
            store: Where states and labels are kept.
            layout: Where comparisons lie.
            slots: Shared with the rounds.
            clock: Gives aware UTC times.
            executor: Runs training and measuring.
        """
        super().__init__(ComparisonKind(store, layout, executor, clock), store.comparisons, slots, clock)
        self._label_store = store

    def start(self, campaign: Campaign, request: ComparisonRequest) -> ModelComparison:
        """Store a new comparison and run it when its turn comes.

        Raises:
            NotInstalledError: This installation cannot train.
            ArchivedError: The campaign is put away.
            NotEnoughLabelsError: Too few labels, or one class only.
            InvalidValueError: The campaign has no such task.
            ConflictError: Fewer than two tasks have labels, or another comparison goes on.
        """
        check_can_train()
        store = self._label_store
        if campaign.archived_at is not None:
            raise ArchivedError(campaign.name)
        known = [spec.task for spec in campaign.tasks]
        for place, name in enumerate(request.tasks or []):
            if name not in known:
                raise InvalidValueError(f"$.tasks[{place}]", f"{name!r} is none of the tasks: {', '.join(known)}")
        problem = readiness(store, campaign, self._clock())  # draws the reserve, if nobody did
        tasks_to_compare(store, campaign, request.tasks)
        if problem is not None:
            raise problem
        return self.submit(campaign, lambda: store.comparisons.create(campaign.campaign_id, request, self._clock()))


class ComparisonKind(JobKind[Campaign, ModelComparison, ComparisonState]):
    """What a comparison does."""

    noun = "comparison"
    start_again = "start it again"
    stopped = "the service was stopped; start it again"
    waits_through_a_stop = False
    states = ComparisonState

    def __init__(
        self, store: LabelStore, layout: DataLayout, executor: Executor, clock: Callable[[], datetime]
    ) -> None:
        self._store, self._layout, self._executor, self._clock = store, layout, executor, clock

    def directory(self, owner: Campaign, number: int) -> Path:
        """Of the program that wrote last."""
        root = self._layout.comparison(owner.folder, number)
        logs = sorted(root.rglob(LOG_FILE), key=lambda path: path.stat().st_mtime_ns)
        return logs[-1].parent if logs else root

    def after_a_kill(self, record: ModelComparison) -> tuple[ComparisonState, str]:
        """Interrupted."""
        return ComparisonState.INTERRUPTED, f"the service stopped while it was {record.state}; start it again"

    def carry_out(self, job: ComparisonJob) -> None:
        """From the labels of this moment to the figures; of what was trained only the logs are kept."""
        campaign = self._store.campaigns.get(job.owner.name)
        request = self._store.comparisons.get(*job.key).request
        root = self._layout.comparison(campaign.folder, job.number)
        shutil.rmtree(root, ignore_errors=True)  # of a campaign that was restored from an older backup
        try:
            job.enter(ComparisonState.SNAPSHOT)
            manifest = self._snapshot(job, campaign, request, root / "snapshot")
            trained = list(self._trained(job, campaign, request, manifest, root))
            measured = self._measured(job, root, trained)
            result = outcome_of(root / "snapshot", manifest.tasks, request, measured)
        finally:
            keep_logs(root)
        job.enter(ComparisonState.FINISHED, result=result)

    def _snapshot(
        self, job: ComparisonJob, campaign: Campaign, request: ComparisonRequest, directory: Path
    ) -> Manifest:
        """The labels of all compared tasks; the recipe that every model is trained by."""
        names = [spec.task for spec in tasks_to_compare(self._store, campaign, request.tasks)]
        look_at_images(self._store, campaign, self._clock())
        written = write_snapshot(
            self._store, campaign, job.number, directory, version=f"comparison-{job.number}", incumbent=None,
            incumbent_version=None, now=self._clock(), start=starting_weights(self._store, self._layout, campaign),
        ).manifest  # fmt: skip
        tasks = [spec for spec in written.tasks if spec.task in names]
        if len(tasks) < 2:
            raise ConflictError(f"only {tasks[0].task if tasks else 'no task'} has labels that can be used")
        train = msgspec.structs.replace(
            written.train,
            candidates=request.candidates or written.train.candidates,
            max_steps=written.train.max_steps if request.max_steps is None else request.max_steps,
        )
        return lay_subset(directory, directory, msgspec.structs.replace(written, train=train), tasks)

    def _trained(
        self, job: ComparisonJob, campaign: Campaign, request: ComparisonRequest, manifest: Manifest, root: Path
    ) -> Iterator[TrainedModel]:
        """Train every model with every seed."""
        models: list[tuple[str, Sequence[TaskSpec]]] = [(spec.task, [spec]) for spec in manifest.tasks]
        models.append((JOINT, manifest.tasks))
        first = manifest.train.seed
        runs = [(name, tasks, first + number) for number in range(request.seeds) for name, tasks in models]
        for done, (name, tasks, seed) in enumerate(runs, start=1):
            files = RoundFiles(root / f"{name}-{seed}")
            seeded = msgspec.structs.replace(
                manifest, version=name.replace("_", "-"), train=msgspec.structs.replace(manifest.train, seed=seed)
            )
            lay_subset(root / "snapshot", files.snapshot, seeded, tasks)
            said = f"{name}, seed {seed}: training {done} of {len(runs)}"
            program = TrainingProgram(
                self._executor, files, campaign.settings.limits, lambda note, notes: job.enter(ComparisonState.TRAINING)
            )
            out = program.run(
                files.snapshot,
                on_phase=job.phases(TRAINING_PHASES),
                on_progress=lambda line, said=said: job.note(with_message(line, said)),  # type: ignore[misc]
                cancelled=job.cancelled,
            )
            yield TrainedModel(name=name, seed=seed, directory=str(out.resolve()))

    def _measured(self, job: ComparisonJob, root: Path, trained: Sequence[TrainedModel]) -> MeasuredComparison:
        spec = ComparisonSpec(snapshot=str((root / "snapshot").resolve()), models=list(trained))
        directory, out = root / "spec", root / "measured"
        directory.mkdir()
        (directory / SPEC_FILE).write_bytes(msgspec.json.encode(spec))
        run_program(
            self._executor,
            "models.compare",
            [str(directory.resolve())],
            out,
            on_phase=job.phases({"evaluating": ComparisonState.EVALUATING}),
            on_progress=job.note,
            cancelled=job.cancelled,
        )
        return read_output(out / COMPARISON_FILE, MeasuredComparison)


def with_message(line: ProgressLine, said: str) -> ProgressLine:
    """A line of progress that says first which of several programs it is of."""
    return msgspec.structs.replace(line, message=f"{said}; {line.message}" if line.message else said)


def keep_logs(root: Path) -> None:
    """Remove everything of a comparison but what its programs wrote to their logs."""
    for path in sorted(root.rglob("*"), reverse=True):
        if path.is_dir() and not path.is_symlink():
            if not any(path.iterdir()):
                path.rmdir()
        elif path.name != LOG_FILE:
            path.unlink(missing_ok=True)
