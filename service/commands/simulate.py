"""`al-loop simulate`."""

import argparse

from rich.console import Console


def run(arguments: argparse.Namespace) -> int:
    """Run strategies side by side on a labelled folder; print a table, leave `curve.png` and `curve.json`."""
    # Here, as they load what draws curves: it would cost every other command two seconds.
    from al_loop.simulation.run import RunProgress, SimulationConfig
    from al_loop.simulation.run import run as run_simulation
    from al_loop.simulation.table import comparison_table, curve_table

    console = Console(stderr=True)
    config = SimulationConfig(
        directory=arguments.directory,
        strategies=[name.strip() for name in arguments.strategy.split(",") if name.strip()],
        rounds=arguments.rounds,
        query_size=arguments.query_size,
        first_query_size=arguments.first_query_size,
        growth=arguments.growth,
        seeds=arguments.seeds,
        out=arguments.out,
        mode=arguments.mode,
        pretrain_minutes=arguments.pretrain_minutes,
        workers=arguments.workers,
        thin=dict(arguments.thin or []),
    )

    def report(progress: RunProgress) -> None:
        value = "no model" if progress.record.value is None else f"{progress.record.value:.3f}"
        console.print(
            f"{progress.strategy} seed {progress.seed}: round {progress.round_number} of {progress.rounds}, "
            f"{progress.record.labels} labels, {value}",
            highlight=False,
        )

    curves = run_simulation(config, report, lambda words: console.print(words, highlight=False))
    Console().print(curve_table(curves))
    if curves.comparisons:
        Console().print(comparison_table(curves))
    console.print(f"wrote {arguments.out}/curve.png and curve.json")
    return 0
