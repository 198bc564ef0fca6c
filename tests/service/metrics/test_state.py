"""The state of the service: disk, queues, lag and deliveries, without the name of a campaign."""

from pathlib import Path

from al_loop.domain.webhooks import SUBSCRIBABLE
from al_loop.loop import utc_now
from tests.e2e.campaigns import Http, create, write_pool
from tests.service.metrics.fixtures import read, value


def test_state_of_the_service_is_told(http: Http, imagery: Path) -> None:
    write_pool(imagery / "pool", 2, size=32)
    create(http, imagery / "pool", "secret-site")
    loop = http.app.state.loop
    campaign_id = loop.store.campaigns.get("secret-site").campaign_id
    loop.store.rounds.create(campaign_id, reason="ops", now=utc_now())
    hook = loop.store.webhooks.add("https://no-such-host.invalid/", SUBSCRIBABLE, None, "whsec_AAAA", utc_now())
    delivery = loop.store.deliveries.test(hook.webhook_id, utc_now())
    loop.store.deliveries.note_attempt(delivery.delivery_id, utc_now(), status=500, problem="x", next_at=None)
    loop.disk.measure()
    samples = read(http.get("/metrics").text)
    assert value(samples, "al_loop_jobs_queued", kind="round") == 1
    assert value(samples, "al_loop_jobs_running", kind="pretraining") == 0
    assert value(samples, "al_loop_webhook_deliveries", state="dead") == 1
    assert value(samples, "al_loop_scheduler_running") == 1
    assert value(samples, "al_loop_failing_work") == 0
    assert {dict(labels)["work"] for name, labels in samples if name == "al_loop_scheduler_lag_seconds"} >= {
        "retrain", "score", "heads", "assists", "events",
    }  # fmt: skip
    free, total = (value(samples, f"al_loop_disk_{name}_bytes") or 0 for name in ("free", "total"))
    assert 0 < free < total
    stored = value(samples, "al_loop_store_bytes", file="database") or 0
    assert 0 < stored <= (value(samples, "al_loop_data_bytes") or 0)
