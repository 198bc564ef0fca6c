"""Predictions of whole scenes: start, look at, cancel, download. For operators."""

from typing import Annotated

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.response import File, ServerSentEvent

from al_loop.client.answers import ScenePredictionView
from al_loop.domain.campaigns import Campaign
from al_loop.domain.scene_predictions import ScenePrediction, ScenePredictionRequest
from al_loop.loop import Loop
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.openapi.examples import SCENE, SCENE_AS_GEOJSON, json_body
from service.requests.job_events import states_from_now, stream_job
from service.requests.parameters import PathId
from service.settings import Settings
from service.views import job_view


class ScenePredictionController(Controller):
    """`/campaigns/{campaign}/scene-predictions`."""

    path = "/campaigns/{campaign:str}/scene-predictions"
    tags = ("predictions",)
    dependencies = TARGET
    guards = (requires("ops"),)

    @post(
        operation_id="startScenePrediction",
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415, 503),
    )
    def start(
        self,
        data: Annotated[ScenePredictionRequest, json_body(mask=SCENE, outlines=SCENE_AS_GEOJSON)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        settings: NamedDependency[Settings],
    ) -> ScenePredictionView:
        """Predict a whole scene that lies in a folder of the service, however large: as a job, tile by tile.

        Overlapping tiles are blended. One scene is predicted at a time; others wait as `queued`. A prediction goes on
        where it was after a restart of the service.
        """
        return _view(loop, target, loop.scene_predictions.start(target, data, settings.imagery_folders))

    @get(operation_id="listScenePredictions", sync_to_thread=True, responses=problems(401, 403, 404))
    def index(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> list[ScenePredictionView]:
        """All predictions of scenes, oldest first."""
        return [_view(loop, target, entry) for entry in loop.store.scene_predictions.list(target.campaign_id)]

    @get(
        "/{number:int}",
        operation_id="getScenePrediction",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def show(
        self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ScenePredictionView:
        """One prediction of a scene: its state, progress while it runs, and what was written."""
        return _view(loop, target, loop.store.scene_predictions.get(target.campaign_id, number))

    @get(
        "/{number:int}/events",
        operation_id="watchScenePrediction",
        responses=problems(400, 401, 403, 404),
        media_type="text/event-stream",
    )
    async def events(
        self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ServerSentEvent:
        """Server-sent events: `state` with the present state and each that follows, `progress` while it works.

        Closes at the end. Who connects again gets the present state first.
        """
        jobs, key = loop.store.scene_predictions, (target.campaign_id, number)
        states = states_from_now(lambda: _view(loop, target, jobs.get(*key)))
        return await stream_job(jobs, loop.scene_predictions, key, states)

    @post(
        "/{number:int}/cancel",
        operation_id="cancelScenePrediction",
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def cancel(
        self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ScenePredictionView:
        """Stop a prediction of a scene; its process tree ends within seconds, and what it had done is removed."""
        return _view(loop, target, loop.scene_predictions.cancel(target, number))

    @get(
        "/{number:int}/result",
        operation_id="downloadScenePrediction",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def result(self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> File:
        """The file that a prediction of a scene made: a GeoTIFF or GeoJSON."""
        file = loop.scene_predictions.result_file(target, number)
        return File(
            path=file,
            filename=f"{target.name}-scene-{number}{file.suffix}",
            media_type="image/tiff" if file.suffix == ".tif" else "application/geo+json",
        )


def _view(loop: Loop, target: Campaign, entry: ScenePrediction) -> ScenePredictionView:
    return job_view(ScenePredictionView, loop.scene_predictions, target, entry)
