"""The card of a model version for people: HTML that opens without a network, or Markdown. For operators alone.

Annotators must not learn which places are the test reserve, which figures by place would tell.
"""

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import FromPath

from al_loop.domain.campaigns import Campaign
from al_loop.domain.version_cards import VersionCard
from al_loop.loop import Loop
from al_loop.training.cards.card_page import version_card
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS
from service.report.card import card_html, card_markdown
from service.routes.reports import report_policy


class ModelCardController(Controller):
    """`/campaigns/{campaign}/models/{version}/card.html` and `card.md`."""

    path = "/campaigns/{campaign:str}/models/{version:str}"
    tags = ("models",)
    dependencies = TARGET
    guards = (requires("ops"),)
    opt = {LANE: OPERATIONS}  # noqa: RUF012  # Litestar declares it without ClassVar

    @get(
        "/card.html",
        operation_id="getModelCardPage",
        sync_to_thread=True,
        media_type="text/html",
        responses=problems(401, 403, 404, 409),
    )
    def page(
        self, version: FromPath[str], target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> Response[str]:
        """What a stranger needs to know of a version, as one HTML file: it has no script and names no other file.

        Bands, values and normalisation, ground sampling distance, a map of the training images, metrics by class and
        place with intervals, calibration, limits, licence of the weights, and where it comes from.
        """
        headers = {"Content-Security-Policy": report_policy(), "Cache-Control": "no-store"}
        return Response(card_html(self._card(loop, target, version)), media_type="text/html", headers=headers)

    @get(
        "/card.md",
        operation_id="getModelCardMarkdown",
        sync_to_thread=True,
        media_type="text/markdown",
        responses=problems(401, 403, 404, 409),
    )
    def markdown(
        self, version: FromPath[str], target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> Response[str]:
        """The same as Markdown; the map is told by its extent."""
        return Response(card_markdown(self._card(loop, target, version)), media_type="text/markdown")

    def _card(self, loop: Loop, target: Campaign, version: str) -> VersionCard:
        return version_card(loop.store, loop.layout, target, loop.server.resolve(target, version))
