"""Whether a model that was trained again is the one of before: by its bits, or else by its metrics. Pure."""

from collections.abc import Mapping, Sequence

from al_loop.domain.reproductions import FileDigest, RepeatedMetric, ReproductionResult
from al_loop_records.metric_names import metric_name
from models.card import Evaluation, ModelCard
from models.environment import environment_differences
from models.registry import ONNX_FILE

WEIGHTS_FILE = "weights.safetensors"
MODEL_FILES = (ONNX_FILE, WEIGHTS_FILE)
UNKNOWN = "what the round ran in was not recorded then"


def compare(
    then: ModelCard | None,
    measured: Evaluation | None,
    now: ModelCard,
    digests: Mapping[str, str],
    *,
    tolerance: float,
    labels_rebuilt: bool,
) -> ReproductionResult:
    """The verdict on a model that was trained again from the same manifest.

    Equal bits settle it. Other bits in the same environment on a CPU mean that it was not reproduced. In another
    environment, on a GPU, or by several workers, bits differ for reasons of their own: metrics on the same reserve
    samples are compared.

    Args:
        then: Card of the version; None: its files are gone.
        measured: What the round measured.
        now: Card of the new training.
        digests: sha256 of `MODEL_FILES` of the new training.
        tolerance: How much each metric may differ.
        labels_rebuilt: Whether the labels were put together again from their events.
    """
    files = [
        FileDigest(name=name, then=_known(then, name), now=digests[name]) for name in MODEL_FILES if name in digests
    ]
    metrics = _metrics(measured, now.evaluation)
    differences = _differences(then, now)
    same = [entry.name for entry in files if entry.then == entry.now]
    if same:
        reproduced, compared = True, "digests"
        sentence = f"reproduced: {' and '.join(same)} {'is' if len(same) == 1 else 'are'} the same to the bit"
    elif then is not None and not differences:
        reproduced, compared = False, "digests"
        sentence = f"not reproduced: other bits in the same environment; {_told(metrics)}"
    else:
        reproduced, compared = bool(metrics) and all(_within(entry, tolerance) for entry in metrics), "metrics"
        why = "the files of the version are gone" if then is None else "; ".join(differences)
        sentence = (
            f"{'reproduced' if reproduced else 'not reproduced'} by its metrics, which may differ by {tolerance:g}, as "
            f"bits cannot be compared ({why}): {_told(metrics)}"
        )
    return ReproductionResult(
        reproduced=reproduced,
        compared="digests" if compared == "digests" else "metrics",
        sentence=sentence,
        digests=files,
        metrics=metrics,
        environment=differences,
        labels_rebuilt=labels_rebuilt,
    )


def not_there(sentence: str, changed_files: Sequence[str] = (), *, labels_rebuilt: bool = False) -> ReproductionResult:
    """The verdict on a round that cannot be trained again."""
    return ReproductionResult(
        reproduced=False,
        compared="nothing",
        sentence=sentence,
        changed_files=list(changed_files),
        labels_rebuilt=labels_rebuilt,
    )


def _known(card: ModelCard | None, name: str) -> str | None:
    return None if card is None else card.digests.get(name)


def _differences(then: ModelCard | None, now: ModelCard) -> list[str]:
    if then is None or now.environment is None:
        return []
    if then.environment is None:
        return [UNKNOWN]
    told = environment_differences(then.environment, now.environment)
    gpu = ["trained on a GPU"] if now.environment.device != "cpu" else []
    together = [f"trained by {now.environment.workers} workers"] if now.environment.workers > 1 else []
    return told or gpu + together


def _metrics(measured: Evaluation | None, now: Evaluation) -> list[RepeatedMetric]:
    values = {entry.task: entry.value for entry in now.candidate}
    return [
        RepeatedMetric(task=entry.task, metric=entry.metric, then=entry.value, now=values.get(entry.task))
        for entry in ([] if measured is None else measured.candidate)
    ]


def _within(entry: RepeatedMetric, tolerance: float) -> bool:
    return entry.now is not None and abs(entry.now - entry.then) <= tolerance


def _told(metrics: Sequence[RepeatedMetric]) -> str:
    told = [
        f"{entry.task} {metric_name(entry.metric)} {entry.then:.3f} then, "
        f"{'none' if entry.now is None else f'{entry.now:.3f}'} now"
        for entry in metrics
    ]
    return ", ".join(told) or "nothing was measured then"
