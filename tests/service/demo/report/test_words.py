from service.demo.report.words import metric_name


def test_metrics_are_called_by_their_usual_names() -> None:
    assert metric_name("miou") == "mean IoU"
    assert metric_name("macro_f1") == "macro f1"
    assert metric_name("accuracy") == "accuracy"
