"""`al-loop pretrain`."""

import time
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from al_loop.client.answers import PretrainingView
from al_loop.domain.rounds import Pretraining, PretrainingState
from models.progress import ProgressLine
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Quiet, Service, Token, connect
from service.commands.output import ExitCode, console, print_json

if TYPE_CHECKING:
    from al_loop.client.http import Client

POLL_S = 0.5


def run(
    campaign: CampaignName,
    minutes: Annotated[float | None, typer.Option(help="Time to train; 20 if left out.")] = None,
    encoder: Annotated[
        str | None, typer.Option(help="timm encoder; that of the campaign's models if left out.")
    ] = None,
    method: Annotated[
        Literal["barlow_twins", "pretrained"], typer.Option(help="Train on the images, or use weights as they are.")
    ] = "barlow_twins",
    weights: Annotated[
        str | None,
        typer.Option(help="safetensors file on the service's machine to start from, or to use as it is."),
    ] = None,
    pairs_by: Annotated[
        str | None,
        typer.Option(
            help="Compare two images of one place: `place`, or a regular expression whose first group, in the paths of "
            "both images, names the place."
        ),
    ] = None,
    pairs_with: Annotated[
        str | None,
        typer.Option(help="Folder on the service's machine with the second image of each place, such as radar."),
    ] = None,
    watch: Annotated[bool, typer.Option("--watch", help="Follow it until it ends.")] = False,
    quiet: Quiet = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Make an encoder from a campaign's images, without labels.

    Its embeddings rank the pool, and training starts from its weights.
    """
    body = {
        "method": method,
        "encoder": encoder,
        "pretrained_file": weights,
        "pretrained": method == "pretrained" and weights is None,
        "minutes": minutes,
        "pairs_by": pairs_by,
        "pairs_with": pairs_with,
    }
    out = console(stderr=True)
    with connect(service, token) as client:
        view = client.start_pretraining(campaign, {name: value for name, value in body.items() if value is not None})
        if watch:
            view = _follow(client, campaign, view.number, console(stderr=True, quiet=quiet))
    if watch:
        out.print(outcome(view), highlight=False, markup=False)
        for line in view.log:
            out.print(f"  {line}", highlight=False, markup=False)
    else:
        out.print(f"pretraining {view.number} is {view.state}", highlight=False)
    if as_json:
        print_json(view)
    return ExitCode.FAILED if watch and view.state is not PretrainingState.FINISHED else ExitCode.DONE


def outcome(view: Pretraining) -> str:
    """One line on how a pretraining ended."""
    measured, pairs = "", ""
    if view.summary is not None and view.summary.pairs:
        pairs = f" of {view.summary.pairs} pairs of images"
    if view.summary is not None:
        measured = (
            f" {view.version}: {view.summary.embedding_size} values that use {view.summary.effective_rank:.0f} "
            f"directions, from {view.summary.chips} chips{pairs} in {view.summary.epochs} epochs"
        )
    return f"pretraining {view.number} {view.state}:{measured or ' ' + (view.error or '')}"


def _follow(client: "Client", campaign: str, number: int, out: Console) -> PretrainingView:
    """Show progress in the terminal until the end."""
    columns = (TextColumn("pretraining {task.description}"), BarColumn(), TextColumn("{task.fields[numbers]}"))
    with Progress(*columns, TimeElapsedColumn(), console=out, transient=True) as progress:
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
