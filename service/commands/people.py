"""`al-loop token` and `al-loop audit`: who may ask, and who changed what."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from al_loop.domain.audit import Role
from service.commands.options import DEFAULT_URL, AsJson, Service, Token, connect
from service.commands.output import console, print_json, print_tables

MOST_DETAIL = 200
"""Characters of an entry's detail that a terminal shows; creating a campaign has thousands."""

File = Annotated[
    Path,
    typer.Option("--file", envvar="AL_LOOP_TOKENS_FILE", help="File of tokens that the service reads.", dir_okay=False),
]


def add(
    name: Annotated[str, typer.Argument(help="Whose token it is; labels carry this name.")],
    file: File,
    role: Annotated[Role, typer.Option(help="What it may do: each role may do what those before it may.")] = "annotate",
) -> None:
    """Make a token for a person and print it, once.

    The file gets its hash alone; a running service takes it at once. A person may have several tokens: to replace one,
    add another, hand it over and revoke the old one by the id that `al-loop token list` shows.

    Raises:
        SettingsError: The name is empty or too long, or differs from another one by upper and lower case only.
    """
    from service.access.token_file import add_token

    secret = add_token(file, name, role, datetime.now(UTC))
    console(stderr=True).print(f"{name.strip()} has a new token of the role {role} in {file}; it is shown this once:")
    sys.stdout.write(f"{secret}\n")


def show_all(file: File, as_json: AsJson = False) -> None:
    """List the tokens of the file.

    With whose they are, their roles and when they were made. The tokens themselves are kept nowhere.
    """
    from service.access.token_file import read_tokens

    entries = read_tokens(file)
    if as_json:
        fields = ("name", "role", "token_id", "created_at")
        print_json([{field: getattr(entry, field) for field in fields} for entry in entries])
        return
    table = Table("name", "role", "id", "created")
    for entry in entries:
        table.add_row(entry.name, entry.role, entry.token_id, f"{entry.created_at:%Y-%m-%d %H:%M}")
    print_tables(table)


def revoke(
    which: Annotated[str, typer.Argument(metavar="NAME_OR_ID", help="A person, or the id of one token.")], file: File
) -> None:
    """Revoke all tokens of a person, or one by its id.

    A running service refuses them from the next request on. Labels of the person stay.

    Raises:
        SettingsError: There is no such token.
    """
    from service.access.token_file import revoke_tokens

    for entry in revoke_tokens(file, which):
        console(stderr=True).print(f"revoked: token {entry.token_id} of {entry.name} ({entry.role})")


def _short(text: str) -> str:
    """Text that fits a terminal; pipes and files get all of it."""
    return f"{text[:MOST_DETAIL]}.." if len(text) > MOST_DETAIL and sys.stdout.isatty() else text


def audit(
    campaign: Annotated[str | None, typer.Argument(help="Only this campaign; everything if left out.")] = None,
    limit: Annotated[int, typer.Option(help="Newest entries that are shown.", min=1, max=1000)] = 100,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Show who changed what, newest first.

    Promotions, retractions, settings, policies, links, campaigns, rounds and tokens, with the name that the token
    carries. Labels have a history of their own. A terminal shows the beginning of
    long details; pipes, files and `--json` get them whole.
    """
    with connect(service, token) as client:
        entries = client.audit(campaign, limit=limit).entries
    if as_json:
        print_json(entries)
        return
    table = Table("when", "who", "action", "campaign", "detail")
    for entry in entries:
        table.add_row(
            f"{entry.done_at:%Y-%m-%d %H:%M:%S}",
            entry.who or (f"({entry.role})" if entry.role else ""),
            entry.action,
            entry.campaign or "",
            _short(msgspec.json.encode(entry.detail).decode()),
        )
    print_tables(table)
