"""How far annotators agree with each other and with the known answers of gold-standard samples.

Only labels that were given independently count: not retracted ones, and not those of a re-annotation, whose samples
were chosen because their label may be wrong. The known answer of a gold-standard sample (`settings.query.golden`) is
the label that the annotator "golden" gave it.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import GOLD_STANDARD_ANNOTATOR, Label
from al_loop.domain.painting import painted
from al_loop.domain.quality import AgreementReport, ClassAgreement, GoldenScore, PairAgreement, TaskAgreement
from al_loop.domain.samples import SampleHeader
from al_loop.quality.kappa import kappa_estimate, mean_estimate, one_against_rest, positive_agreement
from al_loop.store import LabelStore
from models.card import TaskSpec
from models.metrics import mask_iou, mean_mask_iou
from models.tasks import task_of

LabelsByAnnotator = dict[str, Label]
"""Labels of one sample by annotator."""
Pair = tuple[str, str]
Compared = dict[Pair, list[NDArray[np.float64]]]
"""IoU of each class, shape (K,), NaN where neither drew it: one entry a sample."""


def agreement_report(store: LabelStore, campaign: Campaign) -> AgreementReport:
    """Agreement by task, pair of annotators and class, and each annotator against the known answers."""
    number = campaign.campaign_id
    second_looks = store.relabels.second_looks(number)
    labels = [label for label in store.labels.current(number) if label.label_id not in second_looks]
    gold_standard = set(store.samples.by_paths(number, campaign.settings.query.golden).values())
    return AgreementReport(tasks=[_of_task(store, campaign, spec, labels, gold_standard) for spec in campaign.tasks])


def _of_task(
    store: LabelStore, campaign: Campaign, spec: TaskSpec, labels: Iterable[Label], gold_standard: set[int]
) -> TaskAgreement:
    by_sample: dict[int, LabelsByAnnotator] = {}
    for label in labels:
        if label.task == spec.task:
            by_sample.setdefault(label.sample_id, {})[label.annotator] = label
    known = {
        sample_id: answers[GOLD_STANDARD_ANNOTATOR]
        for sample_id, answers in by_sample.items()
        if sample_id in gold_standard and GOLD_STANDARD_ANNOTATOR in answers
    }
    people = {
        sample_id: {name: label for name, label in answers.items() if name != GOLD_STANDARD_ANNOTATOR}
        for sample_id, answers in by_sample.items()
    }
    shared = {sample_id: answers for sample_id, answers in people.items() if len(answers) > 1}
    checked = {sample_id: people[sample_id] | {GOLD_STANDARD_ANNOTATOR: label} for sample_id, label in known.items()}
    if task_of(spec).answered_with == "features":  # of boxes, too, the areas that they cover
        headers = store.samples.headers(campaign.campaign_id, {*shared, *checked})
        pairs = [_drawn(spec, pair, ious) for pair, ious in sorted(_ious(spec, shared, headers).items())]
        against = _ious(spec, checked, headers, only=GOLD_STANDARD_ANNOTATOR)
        scores = {pair: np.array([mean_mask_iou(iou) for iou in ious]) for pair, ious in against.items()}
    else:
        pairs = [_named(spec, pair, answers) for pair, answers in sorted(_pairs(shared).items()) if spec.classes]
        scores = {
            pair: np.array([set(a.classes or []) == set(b.classes or []) for a, b in answers], np.float64)
            for pair, answers in _pairs(checked, only=GOLD_STANDARD_ANNOTATOR).items()
        }
    return TaskAgreement(
        task=spec.task,
        samples=len(shared),
        pairs=pairs,
        golden=[
            GoldenScore(annotator=_other(pair), samples=len(values), score=mean_estimate(values))
            for pair, values in sorted(scores.items(), key=lambda item: _other(item[0]))
        ],
    )


def _pairs(samples: Mapping[int, LabelsByAnnotator], only: str | None = None) -> dict[Pair, list[tuple[Label, Label]]]:
    """Labels of the same samples by pair of annotators in the order of their names; `only`: pairs with this one."""
    pairs: dict[Pair, list[tuple[Label, Label]]] = {}
    for answers in samples.values():
        for first, second in combinations(sorted(answers), 2):
            if only is None or only in (first, second):
                pairs.setdefault((first, second), []).append((answers[first], answers[second]))
    return pairs


def _other(pair: Pair) -> str:
    return pair[0] if pair[1] == GOLD_STANDARD_ANNOTATOR else pair[1]


def _named(spec: TaskSpec, pair: Pair, answers: Sequence[tuple[Label, Label]]) -> PairAgreement:
    """Agreement of classes; an answer that names none is a category of its own."""
    if spec.multi_label:
        tables = []
        for name in spec.classes:
            table = np.zeros((2, 2), np.int64)
            for first, second in answers:
                table[int(name in (first.classes or [])), int(name in (second.classes or []))] += 1
            tables.append(table)
        kappa = None
    else:
        codes = {name: code for code, name in enumerate(spec.classes, start=1)}
        whole = np.zeros((len(codes) + 1, len(codes) + 1), np.int64)
        for first, second in answers:
            whole[_code(first, codes), _code(second, codes)] += 1
        tables = [one_against_rest(whole, code) for code in codes.values()]
        kappa = kappa_estimate(whole)
    return PairAgreement(
        first=pair[0],
        second=pair[1],
        samples=len(answers),
        kappa=kappa,
        iou=None,
        classes=[
            ClassAgreement(name=name, agreement=positive_agreement(table, 1), kappa=kappa_estimate(table))
            for name, table in zip(spec.classes, tables, strict=True)
        ],
    )


def _code(label: Label, codes: Mapping[str, int]) -> int:
    return codes[label.classes[0]] if label.classes else 0


def _drawn(spec: TaskSpec, pair: Pair, ious: Sequence[NDArray[np.float64]]) -> PairAgreement:
    by_class = np.stack(ious).T  # (K, n)
    return PairAgreement(
        first=pair[0],
        second=pair[1],
        samples=len(ious),
        kappa=None,
        iou=mean_estimate(np.array([mean_mask_iou(iou) for iou in ious])),
        classes=[
            ClassAgreement(
                name=name, agreement=None if np.isnan(values).all() else float(np.nanmean(values)), kappa=None
            )
            for name, values in zip(spec.classes, by_class, strict=True)
        ],
    )


def _ious(
    spec: TaskSpec,
    samples: Mapping[int, LabelsByAnnotator],
    headers: Mapping[int, SampleHeader],
    only: str | None = None,
) -> Compared:
    """IoU of each class by pair; one sample's masks are in memory at a time."""
    compared: Compared = {}
    for sample_id, answers in samples.items():
        header = headers[sample_id]
        masks = {name: painted(spec.classes, label, header) for name, label in answers.items()}
        for first, second in combinations(sorted(answers), 2):
            if only is None or only in (first, second):
                found = mask_iou(masks[first], masks[second], len(spec.classes))
                compared.setdefault((first, second), []).append(found)
    return compared
