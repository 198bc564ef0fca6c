"""Requests, refusals and runs of models are counted under names and labels that stay few."""

from service.metrics.requests import Metrics
from tests.e2e.campaigns import Http
from tests.service.metrics.fixtures import read, value


def test_requests_are_counted_by_template(http: Http) -> None:
    for name in ("one", "two"):
        assert http.get(f"/campaigns/{name}").status_code == 404
    samples = read(http.get("/metrics").text)
    route = "/campaigns/{campaign}"
    assert value(samples, "http_requests_total", method="GET", route=route, status="404") == 2
    assert value(samples, "http_request_duration_seconds_count", method="GET", route=route) == 2
    assert not any("one" in label for _, labels in samples for _, label in labels)
    assert value(samples, "process_resident_memory_bytes") or 0 > 1e6
    assert sum(name == "al_loop_build_info" for name, _ in samples) == 1


def test_what_is_refused_before_the_routes_is_counted_by_the_status_of_its_answer(http: Http) -> None:
    assert http.get("/campaigns", headers={"Host": "evil.example"}).status_code == 403
    assert http.post("/campaigns", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    samples = read(http.get("/metrics").text)
    for method, status in (("GET", "403"), ("POST", "415")):
        assert value(samples, "http_requests_total", method=method, route="/campaigns", status=status) == 1
    assert not any(("status", "500") in labels for _, labels in samples)


def test_refusals_and_runs_of_models_are_counted() -> None:
    metrics = Metrics()
    for status in (200, 404, 413, 503, 503, 431):
        metrics.note_refusal(status)
    metrics.note_batch(["classification", "segmentation"], 3, 0.02)
    get = metrics.registry.get_sample_value
    counted = {reason: get("al_loop_rejections_total", {"reason": reason}) for reason in ("overloaded", "too_large")}
    assert counted == {"overloaded": 2, "too_large": 1}
    for task in ("classification", "segmentation"):
        assert get("al_loop_prediction_batch_size_sum", {"task": task}) == 3
        assert get("al_loop_prediction_duration_seconds_sum", {"task": task}) == 0.02
