"""Where versions come from, what labels went into, and rounds trained again. For operators alone."""

from typing import Annotated

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromPath, PathParameter

from al_loop.client.answers import ReproductionView
from al_loop.domain.campaigns import Campaign
from al_loop.domain.lineage import LabelLineage, VersionLineage
from al_loop.domain.reproductions import Reproduction
from al_loop.errors import NotFoundError
from al_loop.loop import Loop
from al_loop.training.lineage.tracing import label_lineage, version_lineage
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.openapi.examples import REPRODUCE, json_body
from service.requests.parameters import LARGEST_ID
from service.schemas import ReproductionRequest
from service.views import job_view

RoundNumber = Annotated[int, PathParameter(ge=0, le=LARGEST_ID, description="Number of the round.")]
LabelId = Annotated[int, PathParameter(ge=0, le=LARGEST_ID, description="Id of a label event.")]


class LineageController(Controller):
    """Lineage of `/campaigns/{campaign}/models` and `labels`, reproductions of `rounds`."""

    path = "/campaigns/{campaign:str}"
    dependencies = TARGET
    guards = (requires("ops"),)
    opt = {LANE: OPERATIONS}  # noqa: RUF012  # Litestar declares it without ClassVar

    @get(
        "/models/{version:str}/lineage",
        operation_id="getModelLineage",
        tags=["models"],
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def model(
        self, version: FromPath[str], target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> VersionLineage:
        """Where a version comes from: labels as of when and by whom, code, seed, configuration, environment, files.

        Also when it served and how many of its answers are remembered. Answers of prediction routes name their version
        in the header `X-Model-Version`.
        """
        return version_lineage(loop.store, loop.layout, target, loop.server.resolve(target, version))

    @get(
        "/labels/{label_id:int}/lineage",
        operation_id="getLabelLineage",
        tags=["labels"],
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def label(self, label_id: LabelId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> LabelLineage:
        """Which rounds and versions a label event went into, and why it did not go into others."""
        return label_lineage(loop.store, loop.layout, target, label_id)

    @post(
        "/rounds/{number:int}/reproduction",
        operation_id="reproduceRound",
        tags=["rounds"],
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415, 501),
    )
    def reproduce(
        self,
        number: RoundNumber,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        data: Annotated[ReproductionRequest | None, json_body(default=REPRODUCE)] = None,
    ) -> ReproductionView:
        """Train a round again from its manifest, seed and configuration, beside everything that serves, and compare.

        Bits are compared where the environment is the same, metrics within `tolerance` where it is not. Labels are
        those of the manifest, whatever was labelled since; images that are not what they were are named.
        """
        started = loop.reproductions.start(target, number, (data or ReproductionRequest()).tolerance)
        return self._view(loop, target, started)

    @get(
        "/rounds/{number:int}/reproduction",
        operation_id="getReproduction",
        tags=["rounds"],
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def show(
        self, number: RoundNumber, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ReproductionView:
        """The newest reproduction of a round: its state, progress while it runs, and the verdict."""
        return self._view(loop, target, self._newest(loop, target, number))

    @post(
        "/rounds/{number:int}/reproduction/cancel",
        operation_id="cancelReproduction",
        tags=["rounds"],
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def cancel(
        self, number: RoundNumber, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ReproductionView:
        """Stop the newest reproduction of a round; its process tree ends within seconds."""
        entry = self._newest(loop, target, number)
        return self._view(loop, target, loop.reproductions.cancel(target, entry.number))

    def _newest(self, loop: Loop, target: Campaign, number: int) -> Reproduction:
        entry = loop.store.reproductions.newest_of(target.campaign_id, number)
        if entry is None:
            raise NotFoundError("reproduction of round", number, "start one with `al-loop round reproduce`")
        return entry

    def _view(self, loop: Loop, target: Campaign, entry: Reproduction) -> ReproductionView:
        return job_view(ReproductionView, loop.reproductions, target, entry)
