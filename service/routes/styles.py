"""Styles of QGIS with the colours of a campaign."""

from typing import Annotated

from litestar import Controller, Response, get
from litestar.di import NamedDependency
from litestar.params import PathParameter, QueryParameter

from al_loop.domain.campaigns import Campaign
from al_loop.serving.exporting.styles import StyleOf, campaign_style
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems


class StyleController(Controller):
    """`/campaigns/{campaign}/styles`."""

    path = "/campaigns/{campaign:str}/styles"
    tags = ("pictures",)
    dependencies = TARGET
    guards = (requires("annotate"),)

    @get(
        "/{what:str}",
        operation_id="getStyle",
        sync_to_thread=True,
        media_type="application/xml",
        responses=problems(400, 401, 403, 404),
    )
    def show(
        self,
        what: Annotated[
            StyleOf,
            PathParameter(
                description="`labels` of the GeoJSON export, `areas` of a predicted scene, a `mask`, `uncertainty` as "
                "a map, or `regions` of `uncertainty.geojson`."
            ),
        ],
        target: NamedDependency[Campaign],
        task: Annotated[
            str | None,
            QueryParameter(description="Of `mask`, `uncertainty` and `regions`: the task; the first if left out."),
        ] = None,
    ) -> Response[str]:
        """A style of QGIS (`.qml`) with the colours of the classes; it is taken from beside a file of the same name."""
        return Response(campaign_style(target, what, task), media_type="application/xml; charset=utf-8")
