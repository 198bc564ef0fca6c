import re
from pathlib import Path

from al_loop_records.metric_names import CLASS_METRICS, METRIC_NAMES, class_metric, metric_name
from models.tasks import task_kinds

PAGE = Path(__file__).parents[2] / "service/page/core/format.js"


def test_metrics_are_called_by_their_usual_names() -> None:
    assert metric_name("miou") == "mean IoU"
    assert metric_name("macro_f1") == "macro F1"
    assert metric_name("accuracy") == "accuracy"
    assert metric_name("balanced_accuracy") == "balanced accuracy"


def test_pages_call_metrics_by_the_same_names() -> None:
    found = re.search(r"METRIC_NAMES = \{(.*?)\};", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert dict(re.findall(r'(\w+): "([^"]+)"', found[1])) == METRIC_NAMES
    found = re.search(r"CLASS_METRICS = \{(.*?)\};", PAGE.read_text(), re.DOTALL)
    assert found is not None
    assert dict(re.findall(r'(\w+): "([^"]+)"', found[1])) == CLASS_METRICS


def test_what_is_measured_of_a_class_is_what_its_task_measures() -> None:
    every = [kind(classes=("a", "b"), multi_label=many) for kind in task_kinds().values() for many in (False, True)]
    assert {task.metric.name: task.metric.of_class for task in every} == CLASS_METRICS
    assert class_metric("miou") == "IoU"
