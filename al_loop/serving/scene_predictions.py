"""Predictions of scenes as jobs: one at a time, in a program of its own, which goes on after a stop of the service."""

import shutil
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

import msgspec

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import Campaign
from al_loop.domain.class_colours import class_colours, task_colours
from al_loop.domain.scene_predictions import ScenePrediction, ScenePredictionRequest, ScenePredictionState
from al_loop.errors import ConflictError, InvalidValueError, NoModelError, NotFoundError
from al_loop.runtime.executor import Executor, read_output, run_program
from al_loop.runtime.jobs import Job, JobKind, JobRunner
from al_loop.runtime.processes import run_supervised
from al_loop.runtime.slots import TrainingSlots
from al_loop.serving.model_server import CHAMPION, ModelServer
from al_loop.store import LabelStore
from models.errors import RasterError
from models.inference.scenes.spec import SceneResult, SceneSpec
from models.rasters.reading import resolve_inside

PHASES = {"predicting": ScenePredictionState.PREDICTING, "writing": ScenePredictionState.WRITING}
RESULT_FILE = "result.json"
MOST_ATTEMPTS = 8
"""How often one prediction is taken up: what ends the service each time must not do so for ever."""

SceneJob = Job[Campaign, ScenePredictionState]


class ScenePredictionRunner(JobRunner[Campaign, ScenePrediction, ScenePredictionState]):
    """Starts, follows and cancels predictions of scenes."""

    def __init__(
        self,
        store: LabelStore,
        layout: DataLayout,
        server: ModelServer,
        clock: Callable[[], datetime],
        *,
        threads: int | None = None,
        executor: Executor = run_supervised,
    ) -> None:
        """Make a runner without predictions.

        Args:
            store: Where states are kept.
            layout: Where files go.
            server: Knows the models.
            clock: Gives aware UTC times.
            threads: CPU threads of one run of the model; None: all cores.
            executor: Runs the program, on this machine: it reads the scene where it lies.
        """
        kind = ScenePredictionKind(store, layout, server, executor, threads)
        super().__init__(kind, store.scene_predictions, TrainingSlots(1), clock)
        self._label_store, self._layout, self._server = store, layout, server

    def start(self, campaign: Campaign, asked: ScenePredictionRequest, imagery: Sequence[Path]) -> ScenePrediction:
        """Store a new prediction and run it when its turn comes.

        Raises:
            InvalidValueError: No such scene, or it lies outside the folders that the service reads; no such task.
            NoModelError: Nothing serves, and no version is named.
            NotFoundError: No such version.
            ConflictError: The version's files were pruned, or it does not know the task.
        """
        scene_path(campaign, asked.scene, imagery)
        task = asked.task or (campaign.tasks[0].task if len(campaign.tasks) == 1 else None)
        known = [spec.task for spec in campaign.tasks]
        if task is None or task not in known:
            what = "name one of its tasks" if task is None else f"campaign {campaign.name!r} has no task {task!r}"
            raise InvalidValueError("$.task", f"{what}: {', '.join(known)}")
        if asked.version is None and campaign.current_version is None:
            raise NoModelError(campaign.name)
        version = self._server.resolve(campaign, asked.version or CHAMPION)
        self._label_store.versions.check_present(campaign.campaign_id, version)
        answered = [spec.task for spec in self._server.registry(campaign).card(version).tasks]
        if task not in answered:
            raise ConflictError(f"{version} answers {', '.join(answered)} and not {task}; choose another version")
        asked = msgspec.structs.replace(asked, task=task)
        return self.submit(
            campaign,
            lambda: self._label_store.scene_predictions.create(campaign.campaign_id, asked, version, self._clock()),
        )

    def result_file(self, campaign: Campaign, number: int) -> Path:
        """The file that a prediction made.

        Raises:
            NotFoundError: No such prediction, or its file was removed.
            ConflictError: It has not finished.
        """
        entry = self._label_store.scene_predictions.get(campaign.campaign_id, number)
        if entry.result is None:
            why = f": {entry.error}" if entry.error else ""
            raise ConflictError(f"scene prediction {number} is {entry.state} and has no file{why}")
        file = self._layout.scene_prediction(campaign.folder, number) / entry.result.file
        if not file.is_file():
            raise NotFoundError("file of scene prediction", number, "it was removed; predict the scene again")
        return file


class ScenePredictionKind(JobKind[Campaign, ScenePrediction, ScenePredictionState]):
    """What a prediction of a scene does."""

    noun = "scene prediction"
    start_again = "predict the scene again"
    stopped = "the service was stopped"
    waits_through_a_stop = True
    states = ScenePredictionState

    def __init__(
        self, store: LabelStore, layout: DataLayout, server: ModelServer, executor: Executor, threads: int | None
    ) -> None:
        self._store, self._layout, self._server = store, layout, server
        self._executor, self._threads = executor, threads

    def directory(self, owner: Campaign, number: int) -> Path:
        """Of the newest attempt."""
        return self._attempt(owner, number, max(1, self._attempts(owner, number)))

    def goes_on(self, owner: Campaign, record: ScenePrediction) -> bool:
        """Until it was taken up too often: what is done lies in its folder."""
        return self._attempts(owner, record.number) < MOST_ATTEMPTS

    def after_a_kill(self, record: ScenePrediction) -> tuple[ScenePredictionState, str]:
        """Interrupted."""
        return (
            ScenePredictionState.INTERRUPTED,
            f"the service ended {MOST_ATTEMPTS} times while it was {record.state}; predict the scene again",
        )

    def carry_out(self, job: SceneJob) -> None:
        """From the scene to the file; what was done is removed where the job does not go on."""
        campaign = self._store.campaigns.get(job.owner.name)
        entry = self._store.scene_predictions.get(*job.key)
        asked, folder = entry.asked, self._layout.scene_prediction(campaign.folder, job.number)
        folder.mkdir(parents=True, exist_ok=True)
        registry = self._server.registry(campaign)
        card = registry.verify(entry.version)
        spec = SceneSpec(
            scene=str(_path(campaign, asked.scene)),
            name=asked.scene,
            model_dir=str(registry.path(entry.version).resolve()),
            task=str(asked.task),
            format=asked.format,
            cell_px=asked.cell_px,
            reading=campaign.reading(card),
            threads=self._threads,
            colours=task_colours(card, str(asked.task), class_colours(campaign.tasks, campaign.chosen_colours)),
        )
        out = self._attempt(campaign, job.number, self._attempts(campaign, job.number) + 1)
        out.mkdir()
        (out / "spec.json").write_bytes(msgspec.json.encode(spec))
        file = (folder / f"scene.{asked.format}").resolve()
        try:
            run_program(
                self._executor,
                "models.predict_scene",
                [str((out / "spec.json").resolve()), "--file", str(file)],
                out,
                on_phase=job.phases(PHASES),
                on_progress=job.note,
                cancelled=job.cancelled,
            )
            result = read_output(out / RESULT_FILE, SceneResult)
        except BaseException:
            if not job.stopping.is_set():
                shutil.rmtree(file.with_name(f"{file.name}.part"), ignore_errors=True)
            raise
        job.enter(ScenePredictionState.FINISHED, result=result)

    def _attempts(self, owner: Campaign, number: int) -> int:
        return len(list(self._layout.scene_prediction(owner.folder, number).glob("run-*")))

    def _attempt(self, owner: Campaign, number: int, attempt: int) -> Path:
        return self._layout.scene_prediction(owner.folder, number) / f"run-{attempt}"


def scene_path(campaign: Campaign, scene: str, imagery: Sequence[Path]) -> Path:
    """The file of a scene that a client named.

    Args:
        campaign: Relative paths begin at its root.
        scene: As it was named.
        imagery: Resolved folders; absolute paths must lie inside one of them.

    Raises:
        InvalidValueError: There is none, or it lies elsewhere.
    """
    if Path(scene).is_absolute():
        inside = [folder for folder in imagery if Path(scene).is_relative_to(folder)]
        if not inside:
            folders = ", ".join(str(folder) for folder in imagery)
            raise InvalidValueError(
                "$.scene", f"{scene!r} lies outside the folders that the service reads ({folders}); start it with "
                "--imagery of its folder, too, or name a scene inside"
            )  # fmt: skip
        root, relative = inside[0], str(Path(scene).relative_to(inside[0]))
    else:
        root, relative = Path(campaign.root), scene
    try:
        return resolve_inside(root, relative)
    except RasterError as error:
        raise InvalidValueError("$.scene", str(error)) from error


def _path(campaign: Campaign, scene: str) -> Path:
    return Path(scene) if Path(scene).is_absolute() else Path(campaign.root) / scene
