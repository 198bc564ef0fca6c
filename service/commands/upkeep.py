"""`al-loop rename`, `archive`, `delete`, `remove`: what becomes of a campaign and its samples."""

import sys
from typing import Annotated

import typer
from rich.table import Table

from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, print_json, print_tables

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def rename(
    campaign: CampaignName,
    name: Annotated[str, typer.Argument(help="New name: a-z, 0-9 and -.")],
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Rename a campaign.

    Its addresses change with it. A campaign that is linked to SCANEO is disconnected first.
    """
    with connect(service, token) as client:
        client.change_campaign(campaign, {"name": name})
    console(stderr=True).print(f"{campaign} is {name} now", highlight=False)


def archive(
    campaign: CampaignName,
    undo: Annotated[bool, typer.Option("--undo", help="Bring it back.")] = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Put a campaign away, or bring it back.

    An archived campaign starts no rounds, is not scored, not offered to annotators and left out of lists. Nothing is
    lost: its labels can be exported and its model answers.
    """
    with connect(service, token) as client:
        client.change_campaign(campaign, {"archived": not undo})
    console(stderr=True).print(f"{campaign} is {'back' if undo else 'archived'}", highlight=False)


def delete(campaign: CampaignName, yes: Yes = False, service: Service = DEFAULT_URL, token: Token = None) -> None:
    """Delete a campaign for good, after saying what goes.

    Labels, history, rounds and models go; the images stay. Without a terminal it needs --yes.
    """
    with connect(service, token) as client:
        told = client.deletion(campaign)
        _confirm(told.sentence, yes)
        client.delete_campaign(campaign)
    console(stderr=True).print(f"{campaign} is deleted", highlight=False)


def remove(
    campaign: CampaignName,
    sample: Annotated[int, typer.Argument(help="Id of the sample.")],
    yes: Yes = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Take a sample out of a campaign with its labels.

    Its file stays; a scan leaves it out from now on. Without a terminal it needs --yes.
    """
    _confirm(f"sample {sample} of {campaign} would be gone with its labels and their history", yes)
    with connect(service, token) as client:
        client.remove_sample(campaign, sample)
    console(stderr=True).print(f"sample {sample} is removed from {campaign}", highlight=False)


def duplicates(
    campaign: CampaignName,
    remove: Annotated[bool, typer.Option("--remove", help="Take spare copies without labels out.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """List images that are registered more than once, or take the spare ones out.

    The sample with the most labels is kept. Copies with labels of their own are never taken out: a person decides which
    labels count. Files stay; a scan leaves them out. Without a terminal --remove needs --yes.
    """
    with connect(service, token) as client:
        if not remove:
            found = client.duplicates(campaign)
            if as_json:
                print_json(found)
                return
            table = Table("kept", "copy", "labels of the copy")
            for group in found.groups:
                for copy in group.others:
                    table.add_row(group.kept.path, copy.path, str(copy.labels))
            print_tables(table)
            return
        _confirm(f"copies without labels would be taken out of {campaign}; their files stay", yes)
        done = client.remove_duplicates(campaign)
    if as_json:
        print_json(done)
        return
    left = f"; {len(done.left)} images have labels on several copies, remove one yourself" if done.left else ""
    console(stderr=True).print(f"{len(done.removed)} copies are removed from {campaign}{left}", highlight=False)


def _confirm(sentence: str, yes: bool) -> None:
    console(stderr=True).print(sentence, highlight=False)
    if yes:
        return
    if not sys.stdin.isatty():
        raise typer.BadParameter("nothing was done; repeat with --yes to do it", param_hint="--yes")
    if not typer.confirm("Do it?", err=True):
        raise typer.Exit(2)
