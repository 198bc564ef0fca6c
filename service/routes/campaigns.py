"""Campaigns: create, look at, rename, archive, delete, read the learning curve."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, delete, get, patch, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from al_loop.campaigns.create import create_campaign
from al_loop.client.answers import CampaignView, LearningCurve
from al_loop.domain.campaigns import (
    Campaign,
    CampaignChange,
    CampaignRequest,
    Deletion,
)
from al_loop.domain.quality import Savings
from al_loop.domain.round_limits import check_limits
from al_loop.errors import InvalidValueError
from al_loop.loop import Loop
from service.access.tokens import is_operator, person_of, requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.openapi.examples import CAMPAIGN, CAMPAIGN_CHANGE, SAVINGS, answer, json_body
from service.settings import Settings
from service.views import campaign_view, thinned


class CampaignController(Controller):
    """`/campaigns`."""

    path = "/campaigns"
    tags = ("campaigns",)

    @post(
        operation_id="createCampaign",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 409, 415, 501),
    )
    def create(
        self,
        data: Annotated[CampaignRequest, json_body(two_tasks=CAMPAIGN)],
        loop: NamedDependency[Loop],
        settings: NamedDependency[Settings],
    ) -> CampaignView:
        """Create a campaign over the rasters below one folder."""
        check_limits(data.settings.limits, loop.disk.total_bytes, "$.settings.limits")
        loop.pictures.check_model(data)
        campaign = create_campaign(loop.store, data, settings.imagery_folders, loop.clock())
        return campaign_view(loop, campaign)

    @get(
        operation_id="listCampaigns",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403),
    )
    def index(
        self, request: Request[Any, Any, Any], loop: NamedDependency[Loop], archived: FromQuery[bool] = False
    ) -> list[CampaignView]:
        """All campaigns and how they stand; with `archived` true those that were put away, too.

        Test reserve and gold standard are counted with the other samples but for operators; gold-standard samples as
        the person of the token left them.
        """
        told, person = is_operator(request), person_of(request)
        shown = [entry for entry in loop.store.campaigns.list() if archived or entry.archived_at is None]
        return [campaign_view(loop, campaign, told=told, person=person) for campaign in shown]

    @get(
        "/{campaign:str}",
        operation_id="getCampaign",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def show(
        self, request: Request[Any, Any, Any], target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> CampaignView:
        """One campaign: counts of samples by state, the serving model, the last round.

        Test reserve and gold standard are counted with the other samples but for operators; gold-standard samples as
        the person of the token left them.
        """
        return campaign_view(loop, target, told=is_operator(request), person=person_of(request))

    @patch(
        "/{campaign:str}",
        operation_id="changeCampaign",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def change(
        self,
        data: Annotated[CampaignChange, json_body(rename=CAMPAIGN_CHANGE)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> CampaignView:
        """Rename a campaign, or put it away and bring it back. Fields that are left out stay as they are.

        A renamed campaign has new addresses. While it is archived, no round or score run starts, those that run are
        cancelled, and annotators are not offered it; labels, models and predictions stay as they are.
        """
        if data.name is not msgspec.UNSET and data.name != target.name:
            loop.rename(target, data.name)
            target = loop.store.campaigns.get(data.name)
        if data.archived is not msgspec.UNSET and data.archived != (target.archived_at is not None):
            loop.archive(target, archived=data.archived)
        return campaign_view(loop, loop.store.campaigns.get(target.name))

    @get(
        "/{campaign:str}/deletion",
        operation_id="describeDeletion",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("ops")],
        responses=problems(401, 403, 404),
    )
    def deletion(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> Deletion:
        """What deleting the campaign would remove; nothing is removed by asking."""
        return loop.deletion(target)

    @delete(
        "/{campaign:str}",
        operation_id="deleteCampaign",
        opt={LANE: OPERATIONS},
        status_code=200,
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409),
    )
    def remove(
        self, target: NamedDependency[Campaign], loop: NamedDependency[Loop], confirm: FromQuery[str | None] = None
    ) -> Deletion:
        """Remove a campaign for good: labels, history, rounds, models. Its images stay. Answers what was removed.

        `confirm` repeats the name. What runs is cancelled. A campaign that is linked to SCANEO is refused until the
        link is undone.
        """
        if confirm != target.name:
            raise InvalidValueError(
                "confirm", f"{loop.deletion(target).sentence} Repeat the request with ?confirm={target.name} to do it"
            )
        return loop.delete(target)

    @get(
        "/{campaign:str}/learning-curve",
        operation_id="getLearningCurve",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404),
    )
    def learning_curve(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        most: Annotated[
            int | None,
            QueryParameter(ge=2, le=100_000, description="Points at most: some are left out evenly, never the ends."),
        ] = None,
    ) -> LearningCurve:
        """Metrics on the test reserve, with their 95 % intervals, against labels spent."""
        return LearningCurve(points=thinned(loop.store.rounds.curve(target.campaign_id), most))

    @get(
        "/{campaign:str}/savings",
        operation_id="getSavings",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("ops")],
        responses=problems(401, 403, 404) | answer(200, Savings, SAVINGS),
    )
    def savings(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        task: FromQuery[str | None] = None,
    ) -> Savings:
        """How many labels the strategy has saved so far against random choice, with a 95 % interval.

        Compares heads on the random control (`settings.query.control_share`) with heads on what the strategy chose, on
        the labelled test reserve. `verdict` is "helps", "no difference yet", "harms" or, with too few labels,
        "not known yet"; `note` says more. Without `task`: the first that can be answered. For operators, as its counts
        tell which answers belong to the control and the reserve.
        """
        return loop.savings.savings(target, task)
