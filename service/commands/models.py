"""`al-loop model`: list versions, promote, roll back."""

from typing import Annotated

import typer
from rich.table import Table

from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, print_json


def show_all(
    campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """List all model versions of a campaign.

    The oldest first, with the round that trained each, whether it serves, and why it cannot be served if so.
    """
    with connect(service, token) as client:
        answer = client.models(campaign)
    if as_json:
        print_json(answer.models)
        return
    table = Table("version", "round", "created", "promoted", "current", "problem")
    for entry in answer.models:
        table.add_row(
            entry.version,
            str(entry.round_number),
            f"{entry.created_at:%Y-%m-%d %H:%M}",
            "" if entry.promoted_at is None else f"{entry.promoted_at:%Y-%m-%d %H:%M}",
            "yes" if entry.current else "",
            entry.problem or "",
        )
    console().print(table)


def promote(
    campaign: CampaignName,
    version: Annotated[str, typer.Argument(help="Model version, such as v3.")],
    reason: Annotated[str, typer.Option(help="Why, for the history.")] = "ops",
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Make a model version the one that serves.

    An older version rolls back. The gate is not asked.
    """
    with connect(service, token) as client:
        view = client.promote(campaign, version, reason)
    console(stderr=True).print(f"{view.name}: {version} serves")
