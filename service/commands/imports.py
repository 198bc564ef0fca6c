"""`al-loop import` and `al-loop export`."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from al_loop.domain.campaigns import CampaignRequest, RetrainPolicy, TaskRequest
from al_loop.domain.labels import LabelInput
from al_loop.domain.samples import SkippedPath
from service.client.errors import ServiceError
from service.commands.options import (
    DEFAULT_URL,
    CampaignName,
    Force,
    Service,
    Token,
    check_not_there,
    check_writable,
    connect,
)
from service.commands.output import console

if TYPE_CHECKING:
    from al_loop.campaigns.importing import ImportPlan
    from service.client.http import Client

T = TypeVar("T")
PATHS_A_REQUEST = 500
LABELS_A_REQUEST = 200
LABEL_BYTES_A_REQUEST = 8_000_000
"""The outlines of one large mask take megabytes."""
REFUSED = {400, 409, 413, 422}
"""Answers that lie in the labels that were sent."""
SHOWN_SKIPS = 10
NOTHING_LEFT = (
    "every image has a label, so there is nothing to ask for; put more images into the folder and run al-loop add, or "
    "import it under another name with --without-labels 0.7"
)


def run(
    directory: Annotated[Path, typer.Argument(help="SCANEO export, class folders, or images with *_mask files.")],
    campaign: Annotated[str, typer.Option(help="Name of the campaign, which is created if there is none.")],
    images: Annotated[
        Path | None, typer.Option(help="Folder of the images, if a SCANEO export lies elsewhere.")
    ] = None,
    annotator: Annotated[str, typer.Option(help="Name that the labels are recorded under.")] = "import",
    without_labels: Annotated[
        float,
        typer.Option(
            help="Share of the images, 0 to 1, whose labels are kept back, so that there is something to label.",
            min=0.0,
            max=1.0,
        ),
    ] = 0.0,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Create a campaign from a labelled folder, or add one to a campaign.

    Says what was skipped and why. Running it again registers and records what is missing.
    """
    from al_loop.campaigns.importing import plan_import  # here: it loads rasterio

    out = console(stderr=True)
    with connect(service, token) as client, progress_bars(out) as progress:
        planning = progress.add_task("reading the folder", total=None)
        plan = plan_import(
            directory,
            images=images,
            report=lambda what, done, total: progress.update(planning, description=what, completed=done, total=total),
        )
        progress.remove_task(planning)
        recorded = import_plan(client, plan, campaign, annotator, progress, withheld=without_labels)
        view = client.campaign(campaign)
    out.print(
        f"{campaign}: {plan.kind}, {len(plan.paths)} images, "
        + ", ".join(f"{count} {task} labels" for task, count in plan.label_counts.items())
        + (f"; {recorded} recorded, the others were kept back" if without_labels else "")
    )
    print_skipped(out, plan.skipped)
    out.print(f"{campaign}: {view.next_round.sentence}", highlight=False)
    pool = view.samples.pool + view.samples.leased
    left = f"{pool} images are left to label (al-loop open {campaign})" if pool else NOTHING_LEFT
    out.print(f"{campaign}: {left}", highlight=False)


def import_plan(
    client: "Client",
    plan: "ImportPlan",
    campaign: str,
    annotator: str,
    progress: Progress,
    *,
    withheld: float = 0.0,
    policy: RetrainPolicy | None = None,
) -> int:
    """Create the campaign where it is missing, register the images, record the labels.

    Samples that were registered before are left as they are, so that an import that was cut off may be repeated.

    Args:
        client: Of the service.
        plan: What the folder offers.
        campaign: Its name.
        annotator: Whom the labels are recorded under.
        progress: Where bars are drawn.
        withheld: Share of images whose labels are kept back; see `is_kept_back`.
        policy: Of a campaign that is created; None: the default.

    Returns:
        How many labels were recorded.
    """
    ensure_campaign(client, plan, campaign, policy)
    registering = progress.add_task("registering images", total=len(plan.paths))
    usable = set(plan.paths)
    for paths in chunks(plan.paths, PATHS_A_REQUEST):
        report = client.register(campaign, paths)
        for entry in report.skipped:
            if "already" not in entry.reason:
                plan.skipped.append(entry)
                usable.discard(entry.path)
        progress.advance(registering, len(paths))
    recording = progress.add_task("recording labels", total=sum(plan.label_counts.values()))
    usable = {path for path in usable if not is_kept_back(path, withheld)}
    recorded = sent = 0
    for labels in label_chunks(_usable(plan.labels(annotator), usable)):
        refused = record(client, campaign, labels)
        plan.skipped.extend(refused)
        recorded, sent = recorded + len(labels) - len(refused), sent + len(labels)
        progress.update(recording, completed=sent)
    progress.update(recording, total=sent)  # those of images that are kept back or cannot be used are not sent
    return recorded


def is_kept_back(path: str, share: float) -> bool:
    """Whether the labels of an image are among the share that is kept back: the same images at every import."""
    digest = hashlib.blake2b(path.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(digest) / 2**64 < share


def record(client: "Client", campaign: str, labels: list[LabelInput]) -> list[SkippedPath]:
    """Record labels in one request; where it is refused, one by one, and say which were refused and why."""
    try:
        client.record_labels(campaign, labels)
    except ServiceError as error:
        if error.status not in REFUSED:
            raise
        if len(labels) > 1:
            return [entry for label in labels for entry in record(client, campaign, [label])]
        return [SkippedPath(path=labels[0].path or "", reason=f"label refused: {error}")]
    return []


def ensure_campaign(client: "Client", plan: "ImportPlan", campaign: str, policy: RetrainPolicy | None = None) -> None:
    """Create the campaign that the plan needs, unless there is one of that name."""
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


def run_export(
    campaign: CampaignName,
    out: Annotated[Path, typer.Option(help="File to write.", dir_okay=False)],
    export_format: Annotated[
        Literal["scaneo", "geojson", "parquet"], typer.Option("--format", help="Format of the file.")
    ] = "geojson",
    force: Force = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Write a campaign's current labels to a file.

    For SCANEO (a ZIP archive), for GIS (GeoJSON in EPSG:4326) or as a table (Parquet).
    """
    check_writable(out)
    check_not_there(out, force)
    with connect(service, token) as client:
        out.write_bytes(client.export(campaign, export_format))
    console(stderr=True).print(f"wrote {out} ({out.stat().st_size:,} bytes)", soft_wrap=True)


def progress_bars(out: Console) -> Progress:
    """Bars with counts and the time left."""
    return Progress(
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn(), console=out
    )


def print_skipped(out: Console, skipped: Sequence[SkippedPath]) -> None:
    """Reasons with their counts, and a few examples of each."""
    reasons = Counter(entry.reason for entry in skipped)
    for reason, count in reasons.most_common(SHOWN_SKIPS):
        example = next(entry.path for entry in skipped if entry.reason == reason)
        out.print(f"  skipped {count}: {reason} (for example {example})", highlight=False, markup=False)
    if len(reasons) > SHOWN_SKIPS:
        out.print(f"  and {len(reasons) - SHOWN_SKIPS} other reasons")


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


def _usable(labels: Iterable[LabelInput], paths: set[str]) -> Iterator[LabelInput]:
    return (label for label in labels if label.path in paths)
