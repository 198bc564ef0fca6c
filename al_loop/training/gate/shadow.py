"""Champion and challenger by labels that came in after both had answered, and what follows. Pure but for the pictures.

Each labelled sample judges both versions: by whether the classes are named exactly, or by the mean IoU of the mask over
the classes that are in the answer or the label. The difference is paired by sample, its interval a percentile
bootstrap. It is decided at a number of samples that is set beforehand, once: looking after every label and stopping at
a good moment would promote by luck.
"""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.box_outcomes import compare_boxes, drawn_boxes, proposed_boxes
from al_loop.domain.campaigns import Campaign
from al_loop.domain.gate import Challenger, Judgement, ShadowReport, ShadowSettings
from al_loop.domain.labels import Label
from al_loop.domain.painting import painted
from al_loop.domain.samples import SampleHeader
from al_loop.serving.shadow.answering import ShadowCounts
from al_loop.store.tables.shadow_answers import JudgedAnswer
from al_loop_records.metric_names import metric_name
from models.card import IGNORE, TaskName
from models.metrics import mask_iou, mean_mask_iou, percentile_interval, resampled_means
from models.tasks import task_of

RESAMPLES = 2_000
SEED = 20240229
LEAST_FOR_INTERVAL = 5


def scores_of(
    campaign: Campaign, label: Label, answers: JudgedAnswer, header: SampleHeader | None
) -> tuple[float, float] | None:
    """How right champion and challenger were about a labelled sample, 0 to 1 each; None: it cannot be told.

    Args:
        campaign: Whose.
        label: What a person said, or an import.
        answers: What both versions said.
        header: Size and place of the sample; None: it is gone.
    """
    spec = campaign.task(label.task)
    if spec is None:
        return None
    if label.features is None:
        kept, task = {*(label.classes or [])}, task_of(spec)
        given = (task.proposed(answers.champion_answer), task.proposed(answers.challenger_answer))
        return float({*given[0]} == kept), float({*given[1]} == kept)
    if task_of(spec).finds_objects:
        if header is None:
            return None
        kept_boxes = drawn_boxes(spec.classes, label, header)
        one, other = (
            compare_boxes(proposed_boxes(answer), kept_boxes).agreement
            for answer in (answers.champion_answer, answers.challenger_answer)
        )
        return one, other
    masks = answers.champion_mask, answers.challenger_mask
    if header is None or label.points is not None or masks[0] is None or masks[1] is None:
        return None  # points say nothing of the rest of the image
    fill = IGNORE if campaign.settings.unlabelled == "ignore" else 0
    truth = painted(spec.classes, label, header, fill)
    if not masks[0].shape == masks[1].shape == truth.shape:
        return None
    overlaps = [mean_mask_iou(mask_iou(mask, truth, IGNORE - 1)) for mask in masks if mask is not None]
    return overlaps[0], overlaps[1]


def judge(
    campaign: Campaign, pairs: Sequence[tuple[Label, JudgedAnswer]], headers: Mapping[int, SampleHeader]
) -> list[Judgement]:
    """Both versions on each task with a label that judges them."""
    found: dict[TaskName, list[tuple[float, float]]] = {}
    unaided: dict[TaskName, int] = {}
    drawn: dict[TaskName, bool] = {}
    for label, answers in pairs:
        scores = scores_of(campaign, label, answers, headers.get(label.sample_id))
        if scores is None:
            continue
        found.setdefault(label.task, []).append(scores)
        unaided[label.task] = unaided.get(label.task, 0) + answers.blind
        drawn[label.task] = label.features is not None
    return [
        _judgement(task, np.array(scores), drawn=drawn[task], unaided=unaided[task]) for task, scores in found.items()
    ]


def shadow_report(
    challenger: Challenger,
    champion: str | None,
    judgements: Sequence[Judgement],
    answered: int,
    counts: ShadowCounts,
    settings: ShadowSettings,
    tolerance: float,
) -> ShadowReport:
    """What the labels say, and what the rule makes of it.

    Decided once a task has `settings.labels` judging samples. The challenger is promoted if it is not worse than the
    champion by more than `tolerance` on any task that has as many.
    """
    full = [entry for entry in judgements if entry.samples >= settings.labels]
    promote = all((entry.difference or 0.0) >= -tolerance for entry in full) if full else None
    figures = [
        f"{entry.task} {metric_name(entry.metric)} {entry.challenger:.3f} against {entry.champion:.3f}, "
        f"{entry.difference:+.3f} [{entry.low:+.3f}, {entry.high:+.3f}] on {entry.samples} samples"
        if entry.low is not None and entry.high is not None
        else f"{entry.task}: {entry.samples} of {settings.labels} samples labelled"
        for entry in judgements
    ]
    if not figures:
        figures = [f"no sample that both have answered was labelled since; {settings.labels} are needed"]
    if promote is None:
        most = max((entry.samples for entry in judgements), default=0)
        said = f"{challenger.version} answers in the shadow, {most} of {settings.labels} labels judge it"
    else:
        said = f"{challenger.version} is {'no worse' if promote else 'worse'} by the labels that came in"
    return ShadowReport(
        version=challenger.version,
        champion=champion,
        since=challenger.since,
        answered=answered,
        dropped=counts.dropped,
        failed=counts.failed,
        judgements=list(judgements),
        needed=settings.labels,
        ready=promote is not None,
        promote=promote,
        sentence=f"{said}: {'; '.join(figures)}",
    )


def _judgement(task: TaskName, scores: NDArray[np.float64], *, drawn: bool, unaided: int) -> Judgement:
    difference = scores[:, 1] - scores[:, 0]
    low = high = None
    if len(scores) >= LEAST_FOR_INTERVAL:
        means = resampled_means(difference, RESAMPLES, np.random.default_rng(SEED))
        ends = percentile_interval(means)
        low, high = float(ends[0]), float(ends[1])
    return Judgement(
        task=task,
        metric="iou" if drawn else "accuracy",
        samples=len(scores),
        champion=float(scores[:, 0].mean()),
        challenger=float(scores[:, 1].mean()),
        difference=float(difference.mean()),
        low=low,
        high=high,
        unaided=unaided,
    )
