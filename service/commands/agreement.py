"""`al-loop agreement`: how far annotators agree with one another and with known answers."""

import argparse

from rich.console import Console
from rich.table import Table

from al_loop.domain.quality import Estimate
from service.client import Client


def run(arguments: argparse.Namespace, client: Client) -> int:
    """Print agreement by task, pair and class, and each annotator against the golden samples."""
    console = Console()
    for task in client.agreement(arguments.campaign).tasks:
        console.print(f"{task.task}: {task.samples} samples with two answers or more")
        if task.pairs:
            pairs = Table("annotators", "samples", "class", "agreement", "kappa", "IoU")
            for pair in task.pairs:
                names = f"{pair.first}, {pair.second}"
                pairs.add_row(names, str(pair.samples), "all", "", _estimate(pair.kappa), _estimate(pair.iou))
                for entry in pair.classes:
                    share = "" if entry.agreement is None else f"{entry.agreement:.2f}"
                    pairs.add_row("", "", entry.name, share, _estimate(entry.kappa), "")
            console.print(pairs)
        if task.golden:
            golden = Table("annotator", "golden samples", "IoU" if task.task == "segmentation" else "accuracy")
            for score in task.golden:
                golden.add_row(score.annotator, str(score.samples), _estimate(score.score))
            console.print(golden)
    return 0


def _estimate(value: Estimate | None) -> str:
    return "" if value is None else f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"
