"""Typed client of the HTTP interface: a method for each route that annotators and programs use.

`asynchronous/http.py` is written from this file by `make async-client`.
"""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import httpx

from al_loop.client.answers import (
    CampaignView,
    CommentPage,
    LabelPage,
    LearningCurve,
    LeaseList,
    ModelList,
    NoBatch,
    PretrainingList,
    PretrainingView,
    RecordedLabels,
    Released,
    RestoredSamples,
    RoundList,
    RoundView,
    SamplePage,
    SkippedSamples,
    WhoAmI,
)
from al_loop.client.events import resumed
from al_loop.client.exchange import page_parameters
from al_loop.client.transport import Transport
from al_loop.domain.campaigns import CampaignRequest, CampaignSettings, RegistrationReport, WindowSettings
from al_loop.domain.labels import Comment, Label, LabelInput
from al_loop.domain.quality import AgreementReport, AssistReport, RelabelList, Savings
from al_loop.domain.queries import POINTS_ASKED, ExplainedQuery, HeldLease, QueryAnswer, QueryUnit, Renewal
from al_loop.domain.retraining import RetrainPolicy
from al_loop.domain.rounds import AnnotatorProgress, Pretraining
from al_loop.domain.samples import SampleView
from al_loop.domain.scaneo_links import BatchView, BoxReport, LinkStatus, OfferedBox, SuggestedBoxes
from al_loop_records.model_card import ModelCard
from al_loop_records.runs import ProgressLine

if TYPE_CHECKING:
    from al_loop.querying.strategies import StrategyConfig  # loads numpy


class Client(Transport):
    """Calls one service. Give it an `httpx.Client` (such as a test client) or the address of a running service."""

    def whoami(self) -> WhoAmI:
        """Whom the service takes this client for."""
        return self._json("GET", "/whoami", WhoAmI)

    def create_campaign(self, request: CampaignRequest) -> CampaignView:
        """Create a campaign."""
        return self._json("POST", "/campaigns", CampaignView, body=request)

    def campaigns(self) -> list[CampaignView]:
        """All campaigns."""
        return self._json("GET", "/campaigns", list[CampaignView])

    def campaign(self, name: str) -> CampaignView:
        """One campaign."""
        return self._json("GET", f"/campaigns/{name}", CampaignView)

    def set_policy(self, name: str, policy: RetrainPolicy) -> RetrainPolicy:
        """Replace the retrain policy."""
        return self._json("PUT", f"/campaigns/{name}/policy", RetrainPolicy, body=policy)

    def set_settings(self, name: str, settings: CampaignSettings) -> CampaignSettings:
        """Replace the settings."""
        return self._json("PUT", f"/campaigns/{name}/settings", CampaignSettings, body=settings)

    def assists(self, name: str) -> AssistReport:
        """What became of suggestions."""
        return self._json("GET", f"/campaigns/{name}/assists", AssistReport)

    def agreement(self, name: str) -> AgreementReport:
        """How far annotators agree."""
        return self._json("GET", f"/campaigns/{name}/agreement", AgreementReport)

    def register(
        self, name: str, paths: Sequence[str] | None = None, *, windows: WindowSettings | None = None
    ) -> RegistrationReport:
        """Register the named rasters, or all below the root; `windows` None: cut as the campaign's settings say."""
        body: dict[str, Any] = {"scan": True} if paths is None else {"paths": list(paths)}
        if windows is not None:
            body["windows"] = windows
        return self._json("POST", f"/campaigns/{name}/samples", RegistrationReport, body=body, timeout=3600.0)

    def samples(self, name: str, *, limit: int = 100, cursor: str | None = None, **filters: str) -> SamplePage:
        """A page of samples."""
        return self._json(
            "GET", f"/campaigns/{name}/samples", SamplePage, params=page_parameters(filters, limit, cursor)
        )

    def every_sample(self, name: str, **filters: str) -> Iterator[SampleView]:
        """All samples, page by page."""
        return self._every(f"/campaigns/{name}/samples", SamplePage, lambda page: page.samples, 1000, filters)

    def labels(self, name: str, *, limit: int = 1000, cursor: str | None = None, **filters: str) -> LabelPage:
        """A page of current labels; `filters` as `GET /campaigns/{campaign}/labels` takes them."""
        return self._json("GET", f"/campaigns/{name}/labels", LabelPage, params=page_parameters(filters, limit, cursor))

    def every_label(self, name: str, **filters: str) -> Iterator[Label]:
        """All current labels, page by page."""
        return self._every(f"/campaigns/{name}/labels", LabelPage, lambda page: page.labels, 1000, filters)

    def every_comment(self, name: str, *, flagged: bool = False) -> Iterator[Comment]:
        """All comments, newest first, page by page; `flagged`: open ones that ask somebody to look."""
        filters = {"flagged": str(flagged).lower()}
        return self._every(f"/campaigns/{name}/comments", CommentPage, lambda page: page.comments, 1000, filters)

    def query(
        self, name: str, annotator: str, query_size: int, strategy: "StrategyConfig | None" = None,
        *, unit: QueryUnit | None = None, points: int = POINTS_ASKED,
    ) -> QueryAnswer:  # fmt: skip
        """Ask for the samples to label next, or for the points to label of each; `unit` None: as the campaign says."""
        body = {"annotator": annotator, "query_size": query_size, "strategy": strategy, "unit": unit, "points": points}
        return self._json("POST", f"/campaigns/{name}/queries", QueryAnswer, body=body)

    def relabels(self, name: str, *, task: str | None = None, limit: int = 100) -> RelabelList:
        """Label error candidates, the most suspicious first."""
        params = {"limit": limit} | ({} if task is None else {"task": task})
        return self._json("GET", f"/campaigns/{name}/relabels", RelabelList, params=params)

    def query_relabels(self, name: str, annotator: str, query_size: int) -> QueryAnswer:
        """Ask for samples to re-annotate."""
        body = {"annotator": annotator, "query_size": query_size}
        return self._json("POST", f"/campaigns/{name}/relabels/queries", QueryAnswer, body=body)

    def release(self, name: str, annotator: str, sample_ids: Sequence[int] | None = None) -> int:
        """Give leases back unanswered, all of the annotator's or some; returns how many."""
        body = {"annotator": annotator, "sample_ids": sample_ids}
        return self._json("POST", f"/campaigns/{name}/leases/release", Released, body=body).released

    def leases(self, name: str, annotator: str, *, include_ended: bool = False) -> list[HeldLease]:
        """An annotator's active leases, best sample first; with those of the last 12 hours if `include_ended`."""
        params = {"annotator": annotator, "include_ended": include_ended}
        return self._json("GET", f"/campaigns/{name}/leases", LeaseList, params=params).leases

    def extend(self, name: str, annotator: str, sample_ids: Sequence[int] | None = None) -> Renewal:
        """Let leases run on, all of the annotator's or some; named ones are taken up again if they lapsed."""
        body = {"annotator": annotator, "sample_ids": sample_ids}
        return self._json("POST", f"/campaigns/{name}/leases/extend", Renewal, body=body)

    def explain_query(self, name: str, query_id: int) -> ExplainedQuery:
        """Why each sample of a query was chosen; for operators."""
        return self._json("GET", f"/campaigns/{name}/queries/{query_id}", ExplainedQuery)

    def unskip(self, name: str, annotator: str, sample_ids: Sequence[int]) -> int:
        """Take skips back; returns how many samples the annotator has on lease again."""
        body = {"annotator": annotator, "sample_ids": list(sample_ids)}
        return self._json("POST", f"/campaigns/{name}/leases/unskip", RestoredSamples, body=body).restored

    def progress(self, name: str, annotator: str) -> AnnotatorProgress:
        """How a campaign stands for one of its annotators."""
        return self._json("GET", f"/campaigns/{name}/progress", AnnotatorProgress, params={"annotator": annotator})

    def skip(self, name: str, annotator: str, sample_ids: Sequence[int], reason: str = "") -> int:
        """Leave samples to others; returns how many were not skipped before."""
        body = {"annotator": annotator, "sample_ids": sample_ids, "reason": reason}
        return self._json("POST", f"/campaigns/{name}/leases/skip", SkippedSamples, body=body).skipped

    def record_labels(self, name: str, labels: Sequence[LabelInput]) -> list[int]:
        """Record labels, all or nothing; returns their ids."""
        return self.import_labels(name, labels).label_ids

    def import_labels(self, name: str, labels: Sequence[LabelInput]) -> RecordedLabels:
        """Record labels, all or nothing, and say how many of an import were new."""
        return self._json("POST", f"/campaigns/{name}/labels", RecordedLabels, body=list(labels))

    def start_round(self, name: str, *, queue: bool = False, reason: str = "ops") -> RoundView:
        """Start a round."""
        return self._json("POST", f"/campaigns/{name}/rounds", RoundView, body={"queue": queue, "reason": reason})

    def rounds(self, name: str) -> RoundList:
        """All rounds."""
        return self._json("GET", f"/campaigns/{name}/rounds", RoundList)

    def round(self, name: str, number: int) -> RoundView:
        """One round."""
        return self._json("GET", f"/campaigns/{name}/rounds/{number}", RoundView)

    def cancel_round(self, name: str, number: int) -> RoundView:
        """Stop a round."""
        return self._json("POST", f"/campaigns/{name}/rounds/{number}/cancel", RoundView)

    def watch_round(self, name: str, number: int) -> Iterator[RoundView | ProgressLine]:
        """Follow a round by server-sent events until it has ended: each state that it enters, and its progress.

        A connection that breaks, as when the service is restarted, is taken up again where it broke, for a minute.
        """
        for event, data in resumed(lambda seen: self._lines(f"/campaigns/{name}/rounds/{number}/events", seen)):
            if event == "progress":
                yield self._decoded(data, ProgressLine)
            elif event == "state":
                view = self._decoded(data, RoundView)
                yield view
                if view.state.is_end:
                    return

    def start_pretraining(self, name: str, config: dict[str, Any] | None = None) -> PretrainingView:
        """Make an encoder without labels; `config` as far as it differs from `PretrainConfig`."""
        return self._json("POST", f"/campaigns/{name}/pretrainings", PretrainingView, body=config or {})

    def pretrainings(self, name: str) -> list[Pretraining]:
        """All pretrainings."""
        return self._json("GET", f"/campaigns/{name}/pretrainings", PretrainingList).pretrainings

    def pretraining(self, name: str, number: int) -> PretrainingView:
        """One pretraining and its progress."""
        return self._json("GET", f"/campaigns/{name}/pretrainings/{number}", PretrainingView)

    def connect_scaneo(self, name: str, request: dict[str, Any]) -> LinkStatus:
        """Link a campaign to SCANEO; `request` as `PUT /campaigns/{campaign}/scaneo` takes it."""
        return self._json("PUT", f"/campaigns/{name}/scaneo", LinkStatus, body=request, timeout=3600.0)

    def scaneo_link(self, name: str) -> LinkStatus:
        """The link of a campaign."""
        return self._json("GET", f"/campaigns/{name}/scaneo", LinkStatus)

    def disconnect_scaneo(self, name: str, *, force: bool = False) -> None:
        """Undo a link."""
        self._send("DELETE", f"/campaigns/{name}/scaneo", params={"force": str(force).lower()})

    def open_batch(
        self, name: str, annotator: str, query_size: int, *, unit: QueryUnit = "image", points: int = POINTS_ASKED
    ) -> BatchView | NoBatch:
        """Make a ranked batch for an annotator, of images or of points in them."""
        body = {"annotator": annotator, "query_size": query_size, "unit": unit, "points": points}
        response = self._send("POST", f"/campaigns/{name}/scaneo/batches", json=body)
        kind: type[BatchView] | type[NoBatch] = BatchView if response.status_code == httpx.codes.CREATED else NoBatch
        return self._decoded(response.content, kind)

    def close_batch(self, name: str, number: int) -> BatchView:
        """End a batch."""
        return self._json("POST", f"/campaigns/{name}/scaneo/batches/{number}/close", BatchView)

    def push_boxes(self, name: str, boxes: Sequence[OfferedBox]) -> BoxReport:
        """Offer boxes to annotators."""
        return self._json("POST", f"/campaigns/{name}/scaneo/boxes", BoxReport, body=list(boxes))

    def suggest_boxes(self, name: str, paths: Sequence[str]) -> SuggestedBoxes:
        """Draw what the serving model finds in images of the linked SCANEO."""
        body = {"paths": list(paths)}
        return self._json("POST", f"/campaigns/{name}/scaneo/suggestions", SuggestedBoxes, body=body)

    def models(self, name: str) -> ModelList:
        """All model versions."""
        return self._json("GET", f"/campaigns/{name}/models", ModelList)

    def model_card(self, name: str, version: str) -> ModelCard:
        """The card of one version."""
        return self._json("GET", f"/campaigns/{name}/models/{version}", ModelCard)

    def promote(self, name: str, version: str, reason: str = "ops", *, force: bool = False) -> CampaignView:
        """Make a version the one that serves; one that was rejected needs `force`."""
        path = f"/campaigns/{name}/models/{version}/promote"
        return self._json("POST", path, CampaignView, body={"reason": reason, "force": force})

    def learning_curve(self, name: str) -> LearningCurve:
        """Metric on the reserve against labels spent."""
        return self._json("GET", f"/campaigns/{name}/learning-curve", LearningCurve)

    def savings(self, name: str, task: str | None = None) -> Savings:
        """How many labels the strategy has saved so far, for one task; None: the first that can be answered."""
        params = {} if task is None else {"task": task}
        return self._json("GET", f"/campaigns/{name}/savings", Savings, params=params, timeout=600.0)

    def export(self, name: str, export_format: str) -> bytes:
        """The current labels as a file."""
        params = {"format": export_format}
        return self._send("GET", f"/campaigns/{name}/export", params=params, timeout=3600.0).content

    def thumbnail(self, name: str, sample_id: int, size: int = 256) -> bytes:
        """PNG of a sample."""
        return self._send("GET", f"/campaigns/{name}/samples/{sample_id}/thumbnail.png", params={"size": size}).content

    def uncertainty(self, name: str, sample_id: int) -> bytes:
        """Float32 GeoTIFF of the serving model's uncertainty."""
        return self._send("GET", f"/campaigns/{name}/samples/{sample_id}/uncertainty.tif").content

    def predict(self, name: str, task: str, image: bytes) -> bytes:
        """Body of the answer of a prediction route: JSON or TIFF, by task."""
        path = f"/campaigns/{name}/predictions/{task}"
        headers = {"Accept": "application/json, image/tiff"}
        return self._send("POST", path, files={"image": ("image", image)}, headers=headers).content
