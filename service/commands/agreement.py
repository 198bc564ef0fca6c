"""`al-loop agreement`: how far annotators agree with one another and with known answers."""

from rich.table import Table

from al_loop.domain.quality import Estimate, TaskAgreement
from service.commands.options import DEFAULT_URL, AsJson, CampaignName, Service, Token, connect
from service.commands.output import console, print_json, print_tables


def show(campaign: CampaignName, as_json: AsJson = False, service: Service = DEFAULT_URL, token: Token = None) -> None:
    """Show how far annotators agree with one another.

    Cohen's kappa or IoU with 95 % intervals by task, pair of annotators and class, and each annotator against the
    gold-standard samples.
    """
    with connect(service, token) as client:
        report = client.agreement(campaign)
    if as_json:
        print_json(report)
        return
    out = console()
    for task in report.tasks:
        out.print(f"{task.task}: {task.samples} samples with two answers or more")
        if task.pairs:
            print_tables(_pairs(task))
        if task.golden:
            from models.tasks import kind_of  # here: it loads numpy, which no other table needs

            metric = "IoU" if kind_of(task.task).answered_with == "features" else "accuracy"
            gold_standard = Table("annotator", "gold-standard samples", metric)
            for score in task.golden:
                gold_standard.add_row(score.annotator, str(score.samples), _estimate(score.score))
            print_tables(gold_standard)


def _pairs(task: TaskAgreement) -> Table:
    table = Table("annotators", "samples", "class", "agreement", "kappa", "IoU")
    for pair in task.pairs:
        names = f"{pair.first}, {pair.second}"
        table.add_row(names, str(pair.samples), "all", "", _estimate(pair.kappa), _estimate(pair.iou))
        for entry in pair.classes:
            share = "" if entry.agreement is None else f"{entry.agreement:.2f}"
            table.add_row("", "", entry.name, share, _estimate(entry.kappa), "")
    return table


def _estimate(value: Estimate | None) -> str:
    return "" if value is None else f"{value.value:.2f} [{value.low:.2f}, {value.high:.2f}]"
