"""`al-loop settings` and `al-loop policy`: show, and change what is named."""

import sys
from collections.abc import Iterator, Sequence
from typing import Annotated, Any

import msgspec
import typer
from rich.table import Table

from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, print_json, print_tables

Changes = Annotated[
    list[str], typer.Argument(metavar="NAME=VALUE..", help="What to change; the value is JSON, or text without quotes.")
]


def show_settings(
    campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """Show all settings of a campaign.

    Nested ones with a dot, as `settings set` takes them.
    """
    with connect(service, token) as client:
        _print(client.settings(campaign), as_json)


def change_settings(
    campaign: CampaignName,
    changes: Changes,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Change settings of a campaign; those that are not named stay as they are.

    A list is replaced whole. Prints what changed, old and new; with `--json` all settings as they are then.
    """
    with connect(service, token) as client:
        before = client.settings(campaign)
        _print_changes(before, client.change_settings(campaign, patch_of(changes)), as_json)


def show_policy(
    campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """Show when rounds start by themselves and what they promote.

    `null` of a trigger such as `new_labels` or `cron` means: never by that.
    """
    with connect(service, token) as client:
        _print(client.policy(campaign), as_json)


def change_policy(
    campaign: CampaignName,
    changes: Changes,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> None:
    """Change the retrain policy; what is not named stays as it is.

    Prints what changed, old and new; with `--json` the whole policy as it is then.
    """
    with connect(service, token) as client:
        before = client.policy(campaign)
        _print_changes(before, client.change_policy(campaign, patch_of(changes)), as_json)


def preview_policy(
    campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None
) -> None:
    """Show when the next round would start by itself, and why.

    Each trigger of the policy with its figures, whether it asks for a round, and what holds a round up.
    """
    with connect(service, token) as client:
        answer = client.policy_preview(campaign)
    if as_json:
        print_json(answer)
        return
    table = Table("trigger", "holds", "figures", title=answer.sentence, title_justify="left")
    for entry in answer.triggers:
        table.add_row(entry.trigger, ("yes" if entry.holds else "no") if entry.on else "", entry.sentence)
    print_tables(table)
    for reason in answer.waits_for:
        console(stderr=not sys.stdout.isatty()).print(f"waits for: {reason}", highlight=False, markup=False)


def patch_of(changes: Sequence[str]) -> dict[str, Any]:
    """`a.b=1 c=x` as `{"a": {"b": 1}, "c": "x"}`.

    Raises:
        BadParameter: One is not `NAME=VALUE`.
    """
    patch: dict[str, Any] = {}
    for change in changes:
        name, equals, text = change.partition("=")
        parts = name.split(".")
        if not equals or not all(parts):
            raise typer.BadParameter(f"{change!r} is not NAME=VALUE, as in lease_s=600", param_hint="NAME=VALUE")
        inner = patch
        for part in parts[:-1]:
            inner = inner.setdefault(part, {})
            if not isinstance(inner, dict):
                raise typer.BadParameter(f"{name!r} is given twice", param_hint="NAME=VALUE")
        try:
            inner[parts[-1]] = msgspec.json.decode(text)
        except msgspec.DecodeError:
            inner[parts[-1]] = text
    return patch


def _print(values: msgspec.Struct, as_json: bool) -> None:
    if as_json:
        print_json(values)
        return
    table = Table("name", "value")
    for name, value in _flat(msgspec.to_builtins(values)):
        table.add_row(name, _text(value))
    print_tables(table)


def _print_changes(before: msgspec.Struct, after: msgspec.Struct, as_json: bool) -> None:
    """Say what is different now, or print all of it as JSON."""
    if as_json:
        print_json(after)
        return
    old, new = dict(_flat(msgspec.to_builtins(before))), dict(_flat(msgspec.to_builtins(after)))
    changed = [name for name in {**old, **new} if old.get(name) != new.get(name)]
    for name in changed:
        console().print(f"{name}: {_text(old.get(name))} -> {_text(new.get(name))}", highlight=False)
    if not changed:
        console(stderr=True).print("nothing changed: these are the values already", highlight=False)


def _text(value: object) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _flat(values: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
