"""`al-loop round`: start, watch, cancel, list."""

import argparse

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from al_loop.domain.rounds import Round, RoundState
from al_loop.errors import NotFoundError
from models.progress import ProgressLine
from service.answers import RoundView
from service.client import Client


def start(arguments: argparse.Namespace, client: Client) -> int:
    """Start a round and, unless told not to, follow it; exit code 1 if it did not end well."""
    started = client.start_round(arguments.campaign, queue=arguments.queue)
    if arguments.detach:
        Console(stderr=True).print(f"round {started.number} is {started.state}")
        return 0
    return _follow(client, arguments.campaign, started.number)


def watch(arguments: argparse.Namespace, client: Client) -> int:
    """Follow a round until it ends."""
    return _follow(client, arguments.campaign, _number(arguments, client))


def cancel(arguments: argparse.Namespace, client: Client) -> int:
    """Stop a round and wait until it has ended."""
    number = _number(arguments, client)
    client.cancel_round(arguments.campaign, number)
    _follow(client, arguments.campaign, number)
    return 0


def show_all(arguments: argparse.Namespace, client: Client) -> int:
    """Print all rounds as a table."""
    Console().print(round_table(client.rounds(arguments.campaign).rounds))
    return 0


def follow_round(client: Client, campaign: str, number: int, console: Console) -> RoundView:
    """Show a round's progress in the terminal until it ends; return it."""
    last: RoundView | None = None
    with Progress(
        TextColumn("round {task.fields[number]} {task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
    ) as progress:
        bar = progress.add_task("queued", total=None, number=number, numbers="")
        for event in client.watch_round(campaign, number):
            if isinstance(event, ProgressLine):
                progress.update(bar, completed=event.done, total=event.total or None, numbers=_numbers(event))
            else:
                last = event
                progress.update(bar, description=event.state, completed=0, total=None, numbers="")
    if last is None:
        raise NotFoundError(
            "event of round", number, "the service closed the stream; ask again with `al-loop round watch`"
        )
    return last


def outcome(view: Round) -> str:
    """One line on how a round ended."""
    return f"round {view.number} {view.state}: {view.verdict or view.error or view.reason}"


def round_table(rounds: list[Round]) -> Table:
    """Rounds, labels, metric with interval, verdict."""
    table = Table("round", "state", "labels", "reserve", "metric", "why")
    for entry in rounds:
        metrics = [] if entry.evaluation is None else entry.evaluation.candidate
        table.add_row(
            str(entry.number),
            entry.state,
            str(entry.labels or ""),
            str(entry.reserve_labels or ""),
            "\n".join(f"{m.metric} {m.value:.3f} [{m.low:.3f}, {m.high:.3f}]" for m in metrics),
            entry.error or entry.verdict or entry.reason,
        )
    return table


def _follow(client: Client, campaign: str, number: int) -> int:
    console = Console(stderr=True)
    view = follow_round(client, campaign, number, console)
    console.print(outcome(view), highlight=False, markup=False)
    for line in view.log:
        console.print(f"  {line}", highlight=False, markup=False)
    return 0 if view.state in (RoundState.PROMOTED, RoundState.REJECTED) else 1


def _number(arguments: argparse.Namespace, client: Client) -> int:
    if arguments.number is not None:
        return int(arguments.number)
    rounds = client.rounds(arguments.campaign).rounds
    if not rounds:
        raise NotFoundError("round of campaign", arguments.campaign, "start one with `al-loop round start`")
    return rounds[-1].number


def _numbers(line: ProgressLine) -> str:
    parts = [] if line.loss is None else [f"loss {line.loss:.3f}"]
    if line.metric is not None:
        parts.append(f"metric {line.metric:.3f}")
    return " ".join(parts)
