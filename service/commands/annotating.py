"""`al-loop query` and `al-loop label`: ask and answer from the terminal."""

import getpass
from typing import Annotated

import typer
from rich.table import Table

from al_loop.domain.labels import LabelInput
from service.answers import CampaignView
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, print_json, print_tables

Annotator = Annotated[
    str, typer.Option(help="Who asks and answers; the name of your account if left out.", show_default=False)
]


def query(
    campaign: CampaignName,
    size: Annotated[int, typer.Option(help="Samples to ask for.", min=1, max=1000)] = 10,
    annotator: Annotator = "",
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Ask which samples to label next.

    They are reserved for the annotator for the campaign's time of a lease; nobody else is given them meanwhile.
    """
    with connect(service, token) as client:
        answer = client.query(campaign, annotator or whoami(), size)
    if as_json:
        print_json(answer)
        return
    if not answer.samples:
        console(stderr=True).print(answer.reason or "there is nothing left to label", highlight=False)
        return
    table = Table("sample", "path", "why")
    for sample in answer.samples:
        table.add_row(str(sample.sample_id), sample.path, sample.reason)
    print_tables(table)


def label(
    campaign: CampaignName,
    sample: Annotated[str, typer.Argument(help="Id or path of a sample.")],
    classes: Annotated[list[str] | None, typer.Argument(help="Its class; several if the task takes them.")] = None,
    none: Annotated[bool, typer.Option("--none", help="It shows none of the classes.")] = False,
    task: Annotated[
        str | None, typer.Option(help="The task; the one that is answered with classes if left out.")
    ] = None,
    annotator: Annotator = "",
    override: Annotated[
        bool, typer.Option("--override", help="Record it although the sample is reserved for somebody else.")
    ] = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Record the class of a sample.

    A later label of the same annotator replaces it; both stay in the history. Masks are drawn on the page.
    """
    if bool(classes) == none:
        raise typer.BadParameter("name a class, or say --none", param_hint="CLASSES")
    with connect(service, token) as client:
        given = LabelInput(
            sample_id=int(sample) if sample.isdecimal() else None,
            path=None if sample.isdecimal() else sample,
            task=task or _answered_with_classes(client.campaign(campaign)),
            annotator=annotator or whoami(),
            classes=classes or [],
            override_lease=override,
        )
        ids = client.record_labels(campaign, [given])
        view = client.campaign(campaign)
    if as_json:
        print_json({"label_ids": ids})
    else:
        console(stderr=True).print(f"{campaign}: label {ids[0]} recorded; {view.next_round.sentence}", highlight=False)


def whoami() -> str:
    """Name of the account that runs the command."""
    try:
        return getpass.getuser()
    except OSError as error:  # a container may run as a number without a name
        raise typer.BadParameter("your account has no name; say who you are", param_hint="--annotator") from error


def _answered_with_classes(view: CampaignView) -> str:
    from models.tasks import task_of  # here: it loads numpy

    for spec in view.tasks:
        if task_of(spec).answered_with == "classes":
            return spec.task
    raise typer.BadParameter(f"{view.name} asks for masks, which are drawn on the page: al-loop open {view.name}")
