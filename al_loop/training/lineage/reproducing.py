"""A round trained again: the same labels as of its manifest, seed and configuration, in a directory of its own.

Nothing of it is published or served. It takes one of the places that rounds run in.
"""

import shutil
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.reproductions import Reproduction, ReproductionResult, ReproductionState
from al_loop.domain.rounds import Round
from al_loop.errors import ConflictError
from al_loop.runtime.executor import Executor, read_output, run_program
from al_loop.runtime.jobs import Job, JobKind, JobRunner
from al_loop.runtime.processes import run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.store import LabelStore
from al_loop.training.installed import check_can_train
from al_loop.training.lineage.comparing import MODEL_FILES, compare, not_there
from al_loop.training.lineage.laying import lay_snapshot, sealed_manifest, sha256_of
from models.card import ModelCard
from models.errors import RegistryError
from models.manifest import read_manifest
from models.registry import CARD_FILE, ModelRegistry
from models.training.data.dataset import read_samples
from models.training.data.left_out import LeftOut, read_left_out

PHASES = {
    "training": ReproductionState.TRAINING,
    "evaluating": ReproductionState.EVALUATING,
    "exporting": ReproductionState.EXPORTING,
}

ReproductionJob = Job[Campaign, ReproductionState]


class ReproductionRunner(JobRunner[Campaign, Reproduction, ReproductionState]):
    """Starts, follows and cancels reproductions."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        slots: TrainingSlots,
        clock: Callable[[], datetime],
        *,
        executor: Executor = run_supervised,
    ) -> None:
        """Make a runner without reproductions.

        Args:
            store: Where states are kept.
            layout: Where rounds and models lie.
            slots: Shared with the rounds.
            clock: Gives aware UTC times.
            executor: Runs training.
        """
        super().__init__(ReproductionKind(store, layout, executor), store.reproductions, slots, clock)
        self._label_store, self._layout = store, layout

    def start(self, campaign: Campaign, round_number: int, tolerance: float) -> Reproduction:
        """Store a new reproduction of a round and run it when its turn comes.

        Raises:
            NotInstalledError: This installation cannot train.
            NotFoundError: The campaign has no such round.
            ConflictError: The round made no model, its manifest is gone, or another reproduction goes on.
        """
        check_can_train()
        store = self._label_store
        entry = store.rounds.get(campaign.campaign_id, round_number)
        if entry.evaluation is None or entry.manifest_sha256 is None:
            raise ConflictError(f"round {round_number} is {entry.state} and made no model: there is nothing to repeat")
        if sealed_manifest(self._layout, campaign, entry) is None:
            raise ConflictError(f"round {round_number} cannot be repeated: its manifest was removed or changed")
        return self.submit(
            campaign,
            lambda: store.reproductions.create(campaign.campaign_id, round_number, tolerance, self._clock()),
        )


class ReproductionKind(JobKind[Campaign, Reproduction, ReproductionState]):
    """What a reproduction does."""

    noun = "reproduction"
    start_again = "start it again"
    stopped = "the service was stopped; start it again"
    waits_through_a_stop = False
    states = ReproductionState

    def __init__(self, store: LabelStore, layout: DataLayout, executor: Executor) -> None:
        self._store, self._layout, self._executor = store, layout, executor

    def directory(self, owner: Campaign, number: int) -> Path:
        """Of the training."""
        return self._layout.reproduction(owner.folder, number) / "training"

    def after_a_kill(self, record: Reproduction) -> tuple[ReproductionState, str]:
        """Interrupted."""
        return ReproductionState.INTERRUPTED, f"the service stopped while it was {record.state}; start it again"

    def carry_out(self, job: ReproductionJob) -> None:
        """From a manifest to a verdict; what was trained is kept only where it is not the same."""
        campaign = self._store.campaigns.get(job.owner.name)
        asked = self._store.reproductions.get(*job.key)
        entry = self._store.rounds.get(campaign.campaign_id, asked.round_number)
        job.enter(ReproductionState.SNAPSHOT)
        out = self.directory(campaign, job.number)
        shutil.rmtree(out.parent, ignore_errors=True)  # of a campaign that was restored from an older backup
        result = self._repeat(job, campaign, entry, asked.tolerance, out)
        if result.reproduced or result.compared == "nothing":
            remove_large_files(out.parent)
        job.enter(ReproductionState.FINISHED, result=result)

    def _repeat(
        self, job: ReproductionJob, campaign: Campaign, entry: Round, tolerance: float, out: Path
    ) -> ReproductionResult:
        directory = out.parent / "snapshot"
        laid = lay_snapshot(self._store, self._layout, campaign, entry, directory)
        if laid.problem is not None:
            return not_there(laid.problem, labels_rebuilt=laid.labels_rebuilt)
        changed = changed_images(directory, self._left_out_then(campaign, entry))
        if changed:
            named = ", ".join(changed[:5]) + (f" and {len(changed) - 5} more" if len(changed) > 5 else "")
            sentence = f"not reproduced: {len(changed)} images are not what they were: {named}"
            return not_there(sentence, changed, labels_rebuilt=laid.labels_rebuilt)
        run_program(
            self._executor,
            "models.train",
            [str(directory.resolve())],
            out,
            on_phase=job.phases(PHASES),
            on_progress=job.note,
            cancelled=job.cancelled,
        )
        card = read_output(out / CARD_FILE, ModelCard)
        digests = {name: sha256_of(out / name) for name in MODEL_FILES if (out / name).is_file()}
        return compare(
            self._card(campaign, entry), entry.evaluation, card, digests, tolerance=tolerance,
            labels_rebuilt=laid.labels_rebuilt,
        )  # fmt: skip

    def _card(self, campaign: Campaign, entry: Round) -> ModelCard | None:
        try:
            return ModelRegistry(self._layout.models(campaign.folder)).card(str(entry.version))
        except RegistryError:
            return None

    def _left_out_then(self, campaign: Campaign, entry: Round) -> set[int]:
        """Samples that the round itself went on without."""
        places = (
            self._layout.models(campaign.folder) / str(entry.version),
            self._layout.round(campaign.folder, entry.number) / "training",
        )
        return {found.sample_id for place in places for found in read_left_out(place)}


def changed_images(directory: Path, left_out_then: set[int]) -> list[str]:
    """Images of a snapshot that are not what they were, each with the reason; those that were left out then are not.

    Of images without a label, which bands are standardised by, only whether they are there is known.
    """
    manifest, found = read_manifest(directory), LeftOut()
    read_samples(directory, manifest, found)
    changed = [f"{entry.path} ({entry.reason})" for entry in found.samples if entry.sample_id not in left_out_then]
    gone = [path for path in manifest.statistics_paths if not Path(path).exists()]
    return [*changed, *(f"{path} (gone)" for path in gone if not any(path in told for told in changed))]


def remove_large_files(directory: Path) -> None:
    """Leave the log of a reproduction and its small files; the model is there already, under its own name."""
    shutil.rmtree(directory / "snapshot", ignore_errors=True)
    for name in MODEL_FILES:
        (directory / "training" / name).unlink(missing_ok=True)
