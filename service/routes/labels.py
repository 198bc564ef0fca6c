"""Labels: record, retract, list now or as of a time, history, export."""

from typing import Annotated, Any, Literal

import msgspec
from litestar import Controller, Request, delete, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter
from litestar.response import Stream

from al_loop.campaigns.exporting import FILE_ENDINGS, MEDIA_TYPES, DataSetOptions, ExportFormat
from al_loop.campaigns.exporting.campaign import export_campaign
from al_loop.campaigns.exporting.dataset_readme import Attribution, Line
from al_loop.campaigns.labelling import record_counted, touched_notices, width_notices
from al_loop.client.answers import LabelPage, RecordedLabels
from al_loop.domain.campaigns import Campaign
from al_loop.domain.imports import ImportCounts
from al_loop.domain.labels import GOLD_STANDARD_ANNOTATOR, MOST_LABELS, Label, LabelInput
from al_loop.loop import Loop
from service.access.tokens import identity_of, is_operator, person_of, requires
from service.cursors import read_cursor, write_cursor
from service.dependencies import TARGET, IdempotencyKey, request_key
from service.errors import problems
from service.limits.lanes import EXPORTS, LANE
from service.openapi.examples import BOX_LABEL, CLASS_LABEL, POLYGON_LABEL, json_body
from service.requests.parameters import Annotator, AnyAnnotator, Moment, PathId, read_moment

LABELS = {
    "classes": CLASS_LABEL,
    "polygons": POLYGON_LABEL,
    "boxes": BOX_LABEL,
    "several": [CLASS_LABEL, POLYGON_LABEL],
}


LabelList = Annotated[list[LabelInput], msgspec.Meta(max_length=MOST_LABELS)]


class LabelController(Controller):
    """`/campaigns/{campaign}/labels`."""

    path = "/campaigns/{campaign:str}"
    tags = ("labels",)
    dependencies = TARGET
    guards = (requires("annotate"),)

    @post(
        "/labels",
        operation_id="recordLabels",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415, 429),
    )
    def record(
        self,
        data: Annotated[LabelInput | LabelList, json_body(**LABELS)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        request: Request[Any, Any, Any],
        key: IdempotencyKey = None,
    ) -> RecordedLabels:
        """Record one label or many: all or nothing. Earlier labels of the same annotator stay in the history.

        A label is the complete answer for one sample, task and annotator; empty `classes` or `features` means "looked,
        none here"; for a single-label task empty `classes` mean "none of these". It is on disk when this answers.
        Labels of `source` `import` are stored where they are new, and count where no person answered; `imported` says
        what became of them. Send an `Idempotency-Key` to be able to send the request again when no answer came.
        """
        inputs, at = (data, [f"$[{row}]" for row in range(len(data))]) if isinstance(data, list) else ([data], ["$"])
        request.app.state.label_rate.take(_client(request), len(inputs))
        annotators = "\n".join(sorted({entry.annotator for entry in inputs}))
        named = request_key(key, loop, target, annotators, "label", inputs)

        counts: list[ImportCounts | None] = []
        notices: list[str] = []

        def record() -> list[int]:
            appended = record_counted(loop.store, target, inputs, loop.clock(), at=at, request=named)
            counts.append(appended.imported)
            notices.extend([*touched_notices(appended.labels), *width_notices(appended.labels)])
            return [label.label_id for label in appended.labels]

        label_ids = loop.store.requests.once(named, list[int], record)
        return RecordedLabels(label_ids=label_ids, imported=counts[0] if counts else None, notices=notices)

    @get("/labels", operation_id="listLabels", sync_to_thread=True, responses=problems(400, 401, 403, 404))
    def page(
        self,
        request: Request[Any, Any, Any],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        as_of: Moment = None,
        limit: Annotated[int, QueryParameter(ge=1, le=10_000)] = 1000,
        cursor: FromQuery[str | None] = None,
        annotator: AnyAnnotator = None,
        search: Annotated[str, QueryParameter(max_length=500)] = "",
        order: FromQuery[Literal["oldest", "newest"]] = "oldest",
    ) -> LabelPage:
        """The current labels, or those that were current at `as_of` (RFC 3339 with a time zone).

        `annotator`: only labels of this one; `search`: only samples with this part in their path, capitals or not;
        `order=newest`: the last label first, as for the history of an annotator. The known answers of gold-standard
        samples, which are labels of the annotator `golden`, are for operators, and so is what others answered to these.
        """
        labels = loop.store.labels.current(
            target.campaign_id,
            as_of=read_moment("as_of", as_of),
            limit=limit,
            after=read_cursor(cursor),
            annotator=annotator and loop.store.annotators.known_spelling(annotator),
            search=search,
            newest_first=order == "newest",
            gold_standard=is_operator(request),
            person=person_of(request),
        )
        return LabelPage(labels=labels, next_cursor=write_cursor([label.label_id for label in labels], limit))

    @get(
        "/samples/{sample_id:int}/labels",
        operation_id="getLabelHistory",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def history(
        self,
        sample_id: PathId,
        request: Request[Any, Any, Any],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> list[Label]:
        """Every label event of one sample, oldest first, retractions included; known answers only for operators."""
        loop.store.samples.get(target.campaign_id, sample_id)
        events = loop.store.labels.history(target.campaign_id, sample_id)
        if is_operator(request):
            return events
        person, path = person_of(request), loop.store.samples.get(target.campaign_id, sample_id).path
        alone = person if path in target.settings.query.golden else None
        return [
            event for event in events if event.annotator != GOLD_STANDARD_ANNOTATOR and alone in (None, event.annotator)
        ]

    @delete(
        "/labels/{label_id:int}",
        operation_id="retractLabel",
        status_code=200,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409),
    )
    def retract(
        self,
        label_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        annotator: Annotator,
        key: IdempotencyKey = None,
    ) -> Label:
        """Withdraw a label. The event is added to the history; nothing is erased."""
        annotator = loop.store.annotators.known_spelling(annotator)
        request = request_key(key, loop, target, annotator, "retract", label_id)
        return loop.store.requests.once(
            request,
            Label,
            lambda: loop.store.labels.retract(
                target.campaign_id, label_id, annotator=annotator, now=loop.clock(), request=request
            ),
        )

    @get(
        "/export",
        operation_id="exportLabels",
        opt={LANE: EXPORTS},
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def export(
        self,
        request: Request[Any, Any, Any],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        export_format: Annotated[ExportFormat, QueryParameter(name="format")],
        task: Annotated[
            list[Line] | None,
            QueryParameter(
                max_items=10, description="Only the answers to a task; several times for more. All if left out."
            ),
        ] = None,
        images: Annotated[
            Literal["reference", "copy"],
            QueryParameter(
                description="Of `stac` and `eotdl`: whether images are in the zip, or named by their paths."
            ),
        ] = "reference",
        author: Annotated[
            list[Line] | None,
            QueryParameter(max_items=100, description="Of `eotdl`: an author; several times for more."),
        ] = None,
        licence: Annotated[
            Line, QueryParameter(description="Of `stac` and `eotdl`: SPDX identifier of the licence, or `other`.")
        ] = "other",
        source: Annotated[
            Line | None, QueryParameter(description="Of `eotdl`: address with http that the images are from.")
        ] = None,
    ) -> Stream:
        """The current labels as a SCANEO folder (zip), one GeoJSON FeatureCollection, or Parquet.

        Boxes of a detection task also as one COCO file, or as YOLO text files (zip). `cvat` and `label-studio` are a
        zip of one file of annotations, with classes of images, and boxes or outlines: those of the first such task of
        the campaign, or of the one that `task` names. `stac` and `eotdl` are a zip with
        a STAC catalogue: an item an image, whose file is named by its path on this machine (`images=reference`) or
        copied into the zip, and an item an answer, with the Label extension. `eotdl` adds the README that its client
        asks for, with `author`, `licence` (SPDX identifier) and `source` (address that the images are from). Known
        answers of gold-standard samples are in it for operators only.
        """
        name = target.name + FILE_ENDINGS[export_format]
        said = Attribution(authors=tuple(author or ()), licence=licence, source=source)
        options = DataSetOptions(copy_images=images == "copy", said=said)
        return Stream(
            export_campaign(
                loop.store,
                target,
                export_format,
                options,
                tasks=task,
                gold_standard=is_operator(request),
                person=person_of(request),
            ),
            media_type=MEDIA_TYPES[export_format],
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )


def _client(request: Request[Any, Any, Any]) -> str:
    """Whose labels are counted together: the person of the token, or the address."""
    identity = identity_of(request)
    if identity is not None and identity.name is not None:
        return f"person {identity.name}"
    return f"address {request.client.host if request.client else ''}"
