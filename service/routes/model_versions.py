"""Model versions: list, read the card, promote, reject, roll back, and how a challenger does in the shadow."""

from typing import Annotated, Any

from litestar import Controller, Request, delete, get, post, put
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.exceptions import ClientException
from litestar.params import FromPath, PathParameter, QueryParameter

from al_loop.client.answers import CampaignView, ModelList, RoundView
from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import ShadowReport
from al_loop.domain.rounds import ModelVersion
from al_loop.errors import NotFoundError
from al_loop.loop import Loop
from al_loop.training.rounds import start_added
from models.card import ModelCard
from service.access.tokens import is_operator, requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.openapi.examples import PROMOTE, REJECT, json_body
from service.requests.parameters import Newest, newest
from service.requests.uploads import read_form
from service.schemas import DecisionRequest, PromoteRequest
from service.views import campaign_view, card_for_annotator, round_view


class ModelVersionController(Controller):
    """`/campaigns/{campaign}/models`."""

    path = "/campaigns/{campaign:str}/models"
    tags = ("models",)
    dependencies = TARGET

    @get(
        operation_id="listModels",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404),
    )
    def index(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop], limit: Newest = None) -> ModelList:
        """All versions, or the newest, promoted or not, oldest first."""
        return ModelList(models=newest(loop.store.versions.list(target.campaign_id), limit))

    @post(
        operation_id="addModel",
        opt={LANE: OPERATIONS},
        status_code=202,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409, 413, 415, 501),
    )
    async def add(
        self,
        request: Request[Any, Any, Any],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        name: Annotated[str, QueryParameter(description="Name of the file, such as roads.onnx.", max_length=200)],
        ask: Annotated[bool, QueryParameter(description="A person has the last word, whatever the gate says.")] = False,
    ) -> RoundView:
        """Add a model from elsewhere: inspect it, try it out, measure it on the test reserve, and let the gate decide.

        A form with the fields `model`, an ONNX file, and `card`, JSON of what the file does not say itself. All of it
        is a round in whose place of training the model is taken, by a program of its own within limits.
        """
        form = await read_form(request)
        missing = [field for field in ("model", "card") if field not in form]
        if missing:
            raise ClientException(f"The multipart field `{missing[0]}` is missing.")
        added = await sync_to_thread(
            start_added, loop.rounds, loop.layout.temporary, target, name, form["model"], form["card"], ask=ask
        )
        return await sync_to_thread(round_view, loop, target, added)

    @get(
        "/{version:str}",
        operation_id="getModelCard",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404, 409),
    )
    def card(
        self,
        request: Request[Any, Any, Any],
        version: FromPath[str],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> ModelCard:
        """The model card: bands, classes, normalisation, calibration, measurements, parity, digests, lineage.

        `champion` is the version that serves, `challenger` the one that waits for the last word. What tells of
        the test reserve is for operators: to others, `data` is null and measurements by place are left out.
        """
        card = loop.server.registry(target).card(loop.server.resolve(target, version))
        return card if is_operator(request) else card_for_annotator(card)

    @get(
        "/{version:str}/shadow",
        operation_id="getShadow",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def shadow(
        self,
        version: Annotated[str, PathParameter(description="`challenger`, or its version.")],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> ShadowReport:
        """How the challenger does that answers in the shadow, by labels that came in since, beside the champion."""
        report = loop.challengers.report(target)
        if report is None or loop.server.resolve(target, version) != report.version:
            raise NotFoundError("challenger in the shadow of campaign", target.name, "`promotion` `shadow` makes one")
        return report

    @post(
        "/{version:str}/promote",
        operation_id="promoteModel",
        opt={LANE: OPERATIONS},
        status_code=200,
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def promote(
        self,
        version: Annotated[
            str, PathParameter(description="Any version of the registry, or `challenger`; an older one rolls back.")
        ],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        data: Annotated[PromoteRequest | None, json_body(rollback=PROMOTE)] = None,
    ) -> CampaignView:
        """Make a version the one that serves; requests in flight are answered by the old one, none is dropped.

        One that was rejected needs `force`. Safe to repeat: what serves already goes on.
        """
        request = data or PromoteRequest()
        loop.server.promote(target, version, request.reason, loop.clock, force=request.force)
        return campaign_view(loop, loop.store.campaigns.get(target.name))

    @post(
        "/{version:str}/reject",
        operation_id="rejectModel",
        opt={LANE: OPERATIONS},
        status_code=200,
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def reject(
        self,
        version: Annotated[str, PathParameter(description="Any version that does not serve, or `challenger`.")],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        data: Annotated[DecisionRequest | None, json_body(challenger=REJECT)] = None,
    ) -> CampaignView:
        """Take a version out that does not serve: it waits no more, and the service does not promote it by itself."""
        loop.server.reject(target, version, (data or DecisionRequest()).reason, loop.clock)
        return campaign_view(loop, loop.store.campaigns.get(target.name))

    @post(
        "/rollback",
        operation_id="rollBackModel",
        opt={LANE: OPERATIONS},
        status_code=200,
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def roll_back(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        data: Annotated[DecisionRequest | None, json_body(rollback=PROMOTE)] = None,
    ) -> CampaignView:
        """Let the version serve again that served before; the service does not promote the one that served again."""
        loop.server.roll_back(target, (data or DecisionRequest()).reason, loop.clock)
        return campaign_view(loop, loop.store.campaigns.get(target.name))

    @put(
        "/{version:str}/pin",
        operation_id="pinModel",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(401, 403, 404, 409),
    )
    def pin(
        self, version: FromPath[str], target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ModelVersion:
        """Keep the files of a version for good, whatever the policy's `retention` says."""
        return loop.store.versions.set_pinned(target.campaign_id, loop.server.resolve(target, version), loop.clock())

    @delete(
        "/{version:str}/pin",
        operation_id="unpinModel",
        status_code=200,
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(401, 403, 404, 409),
    )
    def unpin(
        self, version: FromPath[str], target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ModelVersion:
        """Let a version go as any other; its files stay until it is pruned."""
        return loop.store.versions.set_pinned(target.campaign_id, loop.server.resolve(target, version), None)
