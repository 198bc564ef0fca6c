"""`al-loop pretrain`."""

import argparse
import time

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from al_loop.domain.rounds import Pretraining, PretrainingState
from models.progress import ProgressLine
from service.answers import PretrainingView
from service.client import Client

POLL_S = 0.5


def run(arguments: argparse.Namespace, client: Client) -> int:
    """Start a pretraining and, if told to, follow it; exit code 1 if it did not end well."""
    body = {
        "method": arguments.method,
        "encoder": arguments.encoder,
        "pretrained_file": arguments.weights,
        "pretrained": arguments.method == "pretrained" and arguments.weights is None,
        "minutes": arguments.minutes,
    }
    wanted = {name: value for name, value in body.items() if value is not None}
    started = client.start_pretraining(arguments.campaign, wanted)
    console = Console(stderr=True)
    if not arguments.watch:
        console.print(f"pretraining {started.number} is {started.state}", highlight=False)
        return 0
    view = _follow(client, arguments.campaign, started.number, console)
    console.print(outcome(view), highlight=False, markup=False)
    for line in view.log:
        console.print(f"  {line}", highlight=False, markup=False)
    return 0 if view.state is PretrainingState.FINISHED else 1


def outcome(view: Pretraining) -> str:
    """One line on how a pretraining ended."""
    measured = ""
    if view.summary is not None:
        measured = (
            f" {view.version}: {view.summary.embedding_size} values that use {view.summary.effective_rank:.0f} "
            f"directions, from {view.summary.chips} chips in {view.summary.epochs} epochs"
        )
    return f"pretraining {view.number} {view.state}:{measured or ' ' + (view.error or '')}"


def _follow(client: Client, campaign: str, number: int, console: Console) -> PretrainingView:
    """Show progress in the terminal until the end."""
    columns = (TextColumn("pretraining {task.description}"), BarColumn(), TextColumn("{task.fields[numbers]}"))
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as progress:
        bar = progress.add_task("queued", total=None, numbers="")
        while True:
            view = client.pretraining(campaign, number)
            line = view.progress
            if line is None:
                progress.update(bar, description=view.state)
            else:
                progress.update(
                    bar,
                    description=view.state,
                    completed=line.done,
                    total=line.total or None,
                    numbers=_numbers(line),
                )
            if view.state.is_end:
                return view
            time.sleep(POLL_S)


def _numbers(line: ProgressLine) -> str:
    parts = [line.message] if line.message else []
    if line.loss is not None:
        parts.append(f"loss {line.loss:.1f}")
    if line.seconds_left is not None:
        parts.append(f"{line.seconds_left:.0f} s left")
    return ", ".join(parts)
