"""Campaigns: create, look at, set the retrain policy and the settings, read the learning curve."""

from typing import Annotated, Any

from litestar import Controller, Request, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromQuery

from al_loop.campaigns.create import check_policy, create_campaign
from al_loop.domain.campaigns import Campaign, CampaignRequest, CampaignSettings, RetrainPolicy
from al_loop.domain.quality import Savings
from al_loop.loop import Loop
from service.access.tokens import is_operator, requires
from service.answers import CampaignView, LearningCurve
from service.dependencies import TARGET
from service.errors import problems
from service.openapi.examples import CAMPAIGN, POLICY, SAVINGS, SETTINGS, answer, json_body
from service.settings import Settings
from service.views import campaign_view


class CampaignController(Controller):
    """`/campaigns`."""

    path = "/campaigns"
    tags = ("campaigns",)

    @post(
        operation_id="createCampaign",
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
        campaign = create_campaign(loop.store, data, settings.imagery_folders, loop.clock())
        return campaign_view(loop, campaign)

    @get(operation_id="listCampaigns", sync_to_thread=True, guards=[requires("annotate")], responses=problems(401, 403))
    def index(self, request: Request[Any, Any, Any], loop: NamedDependency[Loop]) -> list[CampaignView]:
        """All campaigns and how they stand; the test reserve is counted with the other samples but for operators."""
        told = is_operator(request)
        return [campaign_view(loop, campaign, told=told) for campaign in loop.store.campaigns.list()]

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

        The test reserve is counted with the other samples but for operators.
        """
        return campaign_view(loop, target, told=is_operator(request))

    @put(
        "/{campaign:str}/policy",
        operation_id="setPolicy",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415, 501),
    )
    def set_policy(
        self,
        data: Annotated[RetrainPolicy, json_body(by_count_and_time=POLICY)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> RetrainPolicy:
        """Say when rounds start by themselves and what they promote. Replaces the whole policy."""
        check_policy(data)
        loop.store.campaigns.set_policy(target.campaign_id, data)
        return data

    @put(
        "/{campaign:str}/settings",
        operation_id="setSettings",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415),
    )
    def set_settings(
        self,
        data: Annotated[CampaignSettings, json_body(blind_share=SETTINGS)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> CampaignSettings:
        """Replace all settings of a campaign. Those of the test reserve stay as they are once it is drawn."""
        loop.store.campaigns.set_settings(target.campaign_id, data)
        return data

    @get(
        "/{campaign:str}/learning-curve",
        operation_id="getLearningCurve",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def learning_curve(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> LearningCurve:
        """Metrics on the test reserve, with their 95 % intervals, against labels spent."""
        return LearningCurve(points=loop.store.rounds.curve(target.campaign_id))

    @get(
        "/{campaign:str}/savings",
        operation_id="getSavings",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
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
        "not known yet"; `note` says more. Without `task`: the first that can be answered.
        """
        return loop.savings.savings(target, task)
