"""What a round's model is worth: figures as JSON, or a page that opens without a network. For operators alone.

Annotators must not learn which samples are the test reserve, which places and mistakes would tell.
"""

import base64
import hashlib
from typing import Annotated

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter

from al_loop.domain.campaigns import Campaign
from al_loop.domain.round_reports import RoundReport
from al_loop.loop import Loop
from al_loop.serving.pictures.mistakes import MistakePictures
from al_loop.training.evaluation.report import round_report
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.report.document import style
from service.report.page import render
from service.requests.parameters import LARGEST_ID

PICTURE_PX = 256

RoundNumber = Annotated[int, PathParameter(ge=0, le=LARGEST_ID, description="Number of the round.")]


class ReportController(Controller):
    """`/campaigns/{campaign}/rounds/{number}/report`."""

    path = "/campaigns/{campaign:str}/rounds/{number:int}"
    tags = ("rounds",)
    dependencies = TARGET
    guards = (requires("ops"),)
    opt = {LANE: OPERATIONS}  # noqa: RUF012  # Litestar declares it without ClassVar

    @get(
        "/report",
        operation_id="getRoundReport",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def report(
        self, number: RoundNumber, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> RoundReport:
        """What a round's model is worth on the test reserve: by class, place and distance to training, with intervals.

        Reliability, confusion matrix, worst mistakes, what leaks from training, and how many labels would decide what
        is undecided. Estimates on chosen labels stand apart, as they are biased. 409 where a round has no report.
        """
        return round_report(loop.store, loop.layout, target, number)

    @get(
        "/report.html",
        operation_id="getRoundReportPage",
        sync_to_thread=True,
        media_type="text/html",
        responses=problems(400, 401, 403, 404, 409),
    )
    def page(
        self, number: RoundNumber, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> Response[str]:
        """The same as one HTML file with pictures of the mistakes; it has no script and names no other file."""
        report = round_report(loop.store, loop.layout, target, number)
        pictures = MistakePictures(loop.store, loop.server, loop.pictures, target, report.version)
        text = render(report, lambda task, mistake: pictures.of(task, mistake.sample_id, PICTURE_PX))
        headers = {"Content-Security-Policy": report_policy(), "Cache-Control": "no-store"}
        return Response(text, media_type="text/html", headers=headers)


def style_source() -> str:
    """The report's stylesheet as policies name it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(style().encode()).digest()).decode()}'"


def report_policy() -> str:
    """Content-Security-Policy of a report: its own style and the pictures in it, nothing else."""
    return f"default-src 'none'; style-src {style_source()}; img-src data:; base-uri 'none'; form-action 'none'"
