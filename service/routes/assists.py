"""Suggestions outside SCANEO: ask for one, take it over as a label, and see how they fare."""

from functools import partial
from typing import Annotated

from litestar import Controller, get, post
from litestar.concurrency import sync_to_thread
from litestar.di import NamedDependency
from litestar.params import FromQuery

from al_loop.client.answers import RecordedLabels, Suggestion
from al_loop.domain.campaigns import Campaign
from al_loop.domain.quality import AssistReport
from al_loop.loop import Loop
from al_loop.quality.suggestion_outcomes import assist_report
from al_loop.serving.suggestions import accept_suggestion
from service.access.audit import TOLD
from service.access.tokens import requires
from service.dependencies import TARGET, IdempotencyKey, request_key
from service.errors import problems
from service.limits.lanes import LANE, PREDICTIONS, small_first
from service.openapi.examples import ACCEPT, SUGGEST, SUGGESTIONS, answer, json_body
from service.requests.parameters import PathId
from service.schemas import AcceptRequest, SuggestRequest
from service.views import suggestion


class AssistController(Controller):
    """`/campaigns/{campaign}/assists` and the suggestions of one sample."""

    path = "/campaigns/{campaign:str}"
    tags = ("suggestions",)
    dependencies = TARGET
    guards = (requires("annotate"),)

    @get("/assists", operation_id="getAssistReport", sync_to_thread=True, responses=problems(401, 403, 404))
    def report(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> AssistReport:
        """What became of suggestions, by model version, annotator and task: accepted, edited, rejected, ignored.

        Where a share of images gets none (`settings.assist.blind_share`), `anchoring` says how much more people agree
        with a suggestion that they see than with one that they do not.
        """
        return assist_report(loop.store, target.campaign_id)

    @post(
        "/samples/{sample_id:int}/suggest",
        operation_id="suggestLabel",
        opt={LANE: PREDICTIONS, TOLD: True},
        status_code=200,
        responses=problems(400, 401, 403, 404, 409, 413, 415, 422, 503) | answer(200, list[Suggestion], SUGGESTIONS),
    )
    async def suggest(
        self,
        data: Annotated[SuggestRequest, json_body(for_one_annotator=SUGGEST)],
        sample_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        regions: FromQuery[bool] = False,
    ) -> list[Suggestion]:
        """Run the serving model on a sample and remember its answer as shown, one suggestion a task.

        Images that get none on purpose answer 409. `regions` adds each mask as polygons in pixels.
        """
        shown = await small_first(partial(loop.predictions.suggest, target, sample_id))
        return await sync_to_thread(lambda: [suggestion(target, entry, regions=regions) for entry in shown])

    @post(
        "/samples/{sample_id:int}/accept",
        operation_id="acceptSuggestion",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def accept(
        self,
        data: Annotated[AcceptRequest, json_body(newest=ACCEPT)],
        sample_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        key: IdempotencyKey = None,
    ) -> RecordedLabels:
        """Record the newest suggestion that was shown for a sample as the annotator's own label.

        It ends the annotator's lease on the sample, as any label does.
        """
        request = request_key(key, loop, target, data.annotator, "accept", (sample_id, data))

        def accept() -> list[int]:
            loop.predictions.unaided.check(target, sample_id)
            loop.predictions.flush()
            labels = accept_suggestion(
                loop.store,
                target,
                sample_id,
                annotator=data.annotator,
                task=data.task,
                prediction_ids=data.prediction_ids,
                now=loop.clock(),
                request=request,
            )
            return [label.label_id for label in labels]

        return RecordedLabels(label_ids=loop.store.requests.once(request, list[int], accept))
