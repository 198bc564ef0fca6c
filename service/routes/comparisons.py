"""Models of one task each beside a joint one: start, look at, cancel, and the page. For operators alone."""

from typing import Annotated

from litestar import Controller, Response, get, post
from litestar.di import NamedDependency
from litestar.params import PathParameter

from al_loop.domain.campaigns import Campaign
from al_loop.domain.comparisons import (
    ComparisonList,
    ComparisonRequest,
    ComparisonResult,
    ComparisonView,
    ModelComparison,
)
from al_loop.errors import ConflictError
from al_loop.loop import Loop
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.openapi.examples import COMPARE, json_body
from service.report.comparison import render_comparison
from service.requests.parameters import LARGEST_ID
from service.routes.reports import report_policy
from service.views import job_view

ComparisonNumber = Annotated[int, PathParameter(ge=0, le=LARGEST_ID, description="Number of the comparison.")]


class ComparisonController(Controller):
    """`/campaigns/{campaign}/comparisons`."""

    path = "/campaigns/{campaign:str}/comparisons"
    tags = ("comparisons",)
    dependencies = TARGET
    guards = (requires("ops"),)
    opt = {LANE: OPERATIONS}  # noqa: RUF012  # Litestar declares it without ClassVar

    @post(
        operation_id="startComparison",
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415, 501),
    )
    def start(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        data: Annotated[ComparisonRequest | None, json_body(three_seeds=COMPARE)] = None,
    ) -> ComparisonView:
        """Train one model for each task and a joint one under the same recipe and seeds, and compare them.

        Quality on the test reserve with paired intervals by place, training time, size, latency and memory. Nothing of
        it is published, and nothing is promoted. It waits while a round runs, and rounds wait for it. 409 where fewer
        than two tasks have labels.
        """
        return self._view(loop, target, loop.comparisons.start(target, data or ComparisonRequest()))

    @get(operation_id="listComparisons", sync_to_thread=True, responses=problems(400, 401, 403, 404))
    def index(self, target: NamedDependency[Campaign], loop: NamedDependency[Loop]) -> ComparisonList:
        """All comparisons, oldest first."""
        return ComparisonList(comparisons=loop.store.comparisons.list(target.campaign_id))

    @get("/{number:int}", operation_id="getComparison", sync_to_thread=True, responses=problems(400, 401, 403, 404))
    def show(
        self, number: ComparisonNumber, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ComparisonView:
        """One comparison: its state, progress while it runs, and what came of it; the log's end if it failed."""
        return self._view(loop, target, loop.store.comparisons.get(target.campaign_id, number))

    @post(
        "/{number:int}/cancel",
        operation_id="cancelComparison",
        status_code=202,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def cancel(
        self, number: ComparisonNumber, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> ComparisonView:
        """Stop a comparison; its process tree ends within seconds, and what it trained is removed."""
        return self._view(loop, target, loop.comparisons.cancel(target, number))

    @get(
        "/{number:int}/report.html",
        operation_id="getComparisonPage",
        sync_to_thread=True,
        media_type="text/html",
        responses=problems(400, 401, 403, 404, 409),
    )
    def page(
        self, number: ComparisonNumber, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> Response[str]:
        """A finished comparison as one HTML file with its picture; it has no script and names no other file."""
        entry, result = self._finished(loop, target, number)
        text = render_comparison(target.name, entry, result, self._drawn(target, entry, result))
        headers = {"Content-Security-Policy": report_policy(), "Cache-Control": "no-store"}
        return Response(text, media_type="text/html", headers=headers)

    @get(
        "/{number:int}/plot.png",
        operation_id="getComparisonPlot",
        sync_to_thread=True,
        media_type="image/png",
        responses=problems(400, 401, 403, 404, 409),
    )
    def plot(
        self, number: ComparisonNumber, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> Response[bytes]:
        """The picture of a finished comparison: differences with intervals, and costs as shares."""
        entry, result = self._finished(loop, target, number)
        return Response(self._drawn(target, entry, result), media_type="image/png")

    def _finished(self, loop: Loop, target: Campaign, number: int) -> tuple[ModelComparison, ComparisonResult]:
        entry = loop.store.comparisons.get(target.campaign_id, number)
        if entry.result is None:
            why = f": {entry.error}" if entry.error else ""
            raise ConflictError(f"comparison {number} has no figures: it is {entry.state}{why}")
        return entry, entry.result

    def _drawn(self, target: Campaign, entry: ModelComparison, result: ComparisonResult) -> bytes:
        from al_loop.training.comparison.plot import comparison_png  # here: drawing takes a second to load

        return comparison_png(result, f"{target.name}, comparison {entry.number}")

    def _view(self, loop: Loop, target: Campaign, entry: ModelComparison) -> ComparisonView:
        return job_view(ComparisonView, loop.comparisons, target, entry)
