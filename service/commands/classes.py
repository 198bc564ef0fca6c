"""`al-loop classes`: list, add, change classes; set guidelines."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.table import Table

from al_loop.client.answers import ClassList
from al_loop.domain.campaigns import ClassRequest
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, print_json, print_tables

ClassName = Annotated[str, typer.Argument(help="Name of the class.")]
Task = Annotated[str | None, typer.Option(help="The task; may be left out if only one has, or could have, the class.")]
Description = Annotated[str | None, typer.Option(help="What belongs to it and what does not.")]
Colour = Annotated[str | None, typer.Option(help="As #rrggbb.")]


def show_all(
    campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """List the classes of a campaign.

    In the order of a model's answers, with colour, key on the page and description.
    """
    with connect(service, token) as client:
        _print(client.classes(campaign), as_json)


def add(
    campaign: CampaignName,
    name: ClassName,
    task: Task = None,
    description: Description = None,
    colour: Colour = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Add a class to a campaign.

    It can be given at once, and the next round trains it. The model that serves goes on without it.
    """
    with connect(service, token) as client:
        tasks = [entry.task for entry in client.classes(campaign).tasks]
        request = ClassRequest(task=_the_only(tasks, task), name=name, description=description or "", colour=colour)
        _print(client.add_class(campaign, request), as_json)


def change(
    campaign: CampaignName,
    name: ClassName,
    task: Task = None,
    rename: Annotated[str | None, typer.Option(help="New name; labels follow.")] = None,
    description: Description = None,
    colour: Colour = None,
    examples: Annotated[
        list[int] | None, typer.Option("--example", help="Id of a sample that shows it well; may be repeated.")
    ] = None,
    retire: Annotated[
        bool | None, typer.Option("--retire/--bring-back", help="Whether it can no longer be given; labels stay.")
    ] = None,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Rename, describe, colour or retire a class.

    A renamed class keeps its labels. A retired one can no longer be given and is not trained; labels of it stay.
    """
    given: dict[str, Any] = {
        "name": rename, "description": description, "colour": colour, "examples": examples, "retired": retire,
    }  # fmt: skip
    with connect(service, token) as client:
        known = client.classes(campaign).tasks
        having = [entry.task for entry in known if name in [known_class.name for known_class in entry.classes]]
        chosen = _the_only(having or [entry.task for entry in known], task)
        body = {field: value for field, value in given.items() if value is not None}
        _print(client.change_class(campaign, chosen, name, body), as_json)


def guidelines(
    campaign: CampaignName,
    file: Annotated[Path | None, typer.Argument(help="Markdown file; they are printed if left out.")] = None,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show the guidelines for annotators, or replace them by a file.

    Markdown of at most 20,000 characters.
    """
    with connect(service, token) as client:
        if file is None:
            console().print(client.classes(campaign).guidelines, highlight=False, soft_wrap=True)
        else:
            client.set_guidelines(campaign, file.read_text(encoding="utf-8"))
            console(stderr=True).print(f"{campaign}: guidelines set", highlight=False)


def _the_only(tasks: list[str], chosen: str | None) -> str:
    if chosen is not None:
        return chosen
    if len(tasks) != 1:
        raise typer.BadParameter(f"say which: {', '.join(tasks)}", param_hint="--task")
    return tasks[0]


def _print(answer: ClassList, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    table = Table("task", "class", "key", "colour", "retired", "description")
    for entry in answer.tasks:
        for known in entry.classes:
            retired = "yes" if known.retired else ""
            table.add_row(entry.task, known.name, known.key or "", known.colour, retired, known.description)
    print_tables(table)
