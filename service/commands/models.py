"""`al-loop model`: list versions, promote, roll back."""

import argparse

from rich.console import Console
from rich.table import Table

from service.client import Client


def show_all(arguments: argparse.Namespace, client: Client) -> int:
    """Print all versions of a campaign as a table."""
    table = Table("version", "round", "created", "promoted", "current", "problem")
    for entry in client.models(arguments.campaign).models:
        table.add_row(
            entry.version,
            str(entry.round_number),
            f"{entry.created_at:%Y-%m-%d %H:%M}",
            "" if entry.promoted_at is None else f"{entry.promoted_at:%Y-%m-%d %H:%M}",
            "yes" if entry.current else "",
            entry.problem or "",
        )
    Console().print(table)
    return 0


def promote(arguments: argparse.Namespace, client: Client) -> int:
    """Make a version the one that serves."""
    view = client.promote(arguments.campaign, arguments.version, arguments.reason)
    Console(stderr=True).print(f"{view.name}: {arguments.version} serves")
    return 0
