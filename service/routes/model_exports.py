"""Model versions as other programs take them. For operators."""

from typing import Annotated, Literal

from litestar import Controller, get
from litestar.di import NamedDependency
from litestar.params import FromPath, QueryParameter
from litestar.response import Stream

from al_loop.campaigns.exporting.dataset_readme import Attribution, Line
from al_loop.domain.campaigns import Campaign
from al_loop.loop import Loop
from al_loop.serving.exporting import MODEL_ENDINGS, MODEL_MEDIA_TYPES, ModelFormat, export_model
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import EXPORTS, LANE


class ModelExportController(Controller):
    """`/campaigns/{campaign}/models/{version}/export`."""

    path = "/campaigns/{campaign:str}/models/{version:str}"
    tags = ("models",)
    dependencies = TARGET
    guards = (requires("ops"),)

    @get(
        "/export",
        operation_id="exportModel",
        opt={LANE: EXPORTS},
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 501),
    )
    def export(
        self,
        version: FromPath[str],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        export_format: Annotated[ModelFormat, QueryParameter(name="format", description="What to write.")],
        task: Annotated[
            str | None,
            QueryParameter(description="Of `deepness`: the task of the graph; the first that it takes if left out."),
        ] = None,
        versions: Annotated[
            Literal["one", "all"],
            QueryParameter(description="Of `stac` and `eotdl`: this version, or all that still have their files."),
        ] = "one",
        author: Annotated[
            list[Line] | None,
            QueryParameter(max_items=100, description="Of `eotdl`: an author; several times for more."),
        ] = None,
        licence: Annotated[
            Line, QueryParameter(description="Of `stac` and `eotdl`: SPDX identifier of the licence, or `other`.")
        ] = "other",
        source: Annotated[
            Line | None, QueryParameter(description="Of `eotdl`: address with http that the model is from.")
        ] = None,
    ) -> Stream:
        """A version as a folder of STAC (MLM extension) or EOTDL, as a zip, or as an ONNX file for QGIS.

        `stac` and `eotdl` hold the ONNX file, its card, an item, and an input with the outputs that the graph answers;
        versions name their predecessors and successors. `deepness` is a graph of one task for the QGIS plugin Deepness
        and for GeoDeep: three-band or other 8-bit images in tiles of one size, with the metadata that they read.
        """
        name = loop.server.resolve(target, version)
        said = Attribution(authors=tuple(author or ()), licence=licence, source=source)
        blocks = export_model(
            loop.store, loop.server.registry(target), target, name, export_format, loop.clock(), task=task,
            every=versions == "all", said=said,
        )  # fmt: skip
        file = f"{target.name}-{name}{MODEL_ENDINGS[export_format]}"
        return Stream(
            blocks,
            media_type=MODEL_MEDIA_TYPES[export_format],
            headers={"Content-Disposition": f'attachment; filename="{file}"'},
        )
