"""Samples: register rasters, page through them, look at one."""

from typing import Annotated, Any

import msgspec
from litestar import Controller, Request, Response, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from al_loop.campaigns.register import register_paths, register_scan
from al_loop.client.answers import SamplePage
from al_loop.domain.campaigns import Campaign, RegistrationReport
from al_loop.domain.labels import GOLD_STANDARD_ANNOTATOR
from al_loop.domain.samples import SampleState
from al_loop.errors import InvalidValueError
from al_loop.loop import Loop
from service.access.tokens import is_operator, person_of, requires
from service.cursors import read_cursor, write_cursor
from service.dependencies import TARGET
from service.errors import problems
from service.limits.lanes import LANE, OPERATIONS, SCENES
from service.openapi.examples import SAMPLES_BY_PATH, SAMPLES_BY_SCAN, json_body
from service.requests.parameters import AnyAnnotator, MaxSide, PathId
from service.schemas import SamplesRequest


class SampleController(Controller):
    """`/campaigns/{campaign}/samples`."""

    path = "/campaigns/{campaign:str}/samples"
    tags = ("samples",)
    dependencies = TARGET

    @post(
        operation_id="registerSamples",
        opt={LANE: OPERATIONS},
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415),
    )
    def register(
        self,
        data: Annotated[SamplesRequest, json_body(by_path=SAMPLES_BY_PATH, all_below_the_root=SAMPLES_BY_SCAN)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> RegistrationReport:
        """Register rasters as samples; only headers are read. Files that cannot be used are skipped with the reason.

        A scan registers what is new. Files that were registered before are counted as `known`; files that were taken
        out of the campaign are counted as `removed`, and naming them in `paths` registers them again. Rasters that are
        larger than a window are cut into windows, each a sample, where `windows` or the campaign's settings say so.
        """
        if data.scan == (data.paths is not None):
            raise InvalidValueError("$.paths", "send either `paths` or `scan` true")
        if data.paths is None:
            return register_scan(loop.store, target, loop.clock(), data.windows)
        return register_paths(loop.store, target, data.paths, loop.clock(), data.windows)

    @get(
        operation_id="listSamples",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404),
    )
    def page(
        self,
        request: Request[Any, Any, Any],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        sample_state: Annotated[SampleState | None, QueryParameter(name="state")] = None,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
        cursor: FromQuery[str | None] = None,
        annotator: AnyAnnotator = None,
        search: Annotated[str, QueryParameter(max_length=500)] = "",
        labelled_by: AnyAnnotator = None,
    ) -> SamplePage:
        """A page of samples, by id.

        `search`: a part of the path, capitals or not; `labelled_by`: samples with a current label of this annotator.
        With `annotator`, and for all but operators, samples of the test reserve have the state that others have,
        gold-standard samples have the state in which `annotator` or the person of the token left them, and `score` is
        null.
        """
        told = annotator is None and is_operator(request)
        if sample_state == "reserve" and not told:
            raise InvalidValueError("state", "which samples belong to the test reserve is told to operators only")
        labelled_by = labelled_by and loop.store.annotators.known_spelling(labelled_by)
        if labelled_by == GOLD_STANDARD_ANNOTATOR and not told:
            raise InvalidValueError("labelled_by", "which samples have a known answer is told to operators only")
        samples = loop.store.samples.page(
            target.campaign_id,
            state=sample_state,
            limit=limit,
            after=read_cursor(cursor),
            version=target.current_version,
            now=loop.clock(),
            search=search,
            labelled_by=labelled_by,
            tell_reserve=told,
            person=loop.store.annotators.known_spelling(annotator) if annotator else person_of(request),
        )
        if not told:
            samples = [msgspec.structs.replace(entry, score=None) for entry in samples]
        return SamplePage(samples=samples, next_cursor=write_cursor([entry.sample_id for entry in samples], limit))

    @delete(
        "/{sample_id:int}",
        operation_id="removeSample",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409),
    )
    def remove(
        self,
        sample_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        confirm: FromQuery[bool] = False,
    ) -> None:
        """Take a sample out of the campaign with its labels and their history; `confirm` must be true. Its file stays.

        A scan leaves the file out from now on; registering it by its path brings it back, without labels.
        """
        sample = loop.store.samples.get(target.campaign_id, sample_id)
        if not confirm:
            raise InvalidValueError(
                "confirm", f"{sample.path} and its labels would be gone; repeat the request with ?confirm=true to do it"
            )
        loop.remove_sample(target, sample_id)

    @get(
        "/{sample_id:int}/uncertainty.tif",
        operation_id="getUncertaintyRaster",
        opt={LANE: SCENES},
        sync_to_thread=True,
        media_type="image/tiff",
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 409, 415, 422),
    )
    def uncertainty_raster(
        self,
        request: Request[Any, Any, Any],
        sample_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        max_side: MaxSide = None,
    ) -> Stream:
        """Where the serving model is unsure: a float32 cloud-optimised GeoTIFF in the image's CRS and size, in nats.

        Segmentation: the predictive entropy of each pixel. Classification only: how far the predictive entropy of the
        image moves when a part of it is hidden. NaN = nodata.

        A scene of 10,000 px takes minutes. With `max_side` (px), the model sees a larger image reduced by a whole
        factor to at most that, which the tag `REDUCTION` and the description say: small uncertain areas are then
        missing.
        """
        if not is_operator(request):
            loop.predictions.unaided.check(target, sample_id)
        return Stream(loop.uncertainty.raster(target, sample_id, max_side), media_type="image/tiff")

    @get(
        "/{sample_id:int}/uncertainty.geojson",
        operation_id="getUncertaintyRegions",
        opt={LANE: SCENES},
        sync_to_thread=True,
        media_type="application/geo+json",
        guards=[requires("annotate")],
        responses=problems(400, 401, 403, 404, 409, 415, 422),
    )
    def uncertainty_regions(
        self,
        request: Request[Any, Any, Any],
        sample_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        max_side: MaxSide = None,
    ) -> Response[bytes]:
        """The most uncertain regions as ranked polygons in EPSG:4326 (pixels, if the image has no CRS).

        `max_side` as for the raster.
        """
        if not is_operator(request):
            loop.predictions.unaided.check(target, sample_id)
        body = loop.uncertainty.regions(target, sample_id, max_side)
        return Response(body, media_type="application/geo+json")
