"""`al-loop scaneo connect|status|disconnect|batch|close-batch|push-boxes|suggest`."""

import re
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from al_loop.client.errors import ServiceError
from al_loop.domain.queries import MOST_POINTS_ASKED, POINTS_ASKED, QueryUnit
from al_loop.domain.scaneo_links import BatchView, LinkStatus, OfferedBox
from al_loop.errors import InvalidValueError
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, counted, print_json, print_tables


def connect_campaign(
    url: Annotated[str, typer.Argument(help="Root of SCANEO, such as http://localhost:8000.")],
    campaign: Annotated[str, typer.Option(help="Name of the campaign in SCANEO.")],
    as_name: Annotated[
        str | None, typer.Option("--as", help="Name of our campaign; made from SCANEO's if left out.")
    ] = None,
    tasks: Annotated[
        list[str] | None,
        typer.Option(
            help="classification, segmentation or both, with a comma or repeated; as annotated if left out.",
        ),
    ] = None,
    path_map: Annotated[
        list[str] | None,
        typer.Option(metavar="A=B", help="Folder A in SCANEO is folder B here; may be repeated."),
    ] = None,
    annotator: Annotated[str, typer.Option(help="Name for labels of which nobody knows who drew them.")] = "scaneo",
    database: Annotated[Path | None, typer.Option(help="SCANEO's scaneo.db on this machine: fewer requests.")] = None,
    service_url: Annotated[str | None, typer.Option(help="Address at which SCANEO reaches the service.")] = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Link a campaign of SCANEO.

    Labels flow in from there, and the serving models appear there. Linking again changes nothing.
    """
    name = as_name or campaign_name(campaign)
    body = {
        "url": url,
        "campaign": campaign,
        "tasks": [task.strip() for part in tasks for task in part.split(",")] if tasks else None,
        "path_map": path_map or [],
        "annotator": annotator,
        "database": None if database is None else str(database.absolute()),
        "service_url": service_url,
    }
    with connect(service, token) as client:
        linked = client.connect_scaneo(name, body)
    if as_json:
        print_json(linked)
        return
    show(linked)
    console().print(f"Linked: labels drawn there flow into campaign {name!r} by themselves.", highlight=False)


def status(
    campaign: Annotated[str | None, typer.Argument(help="Name of the campaign; all if left out.")] = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show what is linked to SCANEO, and how fresh it is.

    With --json a list of links, of one campaign its link.
    """
    links: list[LinkStatus] = []
    with connect(service, token) as client:
        for name in [campaign] if campaign else [view.name for view in client.campaigns()]:
            try:
                links.append(client.scaneo_link(name))
            except ServiceError as error:
                if error.status != 404 or campaign:
                    raise
    if as_json:
        print_json(links[0] if campaign else links)
        return
    for link in links:
        show(link)
    if not links:
        console().print("No campaign is linked to SCANEO: al-loop scaneo connect URL --campaign NAME")


def disconnect(
    campaign: CampaignName,
    force: Annotated[bool, typer.Option("--force", help="Even if SCANEO does not answer.")] = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Undo a link to SCANEO; labels and samples stay here.

    Our models are removed from SCANEO.
    """
    with connect(service, token) as client:
        client.disconnect_scaneo(campaign, force=force)
    console().print(f"{campaign} is not linked to SCANEO any more; its labels and samples stay here")


def batch(
    campaign: CampaignName,
    annotator: Annotated[str, typer.Option(help="Who labels it.")],
    size: Annotated[int, typer.Option(help="Number of images.")] = 20,
    unit: Annotated[QueryUnit, typer.Option(help="Ask about whole images, or about points of them.")] = "image",
    points: Annotated[int, typer.Option(help="Points of each image.", min=1, max=MOST_POINTS_ASKED)] = POINTS_ASKED,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Make the next samples a SCANEO campaign in ranked order.

    Prints the address to open. Says why if there is nothing to label.
    """
    with connect(service, token) as client:
        made = client.open_batch(campaign, annotator, size, unit=unit, points=points)
    if as_json:
        print_json(made)
    elif isinstance(made, BatchView):
        console().print(
            f"{made.name}: {counted(made.samples, 'image')}, the most useful first\n{made.url}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
    else:
        console().print(made.reason, highlight=False, markup=False)


def close_batch(
    campaign: CampaignName,
    number: Annotated[int, typer.Argument(help="Number of the batch.")],
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Read a batch to the last and remove it from SCANEO.

    Its labels stay here.
    """
    with connect(service, token) as client:
        closed = client.close_batch(campaign, number)
    if as_json:
        print_json(closed)
        return
    console().print(f"{closed.name}: closed, {closed.labelled} of {closed.samples} labelled", highlight=False)


def push_boxes(
    campaign: CampaignName,
    file: Annotated[
        Path, typer.Argument(metavar="BOXES", help="JSON: a list of {path, label, box: (left, top, right, bottom)}.")
    ],
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Offer a detector's boxes to annotators, each once.

    Boxes are in pixels from the upper left corner of the image. Says which were left out and why.

    Raises:
        InvalidValueError: The file cannot be read or is no list of boxes.
    """
    try:
        boxes = msgspec.json.decode(file.read_bytes(), type=list[OfferedBox])
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidValueError(str(file), f"not a JSON list of boxes: {error}") from error
    with connect(service, token) as client:
        report = client.push_boxes(campaign, boxes)
    if as_json:
        print_json(report)
        return
    out = console()
    out.print(f"{report.pushed} boxes offered, {len(report.skipped)} left out")
    for entry in report.skipped[:20]:
        out.print(f"  box {entry.index}: {entry.reason}", style="yellow", highlight=False, markup=False)


def suggest(
    campaign: CampaignName,
    paths: Annotated[list[str], typer.Argument(help="Samples, by path.")],
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Draw the boxes that the serving model finds in images, for annotators in SCANEO.

    Each box is drawn once. Batches get theirs when they are opened.
    """
    with connect(service, token) as client:
        report = client.suggest_boxes(campaign, paths)
    if as_json:
        print_json(report)
        return
    out = console()
    out.print(f"{counted(report.boxes, 'box', 'boxes')} drawn in {counted(report.images, 'image')}", highlight=False)
    for entry in report.left_out[:20]:
        out.print(f"  {entry.path}: {entry.problem}", style="yellow", highlight=False, markup=False)


def campaign_name(theirs: str) -> str:
    """A name that campaigns here may have, from one in SCANEO."""
    return re.sub(r"[^a-z0-9]+", "-", theirs.lower()).strip("-")[:64] or "scaneo"


def show(link: LinkStatus) -> None:
    """Print one link."""
    table = Table(title=f"{link.campaign}  <->  {link.scaneo_campaign}", show_header=False, title_justify="left")
    seen = "not asked yet" if link.asked_at is None else f"{link.asked_at:%Y-%m-%d %H:%M:%S} UTC"
    table.add_row("SCANEO", link.url)
    table.add_row("models there", ", ".join(link.models.values()))
    table.add_row("images", _images(link))
    table.add_row(
        "labels that came in",
        str(link.labels) if link.labels else "none yet: nothing drawn there so far, or not read yet",
    )
    table.add_row("last answer", seen)
    table.add_row("all images read", "not yet" if link.swept_at is None else f"{link.swept_at:%Y-%m-%d %H:%M} UTC")
    table.add_row("requests a minute", f"{link.requests_a_minute:.0f}")
    for entry in link.batches:
        table.add_row(f"batch {entry.number}", f"{entry.annotator}: {entry.labelled} of {entry.samples} labelled")
    out = console()
    print_tables(table)
    pages = [("send this address to every annotator", link.labelling_page)]
    pages += [(f"send this address to {entry.annotator} ({entry.name})", entry.url) for entry in link.batches]
    for name, page in pages:
        out.print(f"{name}: {page}", highlight=False, markup=False, soft_wrap=True)
    for problem in [link.problem, *(f"{entry.path}: {entry.problem}" for entry in link.image_problems)]:
        if problem is not None:
            out.print(problem, style="yellow", highlight=False, markup=False)


def _images(link: LinkStatus) -> str:
    """How many there are and were read; nothing is said of zero."""
    if not link.images_read:
        read = "none read yet"
    elif link.images_read < link.images:
        read = f"{link.images_read} read so far"
    else:
        read = "all read"
    unusable = f", {link.images_unusable} cannot be used" if link.images_unusable else ""
    return f"{link.images}, {read}{unusable}"
