"""Rounds: start, watch, cancel."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, get, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import HeaderParameter, PathParameter
from litestar.response import ServerSentEvent, Stream

from al_loop.client.answers import RoundList, RoundLog, RoundView
from al_loop.domain.campaigns import Campaign
from al_loop.domain.round_diffs import RoundDiff
from al_loop.loop import Loop
from al_loop.training.round_diff import round_diff
from service.access.tokens import is_operator, requires
from service.dependencies import TARGET
from service.errors import problems
from service.openapi.examples import ROUND, json_body
from service.requests.job_events import stream_job
from service.requests.parameters import LARGEST_ID, Newest, PathId, newest
from service.schemas import RoundRequest
from service.views import round_for_annotator, round_view


class RoundController(Controller):
    """`/campaigns/{campaign}/rounds`."""

    path = "/campaigns/{campaign:str}/rounds"
    tags = ("rounds",)
    dependencies = TARGET

    @post(
        operation_id="startRound",
        status_code=202,
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409, 415, 501),
    )
    def start(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        data: Annotated[RoundRequest | None, json_body(queued=ROUND)] = None,
    ) -> RoundView:
        """Retrain: snapshot, train, evaluate on the test reserve, export, gate, promote or reject, score the pool."""
        request = data or RoundRequest()
        started = loop.rounds.start(target, request.reason, queue=request.queue)
        return round_view(loop, target, started)

    @get(
        operation_id="listRounds",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404),
    )
    def index(
        self,
        request: Request[Any, Any, Any],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        limit: Newest = None,
    ) -> RoundList:
        """All rounds, or the newest, oldest first.

        What tells of the test reserve is for operators: to others, `reserve_labels` is null and measurements by place
        are left out.
        """
        rounds = newest(loop.store.rounds.list(target.campaign_id), limit)
        return RoundList(rounds=rounds if is_operator(request) else [round_for_annotator(entry) for entry in rounds])

    @get(
        "/{number:int}",
        operation_id="getRound",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404),
    )
    def show(
        self,
        request: Request[Any, Any, Any],
        number: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> RoundView:
        """One round: its state, progress while it runs, measurements and verdict; the log's end if it failed.

        What tells of the test reserve is for operators, as in the list of rounds.
        """
        view = round_view(loop, target, loop.store.rounds.get(target.campaign_id, number))
        return view if is_operator(request) else round_for_annotator(view)

    @get(
        "/{number:int}/events",
        operation_id="watchRound",
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404),
        media_type="text/event-stream",
    )
    async def events(
        self,
        request: Request[Any, Any, Any],
        number: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        last_event_id: Annotated[
            str | None,
            HeaderParameter(
                name="Last-Event-ID",
                max_length=20,
                description="Id of the last `state` that was received: what came after it is sent, nothing before.",
            ),
        ] = None,
    ) -> ServerSentEvent:
        """Server-sent events: `state` for each state that it enters, `progress` while it works; closes at the end.

        All states since its beginning are sent first, with ids to go on from after a broken connection or a restart
        of the service (`Last-Event-ID`, which browsers send by themselves).
        """
        rounds, key, told = loop.store.rounds, (target.campaign_id, number), is_operator(request)
        seen = int(last_event_id) if last_event_id is not None and last_event_id.isdecimal() else 0

        def states() -> list[bytes]:
            entered = rounds.events(*key)
            # read after its states, so that the verdict is known with which the last one came
            view = round_view(loop, target, rounds.get(*key))
            view = view if told else round_for_annotator(view)
            return [msgspec.json.encode(msgspec.structs.replace(view, state=event.state)) for event in entered]

        return await stream_job(rounds, loop.rounds, key, states, seen)

    @get(
        "/{number:int}/log",
        operation_id="getRoundLog",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404),
    )
    def log(self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> RoundLog:
        """The last lines that the training program of a round wrote, of one that goes well, too."""
        loop.store.rounds.get(target.campaign_id, number)
        return RoundLog(lines=loop.rounds.log(target, number))

    @get(
        "/{number:int}/log.txt",
        operation_id="downloadRoundLog",
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404),
        media_type="text/plain",
    )
    async def download_log(
        self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> Stream:
        """All that the training programs of a round wrote, attempt by attempt, as a file.

        Bytes are passed on as they were written, which need not be text.
        """
        await sync_to_thread(loop.store.rounds.get, target.campaign_id, number)
        name = f"{target.name}-round-{number}.log"
        return Stream(
            loop.rounds.full_log(target, number), headers={"Content-Disposition": f'attachment; filename="{name}"'}
        )

    @get(
        "/{number:int}/diff/{other:int}",
        operation_id="compareRounds",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 409),
    )
    def diff(
        self,
        number: PathId,
        other: Annotated[int, PathParameter(ge=0, le=LARGEST_ID, description="Number of the round to compare with.")],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> RoundDiff:
        """What is different between two rounds: labels between them and whose, configuration, metrics."""
        return round_diff(loop.store, loop.server.registry(target), target, number, other)

    @post(
        "/{number:int}/cancel",
        operation_id="cancelRound",
        status_code=202,
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409),
    )
    def cancel(self, number: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> RoundView:
        """Stop a round; its process tree ends within seconds. A model that was promoted already goes on serving."""
        return round_view(loop, target, loop.rounds.cancel(target, number))
