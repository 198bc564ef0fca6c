"""`al-loop query` and `al-loop label`: ask and answer from the terminal."""

import getpass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from al_loop.client.answers import CampaignView
from al_loop.domain.labels import LabelInput
from al_loop.domain.queries import MOST_POINTS_ASKED, POINTS_ASKED, QueryUnit
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, print_json, print_tables

if TYPE_CHECKING:
    from al_loop.client import Client

Annotator = Annotated[
    str,
    typer.Option(
        help="Who asks and answers; the person of the token, or your account, if left out.", show_default=False
    ),
]


def query(
    campaign: CampaignName,
    size: Annotated[int, typer.Option(help="Samples to ask for.", min=1, max=1000)] = 10,
    annotator: Annotator = "",
    unit: Annotated[
        QueryUnit | None,
        typer.Option(help="Ask about whole images or about points of them; the campaign's setting if left out."),
    ] = None,
    points: Annotated[int, typer.Option(help="Points of each image.", min=1, max=MOST_POINTS_ASKED)] = POINTS_ASKED,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Ask which samples to label next, or which points of them.

    They are reserved for the annotator for the campaign's time of a lease; nobody else is given them meanwhile.
    """
    with connect(service, token) as client:
        answer = client.query(campaign, annotator or own_name(client), size, unit=unit, points=points)
    if as_json:
        print_json(answer)
        return
    if not answer.samples:
        console(stderr=True).print(answer.reason or "there is nothing left to label", highlight=False)
        return
    about_points = answer.unit == "point"
    table = Table("sample", "path", "points: column,row" if about_points else "why")
    for sample in answer.samples:
        places = " ".join(f"{point.column:g},{point.row:g}" for point in sample.points)
        table.add_row(str(sample.sample_id), sample.path, places if about_points else sample.reason)
    print_tables(table)


def label(
    campaign: CampaignName,
    sample: Annotated[str, typer.Argument(help="Id or path of a sample.")],
    classes: Annotated[list[str] | None, typer.Argument(help="Its class; several if the task takes them.")] = None,
    none: Annotated[
        bool, typer.Option("--none", help="It shows none of the classes; of points: it cannot be told.")
    ] = False,
    point: Annotated[
        list[str] | None,
        typer.Option(
            metavar="COLUMN,ROW",
            help="The pixel that shows the class, from the upper left corner; several if it is named several times.",
        ),
    ] = None,
    finished: Annotated[bool, typer.Option("--finished", help="Leave the other points that were asked about.")] = False,
    task: Annotated[
        str | None,
        typer.Option(help="The task; the one that is answered with classes, or with areas for points, if left out."),
    ] = None,
    annotator: Annotator = "",
    override: Annotated[
        bool, typer.Option("--override", help="Record it although the sample is reserved for somebody else.")
    ] = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Record the class of a sample, or of points of it.

    A later label of the same annotator replaces it; both stay in the history. Points are added to those before them.
    Masks are drawn on the page.
    """
    if bool(classes) == none:
        raise typer.BadParameter("name a class, or say --none", param_hint="CLASSES")
    if point and len(classes or []) > 1:
        raise typer.BadParameter("points show one class", param_hint="CLASSES")
    features = _points(point, classes[0] if classes else None) if point else None
    with connect(service, token) as client:
        given = LabelInput(
            sample_id=int(sample) if sample.isdecimal() else None,
            path=None if sample.isdecimal() else sample,
            task=task or _task_answered_with(client.campaign(campaign), "features" if point else "classes"),
            annotator=annotator or own_name(client),
            classes=None if point else classes or [],
            features=features,
            crs="pixel" if point else None,
            add=features is not None,
            finished=finished,
            override_lease=override,
        )
        ids = client.record_labels(campaign, [given])
        view = client.campaign(campaign)
    if as_json:
        print_json({"label_ids": ids})
    else:
        console(stderr=True).print(f"{campaign}: label {ids[0]} recorded; {view.next_round.sentence}", highlight=False)


def own_name(client: "Client") -> str:
    """The person whom the token stands for; without one, the name of the account that runs the command."""
    if (name := client.whoami().name) is not None:
        return name
    try:
        return getpass.getuser()
    except OSError as error:  # a container may run as a number without a name
        raise typer.BadParameter("your account has no name; say who you are", param_hint="--annotator") from error


def _points(given: list[str], name: str | None) -> dict[str, Any]:
    """A FeatureCollection of points `column,row` of one class; None: what they show cannot be told."""
    features = []
    for place in given:
        try:
            column, row = (float(number) for number in place.split(","))
        except ValueError as error:
            raise typer.BadParameter(f"{place!r} is not COLUMN,ROW, such as 40.5,9.5", param_hint="--point") from error
        properties = {"label": name} if name is not None else {"label": None, "ignore": True}
        geometry = {"type": "Point", "coordinates": [column, row]}
        features.append({"type": "Feature", "properties": properties, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}


def _task_answered_with(view: CampaignView, kind: str) -> str:
    from models.tasks import task_of  # here: it loads numpy

    for spec in view.tasks:
        if task_of(spec).answered_with == kind:
            return spec.task
    if kind == "classes":
        raise typer.BadParameter(
            f"{view.name} asks for masks, which are drawn on the page: al-loop open {view.name}; or name a --point"
        )
    raise typer.BadParameter(f"{view.name} has no task that is answered for each pixel", param_hint="--point")
