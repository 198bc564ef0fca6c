"""`python -m service.demo [--data DIR] --out DIR`."""

import argparse
import dataclasses
import random
import shutil
import sys
import time
from pathlib import Path

import msgspec
from rich.console import Console

from al_loop.campaigns.importing import ImportPlan, plan_import
from al_loop.client.errors import ClientError
from al_loop.errors import AlLoopError
from models.card import TrainConfig
from models.rasters.reading import read_header
from models.synthetic.scenes import write_scenes
from service.demo.annotator import Annotator
from service.demo.campaigns import DemoCampaign, spend_labels
from service.demo.findings import FOLDERS, curves_of, print_curves, report_data, write
from service.demo.server import running_service

ROUNDS = 3
DEMO_EPOCHS = 25
DEMO_MAX_STEPS = 150
MOST_PIXELS = 24_000_000
"""Of a larger folder only some images take part, and there is one round fewer: scoring takes longer than training."""
ARMS = {"auto": None, "random": "random"}


def main() -> int:
    """Run the demo; exit code 0 if every round ended with a verdict."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="labelled folder (default: generated scenes)")
    parser.add_argument("--out", type=Path, default=Path("demo-out"), help="directory for the report; replaced")
    parser.add_argument("--rounds", type=int, help=f"default: {ROUNDS}, one less for a large pool")
    parser.add_argument("--query-size", type=int, help="labels a round (default: chosen by the folder's size)")
    arguments = parser.parse_args()
    console = Console()
    try:
        return run(console, arguments.data, arguments.out, arguments.rounds, arguments.query_size)
    except (AlLoopError, ClientError) as error:
        console.print(f"demo: {error}", style="red", highlight=False, markup=False)
        return 2


def run(console: Console, data: Path | None, out: Path, rounds: int | None, query_size: int | None) -> int:
    """Prepare the data, run both strategies at the same time, report."""
    started = time.monotonic()
    if out.exists():
        shutil.rmtree(out)
    out.mkdir(parents=True)
    if data is None:
        data = out / "scenes"
        console.print("writing scenes with several land covers ...")
        write_scenes(data, seed=7)
    found = quick(plan_import(data))
    plan = some_of(found)
    annotator = Annotator.from_plan(plan)
    size = query_size or max(6, min(24, len(plan.paths) // 8))
    rounds = rounds or (ROUNDS if plan is found else ROUNDS - 1)
    taken = "" if plan is found else f"{len(plan.paths)} of "
    console.print(
        f"[bold]{taken}{len(found.paths)} images[/bold] in {data} ({FOLDERS[plan.kind]}); "
        f"{rounds} rounds of {size} labels, for the strategy `auto` and, beside it, for `random`"
    )
    with running_service(out, plan.root) as client:
        arms = [DemoCampaign.create(client, name, strategy, plan, annotator) for name, strategy in ARMS.items()]
        auto, by_chance = arms
        for number in range(1, rounds + 1):
            if number == 1:  # chance has no part in what the curves differ by
                spend_labels(by_chance, size, console)
                auto.ask_the_same(by_chance)
            else:
                for arm in arms:
                    spend_labels(arm, number * size, console)
            started_rounds = [arm.start_round() for arm in arms]
            for arm, started_round in zip(arms, started_rounds, strict=True):
                arm.follow(started_round, console)
        print_curves(console, curves_of(arms))
        findings = report_data(arms, plan, data, out, time.monotonic() - started, console)
        path = write(out, findings)
    console.print(f"[bold green]done[/bold green] in {time.monotonic() - started:.0f} s; report: {path}")
    return 0


def quick(plan: ImportPlan) -> ImportPlan:
    """The plan with a training schedule short enough for a demo on two cores; a campaign's default is longer."""
    train = TrainConfig(epochs=DEMO_EPOCHS, max_steps=DEMO_MAX_STEPS, batch_size=16, chip_size_px=128)
    return dataclasses.replace(plan, settings=msgspec.structs.replace(plan.settings, train=train))


def some_of(plan: ImportPlan) -> ImportPlan:
    """The plan itself, or one with as many of its images, drawn at random, as hold `MOST_PIXELS` together."""
    taken: list[str] = []
    pixels = 0
    for path in random.Random(0).sample(plan.paths, len(plan.paths)):  # noqa: S311  # no secret
        header = read_header(plan.root / path)
        pixels += header.width * header.height
        if pixels > MOST_PIXELS and taken:
            return dataclasses.replace(plan, paths=sorted(taken))
        taken.append(path)
    return plan


if __name__ == "__main__":
    sys.exit(main())
