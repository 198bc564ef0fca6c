"""`al-loop compare`: models of one task each against one for all of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import msgspec
import typer
from rich.table import Table

from al_loop.domain.comparisons import ComparisonRequest, ComparisonResult, ComparisonState, ComparisonView
from al_loop_records.metric_names import metric_name
from service.commands.following import follow_with_lines
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Quiet, Service, Token, check_writable, connect
from service.commands.output import ExitCode, console, print_json, print_tables

if TYPE_CHECKING:
    from al_loop.client.operators import OperatorClient


def compare(
    campaign: CampaignName,
    tasks: Annotated[
        str | None, typer.Option(help="Tasks, separated by commas; all that are labelled if left out.")
    ] = None,
    seeds: Annotated[int, typer.Option(help="How often each model is trained.", min=1, max=20)] = 3,
    candidates: Annotated[
        Literal["auto", "quick", "deep"] | None,
        typer.Option(help="What each training tries; as the settings have it if left out."),
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Steps of each deep training, at most.", min=1)] = None,
    number: Annotated[
        int | None, typer.Option("--show", help="Show this comparison of before instead of starting one.", min=1)
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder for comparison.json, comparison.png and report.html.")
    ] = None,
    quiet: Quiet = False,
    as_json: AsJson = False,
    service: Service = DEFAULT_URL,
    token: Token = None,
) -> int:
    """Compare one model for each task with one for all.

    They are trained on the labels of now under the same recipe and seeds, and measured on the test reserve: quality
    with paired intervals, training time, size, latency, memory. Nothing of it serves. Ctrl-C cancels it.
    """
    if out is not None:
        check_writable(out)
    names = None if tasks is None else [name.strip() for name in tasks.split(",") if name.strip()]
    request = ComparisonRequest(tasks=names, seeds=seeds, candidates=candidates, max_steps=steps)
    with connect(service, token) as client:
        view = client.comparison(campaign, number) if number is not None else client.start_comparison(campaign, request)
        shown = view.number
        view = follow_with_lines(
            view,
            lambda: client.comparison(campaign, shown),
            lambda: client.cancel_comparison(campaign, shown),
            _state,
            quiet=quiet,
        )
        if out is not None and view.result is not None:
            _leave(client, campaign, view, out)
    if as_json:
        print_json(view)
    elif view.result is None:
        console(stderr=True).print(
            f"comparison {view.number} is {view.state}: {view.error}", highlight=False, soft_wrap=True
        )
    else:
        _print(view.result)
    return ExitCode.DONE if view.state is ComparisonState.FINISHED else ExitCode.FAILED


def _state(view: ComparisonView) -> str:
    message = "" if view.progress is None else view.progress.message.split("; ")[0]
    return f"comparison {view.number}: {view.state}" + (f", {message}" if message else "")


def _leave(client: "OperatorClient", campaign: str, view: ComparisonView, out: Path) -> None:
    out.mkdir(parents=True, exist_ok=True)
    (out / "comparison.json").write_bytes(msgspec.json.format(msgspec.json.encode(view), indent=2))
    (out / "comparison.png").write_bytes(client.comparison_plot(campaign, view.number))
    (out / "report.html").write_bytes(client.comparison_page(campaign, view.number))


def _print(result: ComparisonResult) -> None:
    quality = Table("task", "metric", "images", "places", "alone", "joint", "difference", "95 %")
    for entry in result.tasks:
        between = "" if entry.low is None or entry.high is None else f"{entry.low:+.3f} to {entry.high:+.3f}"
        means = (f"{sum(values) / len(values):.3f}" for values in (entry.alone, entry.joint))
        quality.add_row(
            entry.task,
            metric_name(entry.metric),
            str(entry.samples),
            str(entry.places),
            *means,
            f"{entry.difference:+.3f}",
            between,
        )
    images = [batch.images for batch in result.models[-1].batches]
    costs = Table("model", "kind", "training", "ONNX", *(f"time of {count}" for count in images), "memory")
    for model in result.models:
        costs.add_row(
            model.name, model.candidate, f"{model.training_s:.1f} s", f"{model.onnx_mb:.2f} MB",
            *(f"{batch.milliseconds:.1f} ms" for batch in model.batches),
            "" if model.memory_mb is None else f"{model.memory_mb:.0f} MB",
        )  # fmt: skip
    shares = [result.training_time, result.size, *result.latency, result.memory]
    costs.add_row("joint / others", "", *("" if value is None else f"{value:.2f}" for value in shares))
    print_tables(quality, costs)
    for sentence in [*result.sentences, *result.notices]:
        console(stderr=True).print(sentence, highlight=False, soft_wrap=True)
