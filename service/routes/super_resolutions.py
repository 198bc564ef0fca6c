"""Trainings of super-resolution: start, look at, cancel. For operators."""

from typing import Annotated

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.response import ServerSentEvent

from al_loop.domain.campaigns import Campaign
from al_loop.domain.super_resolutions import SuperResolutionRequest, SuperResolutionTraining, SuperResolutionView
from al_loop.loop import Loop
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.openapi.examples import SUPER_RESOLUTION, json_body
from service.requests.job_events import states_from_now, stream_job
from service.requests.parameters import PathId
from service.settings import Settings
from service.views import job_view


class SuperResolutionController(Controller):
    """`/campaigns/{campaign}/super-resolutions`."""

    path = "/campaigns/{campaign:str}/super-resolutions"
    tags = ("super-resolution",)
    dependencies = TARGET
    guards = (requires("ops"),)

    @post(
        operation_id="startSuperResolution",
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415, 501),
    )
    def start(
        self,
        data: Annotated[SuperResolutionRequest, json_body(twenty_minutes=SUPER_RESOLUTION)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        settings: NamedDependency[Settings],
    ) -> SuperResolutionView:
        """Train a model of super-resolution on a folder of pairs, and measure it beside bicubic on held-out places.

        One is trained at a time, with one thread, beside rounds; others wait as `queued`. It goes on from its
        checkpoint after a restart of the service. Nothing shows the model until `settings.view.super_resolution`
        names the `folder` of its `result`.
        """
        return _view(loop, target, loop.super_resolutions.start(target, data, settings.imagery_folders))

    @get(operation_id="listSuperResolutions", sync_to_thread=True, responses=problems(401, 403, 404))
    def index(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> list[SuperResolutionView]:
        """All trainings of super-resolution, oldest first."""
        return [_view(loop, target, entry) for entry in loop.store.super_resolutions.list(target.campaign_id)]

    @get(
        "/{number:int}", operation_id="getSuperResolution", sync_to_thread=True, responses=problems(400, 401, 403, 404)
    )
    def show(
        self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> SuperResolutionView:
        """One training: its state, progress while it runs, the measures, and the end of the log if it failed."""
        return _view(loop, target, loop.store.super_resolutions.get(target.campaign_id, number))

    @get(
        "/{number:int}/events",
        operation_id="watchSuperResolution",
        responses=problems(400, 401, 403, 404),
        media_type="text/event-stream",
    )
    async def events(
        self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ServerSentEvent:
        """A training of super-resolution as server-sent events: `state` first and at each change, `progress` between.

        Closes at the end. Who connects again gets the present state first.
        """
        jobs, key = loop.store.super_resolutions, (target.campaign_id, number)
        states = states_from_now(lambda: _view(loop, target, jobs.get(*key)))
        return await stream_job(jobs, loop.super_resolutions, key, states)

    @post(
        "/{number:int}/cancel",
        operation_id="cancelSuperResolution",
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def cancel(
        self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> SuperResolutionView:
        """Stop a training of super-resolution; its process tree ends within seconds, and its checkpoint is removed."""
        return _view(loop, target, loop.super_resolutions.cancel(target, number))


def _view(loop: Loop, target: Campaign, entry: SuperResolutionTraining) -> SuperResolutionView:
    return job_view(SuperResolutionView, loop.super_resolutions, target, entry)
