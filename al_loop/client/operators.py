"""What operators do to a campaign, beside the calls that everybody makes.

`asynchronous/operators.py` is written from this file by `make async-client`.
"""

from collections.abc import Iterator, Mapping
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
from al_loop.client.exchange import page_parameters
from al_loop.client.http import Client
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


class OperatorClient(Client):
    """A client with the calls that change campaigns themselves."""

    def audit(self, campaign: str | None = None, *, limit: int = 100, cursor: str | None = None) -> AuditPage:
        """A page of who changed what, newest first."""
        return self._json("GET", "/audit", AuditPage, params=page_parameters({"campaign": campaign}, limit, cursor))

    def every_audit_entry(self, campaign: str | None = None) -> Iterator[AuditEntry]:
        """Who changed what, newest first, page by page."""
        return self._every("/audit", AuditPage, lambda page: page.entries, 1000, {"campaign": campaign})

    def readiness(self) -> dict[str, Any]:
        """What `/health/ready` says, whether the service is ready or not."""
        return self._any_json("/health/ready", dict[str, Any])

    def encoder_problem(self) -> str | None:
        """Why the service cannot use the encoder with ImageNet weights, in one sentence; None: it can."""
        said = self.readiness().get("encoder", "ok")
        return None if said == "ok" else str(said)

    def features(self) -> str | None:
        """What describes images at the service, in words; None: an older one, which does not say."""
        said: str | None = self.readiness().get("features")
        return said

    def every_campaign(self) -> list[CampaignView]:
        """All campaigns, with those that are archived."""
        return self._json("GET", "/campaigns", list[CampaignView], params={"archived": "true"})

    def change_campaign(self, name: str, change: dict[str, Any]) -> CampaignView:
        """Rename, archive, bring back; `change` as `PATCH /campaigns/{campaign}` takes it."""
        return self._json("PATCH", f"/campaigns/{name}", CampaignView, body=change)

    def backup(self, out: BinaryIO, *, embeddings: bool, compression: Compression) -> None:
        """Write the whole data directory of the service into a file, as an archive."""
        params = {"embeddings": str(embeddings).lower(), "compression": compression}
        self._download("POST", "/backup", out, raw=True, params=params, timeout=3600.0)

    def predict_scene(self, name: str, asked: dict[str, Any]) -> ScenePredictionView:
        """Have a scene predicted; `asked` as `POST /campaigns/{campaign}/scene-predictions` takes it."""
        return self._json("POST", f"/campaigns/{name}/scene-predictions", ScenePredictionView, body=asked)

    def scene_prediction(self, name: str, number: int) -> ScenePredictionView:
        """One prediction of a scene and its progress."""
        return self._json("GET", f"/campaigns/{name}/scene-predictions/{number}", ScenePredictionView)

    def cancel_scene_prediction(self, name: str, number: int) -> ScenePredictionView:
        """Stop one."""
        return self._json("POST", f"/campaigns/{name}/scene-predictions/{number}/cancel", ScenePredictionView)

    def scene_prediction_file(self, name: str, number: int, out: BinaryIO) -> None:
        """Write the file that it made."""
        path = f"/campaigns/{name}/scene-predictions/{number}/result"
        self._download("GET", path, out, timeout=3600.0)

    def start_super_resolution(self, name: str, request: SuperResolutionRequest) -> SuperResolutionView:
        """Train a model of super-resolution on pairs."""
        body = msgspec.to_builtins(request)
        return self._json("POST", f"/campaigns/{name}/super-resolutions", SuperResolutionView, body=body)

    def super_resolutions(self, name: str) -> list[SuperResolutionView]:
        """All trainings of super-resolution, oldest first."""
        return self._json("GET", f"/campaigns/{name}/super-resolutions", list[SuperResolutionView])

    def super_resolution(self, name: str, number: int) -> SuperResolutionView:
        """One of them, and its progress."""
        return self._json("GET", f"/campaigns/{name}/super-resolutions/{number}", SuperResolutionView)

    def cancel_super_resolution(self, name: str, number: int) -> SuperResolutionView:
        """Stop one."""
        return self._json("POST", f"/campaigns/{name}/super-resolutions/{number}/cancel", SuperResolutionView)

    def export_to(self, name: str, export_format: str, out: BinaryIO, options: Mapping[str, Any] | None = None) -> None:
        """Write the current labels; `options` as `GET /campaigns/{campaign}/export` takes them."""
        params = {"format": export_format, **(options or {})}
        self._download("GET", f"/campaigns/{name}/export", out, params=params, timeout=3600.0)

    def model_files(
        self, name: str, version: str, export_format: str, out: BinaryIO, options: Mapping[str, Any]
    ) -> None:
        """Write a model version as other programs take it: a zip, or an ONNX file."""
        path, params = f"/campaigns/{name}/models/{version}/export", {"format": export_format, **options}
        self._download("GET", path, out, params=params, timeout=3600.0)

    def advice(self, name: str, labels: int = 100) -> StopAdvice:
        """What more labels would bring and cost."""
        return self._json("GET", f"/campaigns/{name}/advice", StopAdvice, params={"labels": labels})

    def deletion(self, name: str) -> Deletion:
        """What deleting a campaign would remove."""
        return self._json("GET", f"/campaigns/{name}/deletion", Deletion)

    def delete_campaign(self, name: str) -> Deletion:
        """Delete a campaign for good."""
        return self._json("DELETE", f"/campaigns/{name}", Deletion, params={"confirm": name}, timeout=600.0)

    def remove_sample(self, name: str, sample_id: int) -> None:
        """Take a sample out of a campaign with its labels."""
        self._send("DELETE", f"/campaigns/{name}/samples/{sample_id}", params={"confirm": "true"})

    def duplicates(self, name: str) -> DuplicateList:
        """Samples that show one image."""
        return self._json("GET", f"/campaigns/{name}/duplicates", DuplicateList)

    def remove_duplicates(self, name: str) -> RemovedDuplicates:
        """Take spare copies out of a campaign."""
        params = {"confirm": "true"}
        return self._json("DELETE", f"/campaigns/{name}/duplicates", RemovedDuplicates, params=params, timeout=600.0)

    def classes(self, name: str) -> ClassList:
        """Classes of each task and the guidelines."""
        return self._json("GET", f"/campaigns/{name}/classes", ClassList)

    def add_class(self, name: str, request: ClassRequest) -> ClassList:
        """Add a class to a task."""
        return self._json("POST", f"/campaigns/{name}/classes", ClassList, body=request)

    def change_class(self, name: str, task: str, label: str, change: dict[str, Any]) -> ClassList:
        """Rename, describe, colour, retire; `change` as `PATCH classes` takes it."""
        path = f"/campaigns/{name}/classes/{quote(task, safe='')}/{quote(label, safe='')}"
        return self._json("PATCH", path, ClassList, body=change)

    def set_guidelines(self, name: str, text: str) -> Guidelines:
        """Replace the guidelines."""
        return self._json("PUT", f"/campaigns/{name}/guidelines", Guidelines, body=Guidelines(text=text))

    def settings(self, name: str) -> CampaignSettings:
        """All settings of a campaign."""
        return self._json("GET", f"/campaigns/{name}/settings", CampaignSettings)

    def change_settings(self, name: str, patch: dict[str, Any]) -> CampaignSettings:
        """Change a part of the settings."""
        return self._json("PATCH", f"/campaigns/{name}/settings", CampaignSettings, body=patch)

    def policy(self, name: str) -> RetrainPolicy:
        """The retrain policy of a campaign."""
        return self._json("GET", f"/campaigns/{name}/policy", RetrainPolicy)

    def policy_preview(self, name: str) -> PolicyPreview:
        """When the next round of a campaign would start by itself, and why."""
        return self._json("GET", f"/campaigns/{name}/policy/preview", PolicyPreview)

    def change_policy(self, name: str, patch: dict[str, Any]) -> RetrainPolicy:
        """Change a part of the retrain policy."""
        return self._json("PATCH", f"/campaigns/{name}/policy", RetrainPolicy, body=patch)

    def reject(self, name: str, version: str, reason: str = "ops") -> CampaignView:
        """Take a version out that does not serve."""
        return self._json("POST", f"/campaigns/{name}/models/{version}/reject", CampaignView, body={"reason": reason})

    def roll_back(self, name: str, reason: str = "ops") -> CampaignView:
        """Let the version serve again that served before."""
        return self._json("POST", f"/campaigns/{name}/models/rollback", CampaignView, body={"reason": reason})

    def shadow(self, name: str) -> ShadowReport:
        """How the challenger in the shadow does."""
        return self._json("GET", f"/campaigns/{name}/models/challenger/shadow", ShadowReport)

    def round_diff(self, name: str, first: int, second: int) -> RoundDiff:
        """What is different between two rounds."""
        return self._json("GET", f"/campaigns/{name}/rounds/{first}/diff/{second}", RoundDiff)

    def round_log(self, name: str, number: int) -> list[str]:
        """The end of what a round's training program wrote."""
        return self._json("GET", f"/campaigns/{name}/rounds/{number}/log", RoundLog).lines

    def full_round_log(self, name: str, number: int) -> bytes:
        """All that a round's training programs wrote."""
        return self._send("GET", f"/campaigns/{name}/rounds/{number}/log.txt").content

    def add_model(self, name: str, file: str, data: bytes, card: bytes, *, ask: bool = False) -> RoundView:
        """Add a model from elsewhere, by the name and bytes of its ONNX file and the JSON of its card."""
        sent = {"model": (file, data), "card": ("card.json", card)}
        params = {"name": file, "ask": str(ask).lower()}
        path = f"/campaigns/{name}/models"
        return self._json("POST", path, RoundView, files=sent, params=params, timeout=3600.0)

    def pin(self, name: str, version: str, *, pinned: bool = True) -> ModelVersion:
        """Keep the files of a version for good, or let them go as others."""
        return self._json("PUT" if pinned else "DELETE", f"/campaigns/{name}/models/{version}/pin", ModelVersion)

    def prune(self, name: str, *, dry_run: bool = False) -> PruneReport:
        """Remove what the policy does not keep, or say what would go."""
        return self._json("GET" if dry_run else "POST", f"/campaigns/{name}/pruning", PruneReport)

    def webhooks(self) -> list[WebhookView]:
        """All webhooks."""
        return self._json("GET", "/webhooks", list[WebhookView])

    def add_webhook(self, body: dict[str, Any]) -> NewWebhook:
        """Make a webhook; `body` as `POST /webhooks` takes it."""
        return self._json("POST", "/webhooks", NewWebhook, body=body)

    def remove_webhook(self, webhook_id: int) -> None:
        """Remove a webhook with its deliveries."""
        self._send("DELETE", f"/webhooks/{webhook_id}")

    def test_webhook(self, webhook_id: int) -> Delivery:
        """Queue an event of the kind `webhook.test`."""
        return self._json("POST", f"/webhooks/{webhook_id}/test", Delivery)

    def rotate_webhook(self, webhook_id: int, overlap_hours: float) -> NewSecret:
        """Add a secret; older ones sign as well for some hours."""
        body = {"overlap_hours": overlap_hours}
        return self._json("POST", f"/webhooks/{webhook_id}/rotate", NewSecret, body=body)

    def deliveries(self, webhook_id: int, state: DeliveryState | None = None, *, limit: int = 100) -> DeliveryPage:
        """The newest deliveries of a webhook."""
        params = {"limit": limit} if state is None else {"limit": limit, "state": state}
        return self._json("GET", f"/webhooks/{webhook_id}/deliveries", DeliveryPage, params=params)

    def every_delivery(self, webhook_id: int, state: DeliveryState | None = None) -> Iterator[Delivery]:
        """All deliveries of a webhook, newest first, page by page."""
        path = f"/webhooks/{webhook_id}/deliveries"
        return self._every(path, DeliveryPage, lambda page: page.deliveries, 1000, {"state": state})

    def delivery(self, webhook_id: int, delivery_id: int) -> Delivery:
        """One delivery."""
        return self._json("GET", f"/webhooks/{webhook_id}/deliveries/{delivery_id}", Delivery)

    def redeliver(self, webhook_id: int, delivery_id: int) -> Delivery:
        """Try a delivery that ended again."""
        return self._json("POST", f"/webhooks/{webhook_id}/deliveries/{delivery_id}/redeliver", Delivery)

    def redeliver_dead(self, webhook_id: int) -> int:
        """Try everything again that was given up for a webhook; returns how many that are."""
        return self._json("POST", f"/webhooks/{webhook_id}/redeliver", Redelivered).redelivered

    def round_report(self, name: str, number: int) -> RoundReport:
        """What a round's model is worth on the test reserve."""
        return self._json("GET", f"/campaigns/{name}/rounds/{number}/report", RoundReport, timeout=600.0)

    def round_report_page(self, name: str, number: int) -> bytes:
        """The same as one HTML file."""
        return self._send("GET", f"/campaigns/{name}/rounds/{number}/report.html", timeout=600.0).content

    def model_lineage(self, name: str, version: str) -> VersionLineage:
        """Where a version comes from."""
        return self._json("GET", f"/campaigns/{name}/models/{quote(version, safe='')}/lineage", VersionLineage)

    def label_lineage(self, name: str, label_id: int) -> LabelLineage:
        """Which rounds a label went into."""
        return self._json("GET", f"/campaigns/{name}/labels/{label_id}/lineage", LabelLineage)

    def reproduce_round(self, name: str, number: int, tolerance: float) -> ReproductionView:
        """Train a round again."""
        body = {"tolerance": tolerance}
        return self._json("POST", f"/campaigns/{name}/rounds/{number}/reproduction", ReproductionView, body=body)

    def reproduction(self, name: str, number: int) -> ReproductionView:
        """The newest reproduction of a round."""
        return self._json("GET", f"/campaigns/{name}/rounds/{number}/reproduction", ReproductionView)

    def cancel_reproduction(self, name: str, number: int) -> ReproductionView:
        """Stop the newest reproduction of a round."""
        return self._json("POST", f"/campaigns/{name}/rounds/{number}/reproduction/cancel", ReproductionView)

    def start_comparison(self, name: str, request: ComparisonRequest) -> ComparisonView:
        """Compare one model for each task with one for all."""
        body = msgspec.to_builtins(request)
        return self._json("POST", f"/campaigns/{name}/comparisons", ComparisonView, body=body)

    def comparison(self, name: str, number: int) -> ComparisonView:
        """One comparison."""
        return self._json("GET", f"/campaigns/{name}/comparisons/{number}", ComparisonView)

    def cancel_comparison(self, name: str, number: int) -> ComparisonView:
        """Stop a comparison."""
        return self._json("POST", f"/campaigns/{name}/comparisons/{number}/cancel", ComparisonView)

    def comparison_page(self, name: str, number: int) -> bytes:
        """A finished comparison as one HTML file."""
        return self._send("GET", f"/campaigns/{name}/comparisons/{number}/report.html", timeout=600.0).content

    def comparison_plot(self, name: str, number: int) -> bytes:
        """The PNG of a finished comparison."""
        return self._send("GET", f"/campaigns/{name}/comparisons/{number}/plot.png", timeout=600.0).content

    def model_card_page(self, name: str, version: str, kind: Literal["html", "md"]) -> bytes:
        """The card of a version for people, as HTML or Markdown."""
        return self._send("GET", f"/campaigns/{name}/models/{version}/card.{kind}", timeout=600.0).content
