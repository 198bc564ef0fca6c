"""Campaigns: create, look at, set the retrain policy and the settings, read the learning curve."""

from typing import Annotated

from litestar import Controller, get, post, put
from litestar.di import NamedDependency
from litestar.params import FromQuery

from al_loop.campaigns import CampaignRequest, check_policy, create_campaign
from al_loop.records import Campaign, CampaignSettings, RetrainPolicy
from al_loop.savings import Savings
from al_loop.workbench import Workbench
from service.auth import requires
from service.dependencies import TARGET
from service.errors import problems
from service.examples import CAMPAIGN, POLICY, SAVINGS, SETTINGS, answer, json_body
from service.schemas import CampaignView, LearningCurve
from service.settings import Settings


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
        workbench: NamedDependency[Workbench],
        settings: NamedDependency[Settings],
    ) -> CampaignView:
        """Create a campaign over the rasters below one folder."""
        campaign = create_campaign(workbench.store, data, settings.imagery_folders, workbench.clock())
        return CampaignView.of(workbench, campaign)

    @get(operation_id="listCampaigns", sync_to_thread=True, guards=[requires("annotate")], responses=problems(401, 403))
    def index(self, workbench: NamedDependency[Workbench]) -> list[CampaignView]:
        """All campaigns and how they stand."""
        return [CampaignView.of(workbench, campaign) for campaign in workbench.store.campaigns.list()]

    @get(
        "/{campaign:str}",
        operation_id="getCampaign",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def show(self, target: NamedDependency[Campaign], workbench: NamedDependency[Workbench]) -> CampaignView:
        """One campaign: counts of samples by state, the serving model, the last round."""
        return CampaignView.of(workbench, target)

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
        workbench: NamedDependency[Workbench],
    ) -> RetrainPolicy:
        """Say when rounds start by themselves and what they promote. Replaces the whole policy."""
        check_policy(data)
        workbench.store.campaigns.set_policy(target.campaign_id, data)
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
        workbench: NamedDependency[Workbench],
    ) -> CampaignSettings:
        """Replace all settings of a campaign. Those of the test reserve stay as they are once it is drawn."""
        workbench.store.campaigns.set_settings(target.campaign_id, data)
        return data

    @get(
        "/{campaign:str}/learning-curve",
        operation_id="getLearningCurve",
        sync_to_thread=True,
        dependencies=TARGET,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def learning_curve(self, target: NamedDependency[Campaign], workbench: NamedDependency[Workbench]) -> LearningCurve:
        """Metrics on the test reserve, with their 95 % intervals, against labels spent."""
        return LearningCurve(points=workbench.store.rounds.curve(target.campaign_id))

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
        workbench: NamedDependency[Workbench],
        task: FromQuery[str | None] = None,
    ) -> Savings:
        """How many labels the strategy has saved so far against random choice, with a 95 % interval.

        Compares heads on the random control (`settings.query.control_share`) with heads on what the strategy chose, on
        the labelled test reserve. `verdict` is "helps", "no difference yet", "harms" or, with too few labels,
        "not known yet"; `note` says more. Without `task`: the first that can be answered.
        """
        return workbench.savings.savings(target, task)
