"""The calls of `al_loop.client.operators` for event loops. Written from it by `make async-client`."""

from collections.abc import AsyncIterator, Mapping
from typing import Any, BinaryIO, Literal
from urllib.parse import quote

import msgspec

from al_loop.client.answers import (
    AuditPage,
    CampaignView,
    ClassList,
    DeliveryPage,
    DuplicateList,
    Guidelines,
    NewSecret,
    NewWebhook,
    Redelivered,
    RemovedDuplicates,
    ReproductionView,
    RoundLog,
    RoundView,
    ScenePredictionView,
    WebhookView,
)
from al_loop.client.asynchronous.http import AsyncClient
from al_loop.client.exchange import page_parameters
from al_loop.domain.audit import AuditEntry
from al_loop.domain.campaigns import CampaignSettings, ClassRequest, Deletion
from al_loop.domain.comparisons import ComparisonRequest, ComparisonView
from al_loop.domain.gate import ShadowReport
from al_loop.domain.lineage import LabelLineage, VersionLineage
from al_loop.domain.quality import StopAdvice
from al_loop.domain.retention import PruneReport
from al_loop.domain.retraining import PolicyPreview, RetrainPolicy
from al_loop.domain.round_diffs import RoundDiff
from al_loop.domain.round_reports import RoundReport
from al_loop.domain.rounds import ModelVersion
from al_loop.domain.super_resolutions import SuperResolutionRequest, SuperResolutionView
from al_loop.domain.webhooks import Delivery, DeliveryState
from al_loop.upkeep.archive import Compression


class AsyncOperatorClient(AsyncClient):
    """A client with the calls that change campaigns themselves."""

    async def audit(self, campaign: str | None = None, *, limit: int = 100, cursor: str | None = None) -> AuditPage:
        """A page of who changed what, newest first."""
        return await self._json(
            "GET", "/audit", AuditPage, params=page_parameters({"campaign": campaign}, limit, cursor)
        )

    def every_audit_entry(self, campaign: str | None = None) -> AsyncIterator[AuditEntry]:
        """Who changed what, newest first, page by page."""
        return self._every("/audit", AuditPage, lambda page: page.entries, 1000, {"campaign": campaign})

    async def readiness(self) -> dict[str, Any]:
        """What `/health/ready` says, whether the service is ready or not."""
        return await self._any_json("/health/ready", dict[str, Any])

    async def encoder_problem(self) -> str | None:
        """Why the service cannot use the encoder with ImageNet weights, in one sentence; None: it can."""
        said = (await self.readiness()).get("encoder", "ok")
        return None if said == "ok" else str(said)

    async def features(self) -> str | None:
        """What describes images at the service, in words; None: an older one, which does not say."""
        said: str | None = (await self.readiness()).get("features")
        return said

    async def every_campaign(self) -> list[CampaignView]:
        """All campaigns, with those that are archived."""
        return await self._json("GET", "/campaigns", list[CampaignView], params={"archived": "true"})

    async def change_campaign(self, name: str, change: dict[str, Any]) -> CampaignView:
        """Rename, archive, bring back; `change` as `PATCH /campaigns/{campaign}` takes it."""
        return await self._json("PATCH", f"/campaigns/{name}", CampaignView, body=change)

    async def backup(self, out: BinaryIO, *, embeddings: bool, compression: Compression) -> None:
        """Write the whole data directory of the service into a file, as an archive."""
        params = {"embeddings": str(embeddings).lower(), "compression": compression}
        await self._download("POST", "/backup", out, raw=True, params=params, timeout=3600.0)

    async def predict_scene(self, name: str, asked: dict[str, Any]) -> ScenePredictionView:
        """Have a scene predicted; `asked` as `POST /campaigns/{campaign}/scene-predictions` takes it."""
        return await self._json("POST", f"/campaigns/{name}/scene-predictions", ScenePredictionView, body=asked)

    async def scene_prediction(self, name: str, number: int) -> ScenePredictionView:
        """One prediction of a scene and its progress."""
        return await self._json("GET", f"/campaigns/{name}/scene-predictions/{number}", ScenePredictionView)

    async def cancel_scene_prediction(self, name: str, number: int) -> ScenePredictionView:
        """Stop one."""
        return await self._json("POST", f"/campaigns/{name}/scene-predictions/{number}/cancel", ScenePredictionView)

    async def scene_prediction_file(self, name: str, number: int, out: BinaryIO) -> None:
        """Write the file that it made."""
        path = f"/campaigns/{name}/scene-predictions/{number}/result"
        await self._download("GET", path, out, timeout=3600.0)

    async def start_super_resolution(self, name: str, request: SuperResolutionRequest) -> SuperResolutionView:
        """Train a model of super-resolution on pairs."""
        body = msgspec.to_builtins(request)
        return await self._json("POST", f"/campaigns/{name}/super-resolutions", SuperResolutionView, body=body)

    async def super_resolutions(self, name: str) -> list[SuperResolutionView]:
        """All trainings of super-resolution, oldest first."""
        return await self._json("GET", f"/campaigns/{name}/super-resolutions", list[SuperResolutionView])

    async def super_resolution(self, name: str, number: int) -> SuperResolutionView:
        """One of them, and its progress."""
        return await self._json("GET", f"/campaigns/{name}/super-resolutions/{number}", SuperResolutionView)

    async def cancel_super_resolution(self, name: str, number: int) -> SuperResolutionView:
        """Stop one."""
        return await self._json("POST", f"/campaigns/{name}/super-resolutions/{number}/cancel", SuperResolutionView)

    async def export_to(
        self, name: str, export_format: str, out: BinaryIO, options: Mapping[str, Any] | None = None
    ) -> None:
        """Write the current labels; `options` as `GET /campaigns/{campaign}/export` takes them."""
        params = {"format": export_format, **(options or {})}
        await self._download("GET", f"/campaigns/{name}/export", out, params=params, timeout=3600.0)

    async def model_files(
        self, name: str, version: str, export_format: str, out: BinaryIO, options: Mapping[str, Any]
    ) -> None:
        """Write a model version as other programs take it: a zip, or an ONNX file."""
        path, params = (f"/campaigns/{name}/models/{version}/export", {"format": export_format, **options})
        await self._download("GET", path, out, params=params, timeout=3600.0)

    async def advice(self, name: str, labels: int = 100) -> StopAdvice:
        """What more labels would bring and cost."""
        return await self._json("GET", f"/campaigns/{name}/advice", StopAdvice, params={"labels": labels})

    async def deletion(self, name: str) -> Deletion:
        """What deleting a campaign would remove."""
        return await self._json("GET", f"/campaigns/{name}/deletion", Deletion)

    async def delete_campaign(self, name: str) -> Deletion:
        """Delete a campaign for good."""
        return await self._json("DELETE", f"/campaigns/{name}", Deletion, params={"confirm": name}, timeout=600.0)

    async def remove_sample(self, name: str, sample_id: int) -> None:
        """Take a sample out of a campaign with its labels."""
        await self._send("DELETE", f"/campaigns/{name}/samples/{sample_id}", params={"confirm": "true"})

    async def duplicates(self, name: str) -> DuplicateList:
        """Samples that show one image."""
        return await self._json("GET", f"/campaigns/{name}/duplicates", DuplicateList)

    async def remove_duplicates(self, name: str) -> RemovedDuplicates:
        """Take spare copies out of a campaign."""
        params = {"confirm": "true"}
        return await self._json(
            "DELETE", f"/campaigns/{name}/duplicates", RemovedDuplicates, params=params, timeout=600.0
        )

    async def classes(self, name: str) -> ClassList:
        """Classes of each task and the guidelines."""
        return await self._json("GET", f"/campaigns/{name}/classes", ClassList)

    async def add_class(self, name: str, request: ClassRequest) -> ClassList:
        """Add a class to a task."""
        return await self._json("POST", f"/campaigns/{name}/classes", ClassList, body=request)

    async def change_class(self, name: str, task: str, label: str, change: dict[str, Any]) -> ClassList:
        """Rename, describe, colour, retire; `change` as `PATCH classes` takes it."""
        path = f"/campaigns/{name}/classes/{quote(task, safe='')}/{quote(label, safe='')}"
        return await self._json("PATCH", path, ClassList, body=change)

    async def set_guidelines(self, name: str, text: str) -> Guidelines:
        """Replace the guidelines."""
        return await self._json("PUT", f"/campaigns/{name}/guidelines", Guidelines, body=Guidelines(text=text))

    async def settings(self, name: str) -> CampaignSettings:
        """All settings of a campaign."""
        return await self._json("GET", f"/campaigns/{name}/settings", CampaignSettings)

    async def change_settings(self, name: str, patch: dict[str, Any]) -> CampaignSettings:
        """Change a part of the settings."""
        return await self._json("PATCH", f"/campaigns/{name}/settings", CampaignSettings, body=patch)

    async def policy(self, name: str) -> RetrainPolicy:
        """The retrain policy of a campaign."""
        return await self._json("GET", f"/campaigns/{name}/policy", RetrainPolicy)

    async def policy_preview(self, name: str) -> PolicyPreview:
        """When the next round of a campaign would start by itself, and why."""
        return await self._json("GET", f"/campaigns/{name}/policy/preview", PolicyPreview)

    async def change_policy(self, name: str, patch: dict[str, Any]) -> RetrainPolicy:
        """Change a part of the retrain policy."""
        return await self._json("PATCH", f"/campaigns/{name}/policy", RetrainPolicy, body=patch)

    async def reject(self, name: str, version: str, reason: str = "ops") -> CampaignView:
        """Take a version out that does not serve."""
        return await self._json(
            "POST", f"/campaigns/{name}/models/{version}/reject", CampaignView, body={"reason": reason}
        )

    async def roll_back(self, name: str, reason: str = "ops") -> CampaignView:
        """Let the version serve again that served before."""
        return await self._json("POST", f"/campaigns/{name}/models/rollback", CampaignView, body={"reason": reason})

    async def shadow(self, name: str) -> ShadowReport:
        """How the challenger in the shadow does."""
        return await self._json("GET", f"/campaigns/{name}/models/challenger/shadow", ShadowReport)

    async def round_diff(self, name: str, first: int, second: int) -> RoundDiff:
        """What is different between two rounds."""
        return await self._json("GET", f"/campaigns/{name}/rounds/{first}/diff/{second}", RoundDiff)

    async def round_log(self, name: str, number: int) -> list[str]:
        """The end of what a round's training program wrote."""
        return (await self._json("GET", f"/campaigns/{name}/rounds/{number}/log", RoundLog)).lines

    async def full_round_log(self, name: str, number: int) -> bytes:
        """All that a round's training programs wrote."""
        return (await self._send("GET", f"/campaigns/{name}/rounds/{number}/log.txt")).content

    async def add_model(self, name: str, file: str, data: bytes, card: bytes, *, ask: bool = False) -> RoundView:
        """Add a model from elsewhere, by the name and bytes of its ONNX file and the JSON of its card."""
        sent = {"model": (file, data), "card": ("card.json", card)}
        params = {"name": file, "ask": str(ask).lower()}
        path = f"/campaigns/{name}/models"
        return await self._json("POST", path, RoundView, files=sent, params=params, timeout=3600.0)

    async def pin(self, name: str, version: str, *, pinned: bool = True) -> ModelVersion:
        """Keep the files of a version for good, or let them go as others."""
        return await self._json("PUT" if pinned else "DELETE", f"/campaigns/{name}/models/{version}/pin", ModelVersion)

    async def prune(self, name: str, *, dry_run: bool = False) -> PruneReport:
        """Remove what the policy does not keep, or say what would go."""
        return await self._json("GET" if dry_run else "POST", f"/campaigns/{name}/pruning", PruneReport)

    async def webhooks(self) -> list[WebhookView]:
        """All webhooks."""
        return await self._json("GET", "/webhooks", list[WebhookView])

    async def add_webhook(self, body: dict[str, Any]) -> NewWebhook:
        """Make a webhook; `body` as `POST /webhooks` takes it."""
        return await self._json("POST", "/webhooks", NewWebhook, body=body)

    async def remove_webhook(self, webhook_id: int) -> None:
        """Remove a webhook with its deliveries."""
        await self._send("DELETE", f"/webhooks/{webhook_id}")

    async def test_webhook(self, webhook_id: int) -> Delivery:
        """Queue an event of the kind `webhook.test`."""
        return await self._json("POST", f"/webhooks/{webhook_id}/test", Delivery)

    async def rotate_webhook(self, webhook_id: int, overlap_hours: float) -> NewSecret:
        """Add a secret; older ones sign as well for some hours."""
        body = {"overlap_hours": overlap_hours}
        return await self._json("POST", f"/webhooks/{webhook_id}/rotate", NewSecret, body=body)

    async def deliveries(
        self, webhook_id: int, state: DeliveryState | None = None, *, limit: int = 100
    ) -> DeliveryPage:
        """The newest deliveries of a webhook."""
        params = {"limit": limit} if state is None else {"limit": limit, "state": state}
        return await self._json("GET", f"/webhooks/{webhook_id}/deliveries", DeliveryPage, params=params)

    def every_delivery(self, webhook_id: int, state: DeliveryState | None = None) -> AsyncIterator[Delivery]:
        """All deliveries of a webhook, newest first, page by page."""
        path = f"/webhooks/{webhook_id}/deliveries"
        return self._every(path, DeliveryPage, lambda page: page.deliveries, 1000, {"state": state})

    async def delivery(self, webhook_id: int, delivery_id: int) -> Delivery:
        """One delivery."""
        return await self._json("GET", f"/webhooks/{webhook_id}/deliveries/{delivery_id}", Delivery)

    async def redeliver(self, webhook_id: int, delivery_id: int) -> Delivery:
        """Try a delivery that ended again."""
        return await self._json("POST", f"/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", Delivery)

    async def redeliver_dead(self, webhook_id: int) -> int:
        """Try everything again that was given up for a webhook; returns how many that are."""
        return (await self._json("POST", f"/webhooks/{webhook_id}/redeliver", Redelivered)).redelivered

    async def round_report(self, name: str, number: int) -> RoundReport:
        """What a round's model is worth on the test reserve."""
        return await self._json("GET", f"/campaigns/{name}/rounds/{number}/report", RoundReport, timeout=600.0)

    async def round_report_page(self, name: str, number: int) -> bytes:
        """The same as one HTML file."""
        return (await self._send("GET", f"/campaigns/{name}/rounds/{number}/report.html", timeout=600.0)).content

    async def model_lineage(self, name: str, version: str) -> VersionLineage:
        """Where a version comes from."""
        return await self._json("GET", f"/campaigns/{name}/models/{quote(version, safe='')}/lineage", VersionLineage)

    async def label_lineage(self, name: str, label_id: int) -> LabelLineage:
        """Which rounds a label went into."""
        return await self._json("GET", f"/campaigns/{name}/labels/{label_id}/lineage", LabelLineage)

    async def reproduce_round(self, name: str, number: int, tolerance: float) -> ReproductionView:
        """Train a round again."""
        body = {"tolerance": tolerance}
        return await self._json("POST", f"/campaigns/{name}/rounds/{number}/reproduction", ReproductionView, body=body)

    async def reproduction(self, name: str, number: int) -> ReproductionView:
        """The newest reproduction of a round."""
        return await self._json("GET", f"/campaigns/{name}/rounds/{number}/reproduction", ReproductionView)

    async def cancel_reproduction(self, name: str, number: int) -> ReproductionView:
        """Stop the newest reproduction of a round."""
        return await self._json("POST", f"/campaigns/{name}/rounds/{number}/reproduction/cancel", ReproductionView)

    async def start_comparison(self, name: str, request: ComparisonRequest) -> ComparisonView:
        """Compare one model for each task with one for all."""
        body = msgspec.to_builtins(request)
        return await self._json("POST", f"/campaigns/{name}/comparisons", ComparisonView, body=body)

    async def comparison(self, name: str, number: int) -> ComparisonView:
        """One comparison."""
        return await self._json("GET", f"/campaigns/{name}/comparisons/{number}", ComparisonView)

    async def cancel_comparison(self, name: str, number: int) -> ComparisonView:
        """Stop a comparison."""
        return await self._json("POST", f"/campaigns/{name}/comparisons/{number}/cancel", ComparisonView)

    async def comparison_page(self, name: str, number: int) -> bytes:
        """A finished comparison as one HTML file."""
        return (await self._send("GET", f"/campaigns/{name}/comparisons/{number}/report.html", timeout=600.0)).content

    async def comparison_plot(self, name: str, number: int) -> bytes:
        """The PNG of a finished comparison."""
        return (await self._send("GET", f"/campaigns/{name}/comparisons/{number}/plot.png", timeout=600.0)).content

    async def model_card_page(self, name: str, version: str, kind: Literal["html", "md"]) -> bytes:
        """The card of a version for people, as HTML or Markdown."""
        return (await self._send("GET", f"/campaigns/{name}/models/{version}/card.{kind}", timeout=600.0)).content
