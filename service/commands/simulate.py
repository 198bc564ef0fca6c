"""`al-loop simulate`."""

import os
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from al_loop.errors import NotInstalledError
from service.commands.options import Force, Quiet, check_not_there, check_writable
from service.commands.output import console, print_tables


class ClassShare(NamedTuple):
    """How much of a class stays in the pool."""

    name: str
    share: float
    """In (0, 1]."""


def class_share(text: str) -> ClassShare:
    """`CLASS=SHARE` as name and number.

    Raises:
        BadParameter: Something else, or a share outside (0, 1].
    """
    name, _, share = text.rpartition("=")
    try:
        value = float(share)
    except ValueError as error:
        raise typer.BadParameter(f"{text!r} is not CLASS=SHARE, as in River=0.05") from error
    if not name or not 0 < value <= 1:
        raise typer.BadParameter(f"{text!r} is not CLASS=SHARE with a share above 0 and up to 1")
    return ClassShare(name, value)


def _check_can_simulate() -> None:
    from al_loop.training.installed import PACKAGES, missing_packages

    missing = missing_packages((*PACKAGES, "matplotlib"))
    if missing:
        raise NotInstalledError(missing)


def run(
    directory: Annotated[Path, typer.Argument(help="Labelled folder, as for import.")],
    out: Annotated[Path, typer.Option(help="Directory of curve.png and curve.json.")],
    strategy: Annotated[
        str,
        typer.Option(
            help="Strategies, separated by commas; for points: random, pool_margin (or auto), class_margin, margin, "
            "entropy, foreground_random, clasp_pe, each also with :click_cost=0.5, where the model proposes."
        ),
    ] = "random,auto",
    rounds: Annotated[int, typer.Option(help="Queries, each followed by training.")] = 5,
    query_size: Annotated[int, typer.Option(help="Labels, or clicks, of each query.")] = 20,
    first_query_size: Annotated[
        int | None, typer.Option(help="Labels, or clicks, of the first round; --query-size if left out.")
    ] = None,
    growth: Annotated[float, typer.Option(help="Factor from one query to the next.")] = 1.0,
    seeds: Annotated[int, typer.Option(help="Repetitions, paired across strategies.")] = 3,
    mode: Annotated[
        Literal["fast", "full"] | None,
        typer.Option(
            help="full retrains the model every round; fast refits heads on an encoder's embeddings.",
            show_default="full; fast for points",
        ),
    ] = None,
    unit: Annotated[
        Literal["image", "point"],
        typer.Option(help="Ask about whole images, or about points of them (segmentation), counted in clicks."),
    ] = "image",
    task: Annotated[
        str | None, typer.Option(help="Which of the folder's tasks, where it has several, such as `detection`.")
    ] = None,
    pretrain_minutes: Annotated[
        float, typer.Option(help="fast: minutes of self-supervised training; 0: the shipped encoder.")
    ] = 0.0,
    thin: Annotated[
        list[ClassShare] | None,
        typer.Option(
            parser=class_share,
            metavar="CLASS=SHARE",
            help="fast: keep this share of a class in the pool, as if it were rare; may be repeated.",
        ),
    ] = None,
    force: Force = False,
    quiet: Quiet = False,
    workers: Annotated[int, typer.Option(help="Runs side by side.", show_default="number of cores")] = os.cpu_count()
    or 1,
) -> None:
    """Compare query strategies on a labelled folder, without a service.

    Prints a table, and leaves learning curves with intervals as curve.png and curve.json.
    """
    check_writable(out)
    check_not_there(out / "curve.json", force)
    _check_can_simulate()
    # Here, as they load what draws curves: it would cost every other command two seconds.
    from al_loop.simulation.run import RunProgress, SimulationConfig
    from al_loop.simulation.run import run as run_simulation
    from al_loop.simulation.table import area_table, box_table, comparison_table, curve_table

    log = console(stderr=True)
    shown = console(stderr=True, quiet=quiet)
    config = SimulationConfig(
        directory=directory,
        task=task,
        strategies=[name.strip() for name in strategy.split(",") if name.strip()],
        rounds=rounds,
        query_size=query_size,
        first_query_size=first_query_size,
        growth=growth,
        seeds=seeds,
        out=out,
        mode=mode or ("fast" if unit == "point" else "full"),
        unit=unit,
        pretrain_minutes=pretrain_minutes,
        workers=workers,
        thin=dict(thin or []),
    )

    def report(progress: RunProgress) -> None:
        value = "no model" if progress.record.value is None else f"{progress.record.value:.3f}"
        shown.print(
            f"{progress.strategy} seed {progress.seed}: round {progress.round_number} of {progress.rounds}, "
            f"{progress.record.labels} {'clicks' if unit == 'point' else 'labels'}, {value}",
            highlight=False,
        )

    curves = run_simulation(config, report, lambda words: shown.print(words, highlight=False))
    print_tables(curve_table(curves))
    if unit == "point":
        print_tables(area_table(curves))
    if any(curve.boxes is not None for curve in curves.strategies.values()):
        print_tables(box_table(curves))
    if curves.comparisons:
        print_tables(comparison_table(curves))
    log.print(f"wrote {out}/curve.png and curve.json")
