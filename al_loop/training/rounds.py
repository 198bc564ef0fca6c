"""A round: snapshot, training, evaluation, export, gate, promotion, scoring; one at a time per campaign.

Beside it one more may run in the background, which tries a deep network: it takes minutes in which quick rounds go on.

By default one worker runs the rounds of all campaigns in order, so that two trainings never fight for the machine; the
others wait in state `queued`. Pretrainings take places of the same kind (`al_loop.runtime.slots`).
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.campaigns.classes import former_names
from al_loop.campaigns.imagery.labelled import look_at_images
from al_loop.campaigns.layout import DataLayout
from al_loop.campaigns.readiness import readiness
from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import Challenger, GateReport
from al_loop.domain.rounds import Round, RoundState, StartedBy
from al_loop.domain.samples import SkippedPath
from al_loop.errors import ArchivedError
from al_loop.runtime.executor import Executor, ignore, read_output, run_program
from al_loop.runtime.jobs import Job, JobKind, JobRunner
from al_loop.runtime.processes import ProcessCancelledError, ProcessFailedError, run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.scoring.pool_scorer import PoolScorer
from al_loop.serving.model_server import ModelServer
from al_loop.store import LabelStore
from al_loop.store.tables.rounds import RoundTable
from al_loop.training.gate.artefacts import withdrawn_artefact
from al_loop.training.gate.decision import should_promote
from al_loop.training.installed import check_can_train, usable_model
from al_loop.training.running.added_model import AddedFiles, add_program
from al_loop.training.running.left_out import left_out_sentence, unreadable_since
from al_loop.training.running.program import TrainingProgram
from al_loop.training.running.round_files import RoundFiles
from al_loop.training.running.time_left import TimeLeft
from al_loop.training.snapshot import write_snapshot
from al_loop.training.starting_weights import started_from, starting_weights
from al_loop.training.triggers.policy import deep_question
from models.card import Evaluation, ModelCard
from models.limits import lack_of_space
from models.manifest import read_manifest
from models.progress import ProgressLine
from models.registry import CARD_FILE, ONNX_FILE
from models.tasks import tasks_of
from models.training.data.left_out import read_left_out
from models.training.plan import deep_is_worth

PHASES = {
    "training": RoundState.TRAINING,
    "evaluating": RoundState.EVALUATING,
    "exporting": RoundState.EXPORTING,
}

MOST_TAKEN_UP = 8
"""How often a round is taken up, without coming further, before it is interrupted: it may be what ends the service."""

RoundJob = Job[Campaign, RoundState]


class RoundRunner(JobRunner[Campaign, Round, RoundState]):
    """Starts, follows and cancels rounds."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        server: ModelServer,
        scorer: PoolScorer,
        slots: TrainingSlots,
        clock: Callable[[], datetime],
        *,
        rounds_at_once: int = 1,
        executor: Executor = run_supervised,
    ) -> None:
        """Make a runner without rounds.

        Args:
            store: Where states are kept.
            layout: Where rounds and models lie.
            server: Promotes.
            scorer: Scores the pool after a promotion.
            slots: Places shared with pretrainings.
            clock: Gives aware UTC times.
            rounds_at_once: How many campaigns may train side by side; a campaign has one running round at most.
            executor: Runs training.
        """
        kind = RoundKind(store, layout, server, scorer, clock, executor)
        super().__init__(kind, RoundsOf(store.rounds, background=False), slots, clock, at_once=rounds_at_once)
        self._deep = JobRunner(kind, RoundsOf(store.rounds, background=True), TrainingSlots(), clock)
        self._label_store, self._layout = store, layout
        self._time_left = TimeLeft(store.rounds)

    def start(
        self,
        campaign: Campaign,
        reason: str,
        *,
        queue: bool = False,
        background: bool = False,
        started_by: StartedBy | None = "hand",
        added: AddedFiles | None = None,
    ) -> Round:
        """Store a new round and run it when its turn comes.

        Args:
            campaign: Whose labels are trained on.
            reason: Who or what asked for it.
            queue: While a round runs, queue one more (requests for a second one are answered with the same) instead of
                refusing.
            background: Try a deep network beside the other rounds; one such round at a time, of all campaigns.
            started_by: The trigger of the policy, `hand`, `deep` or `added`; failed ones of the policy are repeated.
            added: A model from elsewhere, which takes the place of the training.

        Raises:
            NotInstalledError: This installation cannot train.
            ArchivedError: The campaign is put away.
            NotEnoughLabelsError: Too few labels, too few in the reserve, or one class only.
            RoundRunningError: One runs and `queue` is false.
        """
        check_can_train()
        store = self._label_store
        if campaign.archived_at is not None:
            raise ArchivedError(campaign.name)
        if (problem := readiness(store, campaign, self._clock(), trains=added is None)) is not None:
            raise problem

        def create() -> Round:
            now = self._clock()
            entry = store.rounds.create(
                campaign.campaign_id, reason=reason, now=now, queue=queue, background=background, started_by=started_by
            )
            if added is not None:
                added.move_to(self._layout.round(campaign.folder, entry.number))
            return entry

        return self._deep.submit(campaign, create) if background else self.submit(campaign, create)

    def deep_reason(self, campaign: Campaign) -> str | None:
        """Why a deep network is worth a round in the background now, or None; see `models.training.plan`."""
        question = deep_question(self._label_store.rounds.list(campaign.campaign_id))
        if question is None or readiness(self._label_store, campaign, self._clock()) is not None:
            return None
        settings = campaign.settings
        model = started_from(settings.model, starting_weights(self._label_store, self._layout, campaign))
        if not deep_is_worth(usable_model(model).model, settings.train, campaign.tasks, *question):
            return None
        return f"a deep network is worth trying: {question.labels} labels"

    def cancel(self, owner: Campaign, number: int) -> Round:
        """As `JobRunner.cancel`, of rounds in the background, too."""
        background = self._label_store.rounds.get(owner.campaign_id, number).background
        return self._deep.cancel(owner, number) if background else super().cancel(owner, number)

    def unfinished(self, owner: Campaign) -> dict[int, str]:
        """As `JobRunner.unfinished`, with rounds in the background."""
        return super().unfinished(owner) | self._deep.unfinished(owner)

    def progress(self, campaign_id: int, number: int) -> ProgressLine | None:
        """The newest line of progress of a round that runs in this process, with the time left to the round's end."""
        line = super().progress(campaign_id, number) or self._deep.progress(campaign_id, number)
        return None if line is None else self._time_left.told(campaign_id, number, line)

    def full_log(self, owner: Campaign, number: int) -> Iterator[bytes]:
        """All that the programs of a round wrote, attempt by attempt."""
        return RoundFiles(self._layout.round(owner.folder, number)).log()

    def recover(self, owner: Campaign) -> None:
        """As `JobRunner.recover`, of rounds in the background, too."""
        super().recover(owner)
        self._deep.recover(owner)

    def close(self) -> None:
        """Interrupt what runs and wait for its end."""
        self._deep.close()
        super().close()


def start_added(
    runner: RoundRunner, temporary: Path, campaign: Campaign, name: str, data: bytes, card: bytes, *, ask: bool
) -> Round:
    """Start the round of a model from elsewhere; see `AddedFiles.keep` and `RoundRunner.start`."""
    digest = hashlib.sha256(data).hexdigest()[:16]
    added = AddedFiles.keep(temporary, name, data, card, ask=ask)
    try:
        return runner.start(campaign, f"added by hand: {name}, sha256 {digest}", started_by="added", added=added)
    except BaseException:
        added.discard()
        raise


class RoundsOf:
    """The stored rounds of one kind: those that labels start, or those in the background."""

    def __init__(self, table: RoundTable, *, background: bool) -> None:
        self._table, self._background = table, background
        self.get, self.set_state = table.get, table.set_state

    def unfinished(self, campaign_id: int) -> list[Round]:
        """Rounds of this kind that have not ended, by number."""
        return [entry for entry in self._table.unfinished(campaign_id) if entry.background == self._background]


class RoundKind(JobKind[Campaign, Round, RoundState]):
    """What a round does."""

    noun = "round"
    start_again = "start a new round"
    stopped = "the service was stopped"
    waits_through_a_stop = True
    states = RoundState

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        server: ModelServer,
        scorer: PoolScorer,
        clock: Callable[[], datetime],
        executor: Executor,
    ) -> None:
        self._store, self._layout, self._server, self._scorer = store, layout, server, scorer
        self._clock, self._executor = clock, executor

    def directory(self, owner: Campaign, number: int) -> Path:
        """Of the newest attempt at training."""
        return self.files(owner, number).newest_run

    def files(self, owner: Campaign, number: int) -> RoundFiles:
        """All files of a round."""
        return RoundFiles(self._layout.round(owner.folder, number))

    def goes_on(self, owner: Campaign, record: Round) -> bool:
        """Whether it had begun and did not serve yet; one that was taken up too often may be what ends the service."""
        begun = record.state not in (RoundState.QUEUED, RoundState.SCORING) and not record.state.is_end
        return begun and self.files(owner, record.number).taken_up < MOST_TAKEN_UP

    def after_a_kill(self, record: Round) -> tuple[RoundState, str]:
        """Interrupted; the policy starts it again. A round whose model serves is promoted, the scheduler scores on."""
        if record.state is RoundState.SCORING:
            serves = f"{record.version} serves, scoring goes on"
            return RoundState.PROMOTED, f"the service stopped while the pool was being scored; {serves}"
        return RoundState.INTERRUPTED, f"the service stopped while the round was {record.state}"

    def carry_out(self, job: RoundJob) -> None:
        """From the labels of this moment to a version that serves, or was rejected by the gate."""
        campaign = self._store.campaigns.get(job.owner.name)  # its settings may have changed while the round waited
        version, files = f"v{job.number}", self.files(campaign, job.number)
        record = self._store.rounds.get(campaign.campaign_id, job.number)
        background = record.background
        files.take_up()
        left_out, before = list[SkippedPath](), record.left_out
        if files.has_snapshot(record.manifest_sha256):
            job.enter(RoundState.TRAINING, detail="it goes on where it was cut off")
        else:
            left_out, before = self._snapshot(job, campaign, record, version, files.snapshot), None
        out = self._train(job, campaign, files)
        left_out += unreadable_since(self._store, campaign, read_left_out(out), self._clock())
        card = read_output(out / CARD_FILE, ModelCard)
        evaluation = self._against_what_serves(job, campaign, files, out)
        said = "; ".join(filter(None, (before, left_out_sentence(left_out)))) or None
        job.enter(RoundState.GATE, left_out=said, choice=card.choice)
        card = msgspec.structs.replace(card, evaluation=evaluation)
        self._register(campaign, job.number, version, out, card)
        sealed = msgspec.structs.replace(self._server.registry(campaign).card(version), evaluation=evaluation)
        verdict = self._verdict(campaign, sealed, background=background)
        self._store.gate.keep_report(campaign.campaign_id, job.number, verdict)
        state = RoundState.GATE if verdict.promote else RoundState.REJECTED
        short = msgspec.structs.replace(evaluation, slices=[])  # those are in the version's card
        job.enter(state, evaluation=short, verdict=verdict.reason, detail=verdict.reason)
        serves = verdict.promote and not self._waits(campaign, job.number, version, verdict)
        if serves:
            why = f"round {job.number}: {verdict.reason}"
            self._server.promote(campaign, version, why, self._clock, round_number=job.number, person=False)
        files.registered()
        if serves:
            self._score(job, campaign, version)

    def _waits(self, campaign: Campaign, number: int, version: str, verdict: GateReport) -> bool:
        """Let a version that passed the gate wait for the last word, where the policy says so; whether it does."""
        asks = AddedFiles.ask(self.files(campaign, number).root)
        mode, serving = "ask" if asks else campaign.policy.promotion, self._server.serving_version(campaign)
        if mode == "automatic" or (mode == "shadow" and serving is None):
            return False
        event = self._store.rounds.get(campaign.campaign_id, number).label_event_id or 0
        self._server.prepare(campaign, version)  # what cannot be served fails the round, as it would if promoted
        waiting = Challenger(
            version=version, round_number=number, mode=mode, since=self._clock(), state="waiting",
            reason=verdict.reason, label_event_id=event,
        )  # fmt: skip
        self._store.gate.propose(campaign.campaign_id, waiting)
        return True

    def _verdict(self, campaign: Campaign, card: ModelCard, *, background: bool) -> GateReport:
        """What the gate says of a published version."""
        no_better = background and any(tried.kind == "quick" and tried.won for tried in card.candidates)
        return should_promote(
            card.evaluation,
            version=card.version,
            tolerance=campaign.policy.tolerance,
            more=campaign.policy.new_labels or campaign.policy.min_labels,
            settings=campaign.policy.gate,
            tasks=tasks_of(campaign.tasks),
            former=former_names(campaign),
            parity=card.parity,
            withdrawn=withdrawn_artefact(self._store.gate.withdrawn(campaign.campaign_id), card),
            background=f"the deep network is no better: {card.choice}" if no_better else None,
        )

    def _train(self, job: RoundJob, campaign: Campaign, files: RoundFiles) -> Path:
        """The folder of what the training made: now, or before the service was stopped."""
        if (done := files.finished()) is not None:
            return done
        program = TrainingProgram(
            self._executor, files, campaign.settings.limits,
            lambda note, notes: job.enter(RoundState.TRAINING, detail=note, notes=notes),
            add_program(files.root, campaign.settings.limits),
        )  # fmt: skip
        return program.run(files.snapshot, on_phase=job.phases(PHASES), on_progress=job.note, cancelled=job.cancelled)

    def _register(self, campaign: Campaign, number: int, version: str, out: Path, card: ModelCard) -> None:
        """Publish what the training made, unless that was done before the service was stopped."""
        if any(entry.version == version for entry in self._store.versions.list(campaign.campaign_id)):
            return
        registry = self._server.registry(campaign)
        registry.remove(version)  # published, but a kill came before the store knew of it
        registry.publish(version, out, card)
        self._store.versions.add(campaign.campaign_id, version, number, self._clock())

    def _against_what_serves(self, job: RoundJob, campaign: Campaign, files: RoundFiles, out: Path) -> Evaluation:
        """What the training measured, or measured again where another version began to serve meanwhile."""
        snapshot = files.snapshot
        evaluation = read_output(out / "evaluation.json", Evaluation)
        against = read_manifest(snapshot).incumbent_version
        while (serving := self._server.serving_version(campaign)) not in (None, against):
            judged = files.unused(f"against-{serving}")
            run_program(
                self._executor,
                "models.train",
                [str(snapshot.resolve()), "--again", str(out.resolve()), str(self._path(campaign, serving))],
                judged,
                on_phase=job.phases(PHASES),
                on_progress=job.note,
                cancelled=job.cancelled,
            )
            evaluation, against = read_output(judged / "evaluation.json", Evaluation), serving
            shutil.copyfile(judged / "evaluation.json", out / "evaluation.json")
        return evaluation

    def _path(self, campaign: Campaign, version: str) -> Path:
        return self._server.registry(campaign).path(version).resolve()

    def _snapshot(
        self, job: RoundJob, campaign: Campaign, record: Round, version: str, directory: Path
    ) -> list[SkippedPath]:
        """Write a new snapshot; returns the labelled images that are not in it."""
        job.enter(RoundState.SNAPSHOT, version=version)
        if (lack := lack_of_space(directory.parent, campaign.settings.limits.least_free_mb)) is not None:
            raise ProcessFailedError(lack)
        shutil.rmtree(directory, ignore_errors=True)  # half of one, left by a kill
        look_at_images(self._store, campaign, self._clock())
        incumbent = self._server.serving_version(campaign)
        path = None if incumbent is None else self._server.registry(campaign).path(incumbent) / ONNX_FILE
        manifest, digest, _, left_out = write_snapshot(
            self._store, campaign, job.number, directory, version=version, incumbent=path, incumbent_version=incumbent,
            now=self._clock(), start=starting_weights(self._store, self._layout, campaign),
            background=record.background, trains=record.started_by != "added",
        )  # fmt: skip
        job.enter(
            RoundState.SNAPSHOT,
            label_event_id=manifest.label_event_id,
            manifest_sha256=digest,
            labels=manifest.counts["train"] + manifest.counts["calibration"],
            reserve_labels=manifest.counts["test"],
            left_out=left_out_sentence([*left_out]),
        )
        return [*left_out]

    def _score(self, job: RoundJob, campaign: Campaign, version: str) -> None:
        """Score the pool with the promoted model; trouble here does not take the promotion back."""
        problem = None
        try:
            self._scorer.score(campaign, version, on_phase=ignore, on_progress=job.note, cancelled=job.cancelled)
        except (ProcessFailedError, ProcessCancelledError, OSError) as error:
            problem = f"{version} serves, but scoring the pool ended early and will be resumed: {error}"
        job.enter(RoundState.PROMOTED, error=problem)
