"""Settings and retrain policy of a campaign: read, replace, change in part."""

from typing import Annotated, Any

from litestar import Controller, Request, get, patch, put
from litestar.di import NamedDependency

from al_loop.campaigns.merge import merged
from al_loop.domain.campaigns import Campaign, CampaignSettings
from al_loop.domain.gate_rules import check_gate
from al_loop.domain.retraining import PolicyPreview, RetrainPolicy
from al_loop.domain.schedule import check_policy
from al_loop.loop import Loop
from service.access.tokens import is_operator, requires
from service.dependencies import TARGET
from service.errors import problems
from service.openapi.examples import POLICY, POLICY_BY_CLOCK, POLICY_CHANGE, SETTINGS, SETTINGS_CHANGE, json_body
from service.views import settings_for_annotator


class SettingsController(Controller):
    """`/campaigns/{campaign}/settings` and `/campaigns/{campaign}/policy`."""

    path = "/campaigns/{campaign:str}"
    tags = ("campaigns",)
    dependencies = TARGET

    @get(
        "/policy",
        operation_id="getPolicy",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def policy(self, target: NamedDependency[Campaign]) -> RetrainPolicy:
        """When rounds start by themselves and what they promote."""
        return target.policy

    @get(
        "/policy/preview",
        operation_id="previewPolicy",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(401, 403, 404),
    )
    def preview(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> PolicyPreview:
        """When the next round would start by itself and why: every trigger with its figures, and what holds it up."""
        return loop.outlook.preview(target)

    @put(
        "/policy",
        operation_id="setPolicy",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415),
    )
    def set_policy(
        self,
        data: Annotated[RetrainPolicy, json_body(by_count_and_time=POLICY, by_the_clock=POLICY_BY_CLOCK)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> RetrainPolicy:
        """Say when rounds start by themselves and what they promote. Replaces the whole policy."""
        check_policy(data)
        check_gate(data, target.tasks, lambda: loop.store.samples.blocks(target.campaign_id))
        loop.store.campaigns.set_policy(target.campaign_id, data, loop.clock())
        return data

    @patch(
        "/policy",
        operation_id="changePolicy",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415),
    )
    def change_policy(
        self,
        data: Annotated[dict[str, Any], json_body(by_hand_only=POLICY_CHANGE)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> RetrainPolicy:
        """Change what is sent of the policy; the rest stays as it is. null is a value: "never", where it is allowed."""
        policy = merged(target.policy, data)
        check_policy(policy)
        check_gate(policy, target.tasks, lambda: loop.store.samples.blocks(target.campaign_id))
        loop.store.campaigns.set_policy(target.campaign_id, policy, loop.clock())
        return policy

    @get(
        "/settings",
        operation_id="getSettings",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def settings(self, request: Request[Any, Any, Any], target: NamedDependency[Campaign]) -> CampaignSettings:
        """All settings of a campaign; which samples are gold standard (`query.golden`) is told to operators only."""
        return target.settings if is_operator(request) else settings_for_annotator(target.settings)

    @put(
        "/settings",
        operation_id="setSettings",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415),
    )
    def set_settings(
        self,
        data: Annotated[CampaignSettings, json_body(blind_share=SETTINGS)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> CampaignSettings:
        """Replace all settings of a campaign. Those of the test reserve stay as they are once it is drawn.

        Another `alpha` is tried on a sample of the images first; models keep the bands that they were trained on.
        """
        loop.change_settings(target, data)
        return data

    @patch(
        "/settings",
        operation_id="changeSettings",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415),
    )
    def change_settings(
        self,
        data: Annotated[dict[str, Any], json_body(shorter_leases=SETTINGS_CHANGE)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> CampaignSettings:
        """Change what is sent of the settings, at every depth; the rest stays as it is. Lists are replaced whole.

        Another `alpha` is tried on a sample of the images first; models keep the bands that they were trained on.
        """
        settings = merged(target.settings, data)
        loop.change_settings(target, settings)
        return settings
