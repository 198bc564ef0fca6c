"""Model versions: list, read the card, promote or roll back."""

from typing import Annotated

from litestar import Controller, delete, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath, PathParameter

from al_loop.domain.campaigns import Campaign
from al_loop.domain.rounds import ModelVersion
from al_loop.loop import Loop
from models.card import ModelCard
from service.access.tokens import requires
from service.answers import CampaignView, ModelList
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.openapi.examples import PROMOTE, json_body
from service.requests.parameters import Newest, newest
from service.schemas import PromoteRequest
from service.views import campaign_view


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

    @get(
        "/{version:str}",
        operation_id="getModelCard",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404, 409),
    )
    def card(self, version: FromPath[str], target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> ModelCard:
        """The model card: bands, classes, normalisation, calibration, measurements, parity, digests, lineage."""
        return loop.server.registry(target).card(version)

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
        version: Annotated[str, PathParameter(description="Any version of the registry; an older one rolls back.")],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        data: Annotated[PromoteRequest | None, json_body(rollback=PROMOTE)] = None,
    ) -> CampaignView:
        """Make a version the one that serves; requests in flight are answered by the old one, none is dropped."""
        reason = (data or PromoteRequest()).reason
        loop.server.promote(target, version, reason, loop.clock)
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
        return loop.store.versions.set_pinned(target.campaign_id, version, loop.clock())

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
        return loop.store.versions.set_pinned(target.campaign_id, version, None)
