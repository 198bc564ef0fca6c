"""`al-loop import`."""

import hashlib
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from al_loop.client.errors import ServiceError
from al_loop.domain.campaigns import CampaignRequest, TaskRequest
from al_loop.domain.imports import ImportCounts
from al_loop.domain.labels import IMPORT_ANNOTATOR, LabelInput, LabelSource
from al_loop.domain.retraining import RetrainPolicy
from al_loop.domain.samples import SkippedPath
from al_loop.errors import InvalidValueError
from service.commands.import_fitting import fit_into
from service.commands.import_over import (
    OverlayOptions,
    make_plan,
    print_overlay_plan,
    print_overlay_report,
    record_plan,
)
from service.commands.import_report import ImportReport, print_plan, print_report, print_skipped
from service.commands.options import (
    DEFAULT_URL,
    Quiet,
    Service,
    Token,
    connect,
)
from service.commands.output import ExitCode, console, counted, exit_for

if TYPE_CHECKING:
    from al_loop.campaigns.importing import ImportPlan
    from al_loop.client.http import Client
    from al_loop.client.operators import OperatorClient

__all__ = ["print_skipped"]

T = TypeVar("T")
Layout = Literal[
    "scaneo", "class-folders", "masks", "coco", "yolo", "voc", "cvat", "label-studio", "table", "stac", "eotdl"
]
PATHS_A_REQUEST = 500
LABELS_A_REQUEST = 200
LABEL_BYTES_A_REQUEST = 8_000_000
"""The outlines of one large mask take megabytes."""
REFUSED = {400, 409, 413, 422}
"""Answers that lie in the labels that were sent."""
NOTHING_LEFT = (
    "every image has a label, so there is nothing to ask for; put more images into the folder and run al-loop add, or "
    "import it under another name with --without-labels 0.7"
)


def run(
    directory: Annotated[
        Path,
        typer.Argument(
            help="Labelled folder, see `al-loop import` in the documentation; with --over .geojson, .gpkg or .shp."
        ),
    ],
    campaign: Annotated[
        str | None, typer.Option(help="Name of the campaign, which is created if there is none.")
    ] = None,
    over: Annotated[
        str | None,
        typer.Option(help="Campaign that lines and areas of another data set are laid over, by place.", metavar="NAME"),
    ] = None,
    named: Annotated[
        str | None, typer.Option("--class", help="With --over: class of all features; else each says its own.")
    ] = None,
    width: Annotated[
        float | None,
        typer.Option(help="With --over: metres of width of the lines that say none; else by the campaign's settings."),
    ] = None,
    crs: Annotated[
        str | None, typer.Option(help="With --over: CRS of the file, such as EPSG:25831, where it does not say it.")
    ] = None,
    layer: Annotated[str | None, typer.Option(help="With --over: layer of a GeoPackage that has several.")] = None,
    class_column: Annotated[
        str | None,
        typer.Option(help="With --over: property or column that names the class; else `label` or `class`."),
    ] = None,
    empty: Annotated[
        bool,
        typer.Option("--empty", help="With --over: label images inside the data's extent without any of it as empty."),
    ] = False,
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images, if a SCANEO export or a STAC catalogue lies elsewhere.")
    ] = None,
    layout: Annotated[
        Layout | None, typer.Option(help="What the folder is, where that cannot be told for sure.")
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(help="What the labels are wanted for, where a folder holds several things; `detection`: boxes."),
    ] = None,
    classes: Annotated[
        list[str] | None,
        typer.Option(
            "--classes",
            help="Names of the codes of masks, or of YOLO's classes, in order; one name for masks of 0 and 255.",
            metavar="A,B,..",
        ),
    ] = None,
    add_classes: Annotated[
        bool, typer.Option("--add-classes", help="Add classes that the campaign does not have yet.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Let the folder's labels count instead of what people answered.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be imported; create nothing.")] = False,
    annotator: Annotated[str, typer.Option(help="Name that the labels are recorded under.")] = IMPORT_ANNOTATOR,
    without_labels: Annotated[
        float,
        typer.Option(
            help="Share of the images, 0 to 1, whose labels are kept back, so that there is something to label.",
            min=0.0,
            max=1.0,
        ),
    ] = 0.0,
    quiet: Quiet = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> ExitCode:
    """Create a campaign from a labelled folder, or add one to a campaign.

    Says what was skipped and why. Running it again registers and records what is missing or has changed; what people
    answered goes before it.

    With --over, lines and areas of another data set become labels of the images of a campaign that they lie in.
    """
    source: LabelSource = "overwrite" if overwrite else "import"
    if over is not None:
        if campaign is not None:
            raise InvalidValueError("--campaign", "the images are those of --over; say one of the two")
        options = OverlayOptions(
            file=directory, campaign=over, named=named, width_m=width, crs=crs, layer=layer, class_column=class_column,
            empty=empty, annotator=annotator, source=source,
        )  # fmt: skip
        return _lay_over(options, dry_run=dry_run, quiet=quiet, service=service, token=token)
    if campaign is None:
        raise InvalidValueError("--campaign", "say the name of the campaign, or --over a campaign that exists")
    if empty or any(given is not None for given in (named, width, crs, layer, class_column)):
        raise InvalidValueError("--over", "--class, --class-column, --layer, --width, --crs and --empty go with --over")
    from al_loop.campaigns.importing import plan_import  # here: it loads rasterio

    out = console(stderr=True)
    names = (
        None if classes is None else [name for part in classes for entry in part.split(",") if (name := entry.strip())]
    )
    shown = console(stderr=True, quiet=quiet)
    with progress_bars(shown) as progress:
        planning = progress.add_task("reading the folder", total=None)
        plan = plan_import(
            directory,
            images=images,
            layout="mask-pairs" if layout == "masks" else layout,
            classes=names,
            task=task,
            report=lambda what, done, total: progress.update(planning, description=what, completed=done, total=total),
        )
        progress.remove_task(planning)
    if dry_run:
        print_plan(plan)
        return exit_for(1, len(plan.problems))
    with connect(service, token) as client, progress_bars(shown) as progress:
        report = import_plan(
            client, plan, campaign, annotator, progress, withheld=without_labels, source=source, add_classes=add_classes
        )
        gone = report.created and report.came_to_nothing
        view = None if gone else client.campaign(campaign)
    print_report(out, campaign, plan, report)
    if without_labels:
        out.print(f"{campaign}: labels of {without_labels:.0%} of the images were kept back", highlight=False)
    if view is None:
        out.print(f"{campaign} was removed again, as nothing of the folder could be used", highlight=False)
        return ExitCode.REFUSED
    out.print(f"{campaign}: {view.next_round.sentence}", highlight=False)
    pool = view.samples.pool + view.samples.leased
    left = (
        f"{counted(pool, 'image')} {'is' if pool == 1 else 'are'} left to label (al-loop open {campaign})"
        if pool
        else NOTHING_LEFT
    )
    out.print(f"{campaign}: {left}", highlight=False)
    return report.exit_code(plan)


def _lay_over(options: OverlayOptions, *, dry_run: bool, quiet: bool, service: str, token: str | None) -> ExitCode:
    out, shown = console(stderr=True), console(stderr=True, quiet=quiet)
    with connect(service, token) as client, progress_bars(shown) as progress:
        plan = make_plan(client, options)
        if dry_run:
            print_overlay_plan(plan)
            return exit_for(len(plan.found.laid), len(plan.unread))
        report = record_plan(client, plan, options, progress)
    return print_overlay_report(out, plan, options.campaign, report)


def import_plan(
    client: "OperatorClient",
    plan: "ImportPlan",
    campaign: str,
    annotator: str,
    progress: Progress,
    *,
    withheld: float = 0.0,
    policy: RetrainPolicy | None = None,
    source: LabelSource = "import",
    add_classes: bool = False,
) -> ImportReport:
    """Create the campaign where it is missing, register the images, record the labels.

    What was registered or recorded before is left as it is, so that an import that was cut off may be repeated. A
    campaign that was created for nothing is removed again.

    Args:
        client: Of the service.
        plan: What the folder offers.
        campaign: Its name.
        annotator: Whom the labels are recorded under.
        progress: Where bars are drawn.
        withheld: Share of images whose labels are kept back; see `is_kept_back`.
        policy: Of a campaign that is created; None: the default.
        source: "overwrite": the labels count instead of what people answered before.
        add_classes: Whether classes that the campaign lacks are added to it.

    Raises:
        InvalidValueError: The campaign is about other images or other tasks; nothing was changed.
    """
    report = ImportReport(created=ensure_campaign(client, plan, campaign, policy))
    try:
        prefix = "" if report.created else fit_into(client, plan, campaign, report, add_classes=add_classes)
        usable = _register(client, plan, campaign, prefix, report, progress)
    except ServiceError:
        if report.created:
            client.delete_campaign(campaign)
        raise
    recording = progress.add_task("recording labels", total=sum(plan.label_counts.values()))
    wanted = {path for path in usable if not is_kept_back(path, withheld)}
    labels = (
        msgspec.structs.replace(label, path=f"{prefix}{label.path}", source=source)
        for label in plan.labels(annotator)
        if label.path in wanted
    )
    for chunk in label_chunks(labels):
        report.refused.extend(record(client, campaign, chunk, report))
        report.sent += len(chunk)
        progress.update(recording, completed=report.sent)
    progress.update(recording, total=report.sent)  # those of images that are kept back or unusable are not sent
    if report.created and report.came_to_nothing:
        client.delete_campaign(campaign)
    return report


def _register(
    client: "OperatorClient", plan: "ImportPlan", campaign: str, prefix: str, report: ImportReport, progress: Progress
) -> set[str]:
    """Register the images; returns those that are in, as the plan names them."""
    registering = progress.add_task("registering images", total=len(plan.paths))
    usable = set(plan.paths)
    for paths in chunks(plan.paths, PATHS_A_REQUEST):
        answer = client.register(campaign, [f"{prefix}{path}" for path in paths])
        report.new_samples += answer.registered
        for entry in answer.skipped:
            if "already" in entry.reason:
                report.known_samples += 1
            else:
                report.unusable.append(entry)
                usable.discard(entry.path.removeprefix(prefix))
        progress.advance(registering, len(paths))
    return usable


def is_kept_back(path: str, share: float) -> bool:
    """Whether the labels of an image are among the share that is kept back: the same images at every import."""
    digest = hashlib.blake2b(path.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < share


def record(
    client: "Client", campaign: str, labels: list[LabelInput], report: ImportReport | None = None
) -> list[SkippedPath]:
    """Record labels in one request; where it is refused, one by one, and say which were refused and why.

    Args:
        client: Of the service.
        campaign: Its name.
        labels: At least one.
        report: Counts what was stored.
    """
    try:
        answer = client.import_labels(campaign, labels)
    except ServiceError as error:
        if error.status not in REFUSED:
            raise
        if len(labels) > 1:
            return [entry for label in labels for entry in record(client, campaign, [label], report)]
        return [SkippedPath(path=labels[0].path or "", reason=f"label refused: {error}")]
    if report is not None:
        report.add(answer.imported or ImportCounts(recorded=len(labels)))
    return []


def ensure_campaign(client: "Client", plan: "ImportPlan", campaign: str, policy: RetrainPolicy | None = None) -> bool:
    """Create the campaign that the plan needs, unless there is one of that name; whether it was created."""
    try:
        client.campaign(campaign)
    except ServiceError as error:
        if error.status != 404:
            raise
        tasks = [msgspec.convert(msgspec.structs.asdict(task), TaskRequest) for task in plan.tasks]
        client.create_campaign(
            CampaignRequest(
                name=campaign,
                tasks=tasks,
                root=str(plan.root),
                settings=plan.settings,
                policy=policy or RetrainPolicy(),
            )
        )
        return True
    return False


def progress_bars(out: Console) -> Progress:
    """Bars with counts and the time left."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=out
    )


def chunks(items: Iterable[T], size: int) -> Iterator[list[T]]:
    """Lists of at most `size` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def label_chunks(
    labels: Iterable[LabelInput], most: int = LABELS_A_REQUEST, most_bytes: int = LABEL_BYTES_A_REQUEST
) -> Iterator[list[LabelInput]]:
    """Lists of at most `most` labels and `most_bytes` bytes of JSON, but of one label at least."""
    chunk: list[LabelInput] = []
    total = 0
    for label in labels:
        size = len(msgspec.json.encode(label))
        if chunk and (len(chunk) == most or total + size > most_bytes):
            yield chunk
            chunk, total = [], 0
        chunk.append(label)
        total += size
    if chunk:
        yield chunk
