"""Options that many commands share, and the client that they name."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from al_loop.client.operators import OperatorClient

DEFAULT_URL = "http://127.0.0.1:8090"
CONNECTION = "Connection"

CampaignName = Annotated[str, typer.Argument(help="Name of the campaign.")]
Service = Annotated[
    str,
    typer.Option(
        "--service", envvar="AL_LOOP_URL", help="Address of the service; http if no scheme.", rich_help_panel=CONNECTION
    ),
]
Token = Annotated[
    str | None,
    typer.Option(
        "--token", envvar="AL_LOOP_TOKEN", help="Token, if the service asks for one.", rich_help_panel=CONNECTION
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the service's answer as JSON to standard output.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Show no progress; the result is printed all the same.")]
Force = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]


def connect(service: str, token: str | None) -> "OperatorClient":
    """A client for the service; close it, or use it as a context manager.

    Args:
        service: Address; `localhost:8090` means `http://localhost:8090`.
        token: Sent with every request.

    Raises:
        BadParameter: Not an HTTP address, or a token that no HTTP header can carry.
    """
    from httpx import URL, InvalidURL  # here: neither help nor completion need it

    from al_loop.client.operators import OperatorClient

    address = service.strip() if "://" in service else f"http://{service.strip()}"
    try:
        parsed = URL(address)
    except InvalidURL as error:
        raise typer.BadParameter(str(error), param_hint="--service") from error
    if parsed.scheme not in ("http", "https") or not parsed.host:
        raise typer.BadParameter(f"{service!r} is no HTTP address, such as localhost:8090", param_hint="--service")
    if token is not None and not (token.isascii() and token.isprintable()):
        raise typer.BadParameter("an HTTP header can carry printable ASCII characters only", param_hint="--token")
    return OperatorClient(address, token=token)


def check_writable(path: Path) -> None:
    """Find out before the work is done whether its result can be written.

    Args:
        path: File or folder that shall be made or overwritten.

    Raises:
        BadParameter: It cannot.
    """
    existing = next(place for place in (path.absolute(), *path.absolute().parents) if place.exists())
    if not os.access(existing, os.W_OK) or (existing != path.absolute() and not existing.is_dir()):
        raise typer.BadParameter(f"{path} cannot be written", param_hint="--out")


def check_not_there(path: Path, force: bool) -> None:
    """Refuse to overwrite a file that nobody said may be overwritten.

    Raises:
        BadParameter: It exists, and `force` is false.
    """
    if path.exists() and not force:
        raise typer.BadParameter(f"{path} exists already; say --force to overwrite it", param_hint="--out")
