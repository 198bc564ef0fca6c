"""`al-loop scaneo connect|status|disconnect|batch|close-batch|push-boxes`."""

import argparse
import re
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from al_loop.domain.scaneo_links import BatchView, LinkStatus, OfferedBox
from al_loop.errors import InvalidValueError
from service.client import Client, ServiceError


def connect(arguments: argparse.Namespace, client: Client) -> int:
    """Link a campaign, then show the link."""
    name = arguments.as_name or campaign_name(arguments.campaign)
    body = {
        "url": arguments.url,
        "campaign": arguments.campaign,
        "tasks": arguments.tasks.split(",") if arguments.tasks else None,
        "path_map": arguments.path_map,
        "annotator": arguments.annotator,
        "database": None if arguments.database is None else str(arguments.database.absolute()),
        "service_url": arguments.service_url,
    }
    status = client.connect_scaneo(name, body)
    show(status)
    Console().print(f"Linked: labels drawn there flow into campaign {name!r} by themselves.", highlight=False)
    return 0


def status(arguments: argparse.Namespace, client: Client) -> int:
    """Show the link of one campaign, or of all that have one."""
    names = [arguments.campaign] if arguments.campaign else [view.name for view in client.campaigns()]
    shown = 0
    for name in names:
        try:
            found = client.scaneo_link(name)
        except ServiceError as error:
            if error.status != 404 or arguments.campaign:
                raise
            continue
        show(found)
        shown += 1
    if not shown:
        Console().print("No campaign is linked to SCANEO: al-loop scaneo connect URL --campaign NAME")
    return 0


def disconnect(arguments: argparse.Namespace, client: Client) -> int:
    """Undo a link."""
    client.disconnect_scaneo(arguments.campaign, force=arguments.force)
    Console().print(f"{arguments.campaign} is not linked to SCANEO any more; its labels and samples stay here")
    return 0


def batch(arguments: argparse.Namespace, client: Client) -> int:
    """Make a ranked batch for an annotator."""
    made = client.open_batch(arguments.campaign, arguments.annotator, arguments.size)
    if isinstance(made, BatchView):
        Console().print(
            f"{made.name}: {made.samples} images, the most useful first\n{made.url}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    else:
        Console().print(made.reason, highlight=False, markup=False)
    return 0


def close_batch(arguments: argparse.Namespace, client: Client) -> int:
    """End a batch."""
    closed = client.close_batch(arguments.campaign, arguments.number)
    Console().print(f"{closed.name}: closed, {closed.labelled} of {closed.samples} labelled", highlight=False)
    return 0


def push_boxes(arguments: argparse.Namespace, client: Client) -> int:
    """Offer the boxes of a file.

    Raises:
        InvalidValueError: The file cannot be read or is no list of boxes.
    """
    file: Path = arguments.boxes
    try:
        boxes = msgspec.json.decode(file.read_bytes(), type=list[OfferedBox])
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidValueError(str(file), f"not a JSON list of boxes: {error}") from error
    report = client.push_boxes(arguments.campaign, boxes)
    console = Console()
    console.print(f"{report.pushed} boxes offered, {len(report.skipped)} left out")
    for entry in report.skipped[:20]:
        console.print(f"  box {entry.index}: {entry.reason}", style="yellow", highlight=False, markup=False)
    return 0


def campaign_name(theirs: str) -> str:
    """A name that campaigns here may have, from one in SCANEO."""
    return re.sub(r"[^a-z0-9]+", "-", theirs.lower()).strip("-")[:64] or "scaneo"


def show(status: LinkStatus) -> None:
    """Print one link."""
    table = Table(title=f"{status.campaign}  <->  {status.scaneo_campaign}", show_header=False, title_justify="left")
    seen = "not asked yet" if status.asked_at is None else f"{status.asked_at:%Y-%m-%d %H:%M:%S} UTC"
    table.add_row("SCANEO", status.url)
    table.add_row("models there", ", ".join(status.models.values()))
    table.add_row("images", f"{status.images}, {status.images_read} read, {status.images_unusable} cannot be used")
    table.add_row("labels that came in", str(status.labels))
    table.add_row("last answer", seen)
    table.add_row("all images read", "not yet" if status.swept_at is None else f"{status.swept_at:%Y-%m-%d %H:%M} UTC")
    table.add_row("requests a minute", f"{status.requests_a_minute:.0f}")
    for entry in status.batches:
        table.add_row(f"batch {entry.number}", f"{entry.annotator}: {entry.labelled} of {entry.samples} labelled")
    console = Console()
    console.print(table)
    for name, page in [("labelling page", status.labelling_page), *((b.name, b.url) for b in status.batches)]:
        console.print(f"{name}: {page}", highlight=False, markup=False, soft_wrap=True)
    for problem in [status.problem, *(f"{entry.path}: {entry.problem}" for entry in status.image_problems)]:
        if problem is not None:
            console.print(problem, style="yellow", highlight=False, markup=False)
