"""How the service as a whole stands when it is asked: disk, queues, lag, deliveries. Names no campaign."""

from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from al_loop.domain.webhooks import DeliveryState
from al_loop.loop import Loop

DELIVERY_STATES: tuple[DeliveryState, ...] = ("waiting", "delivered", "dead")
OUTCOMES = ("delivered", "failed", "given_up")


class ServiceState(Collector):
    """Reads the loop at each scrape; no more than a few small queries, however many campaigns there are."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def collect(self) -> Iterator[Metric]:
        """The families, as they are now."""
        loop = self._loop
        yield _gauge("al_loop_disk_free_bytes", "Free space of the data directory's disk", loop.disk.free_bytes)
        yield _gauge("al_loop_disk_total_bytes", "Size of the data directory's disk", loop.disk.total_bytes)
        if loop.disk.used_bytes is not None:
            yield _gauge("al_loop_data_bytes", "Size of the data directory, every ten minutes", loop.disk.used_bytes)
        store = GaugeMetricFamily("al_loop_store_bytes", "Size of the label store's files", labels=["file"])
        for name, size in loop.store.file_bytes().items():
            store.add_metric([name], size)
        yield store
        yield _gauge("al_loop_write_queue", "Writes that wait for the label store", loop.store.waiting_writes)
        running = loop.scheduler.running
        yield _gauge("al_loop_scheduler_running", "Whether rounds start and pools are scored", running)
        lag = GaugeMetricFamily(
            "al_loop_scheduler_lag_seconds",
            "Since when work that is due is not through; 0: nothing is",
            labels=["work"],
        )
        for work, seconds in loop.scheduler.lag().items():
            lag.add_metric([work], seconds)
        yield lag
        failing = len(loop.tick_errors.problems)
        yield _gauge("al_loop_failing_work", "Work that fails and is tried again, see /health/ready", failing)
        cluster = GaugeMetricFamily("al_loop_cluster_up", "Whether the Ray cluster can be used; absent without one")
        if loop.cluster is not None:
            cluster.add_metric([], float(loop.cluster.state.problem is None))
        yield cluster
        yield from self._jobs()
        yield from self._webhooks()

    def _jobs(self) -> Iterator[Metric]:
        queued = GaugeMetricFamily("al_loop_jobs_queued", "Jobs that wait for their turn", labels=["kind"])
        at_work = GaugeMetricFamily("al_loop_jobs_running", "Jobs at work", labels=["kind"])
        for kind, table in (("round", self._loop.store.rounds), ("pretraining", self._loop.store.pretrainings)):
            counts = table.count_open()
            waiting = counts.pop("queued", 0)
            queued.add_metric([kind], waiting)
            at_work.add_metric([kind], sum(counts.values()))
        yield queued
        yield at_work

    def _webhooks(self) -> Iterator[Metric]:
        counts = self._loop.store.deliveries.counts()
        deliveries = GaugeMetricFamily(
            "al_loop_webhook_deliveries", "Deliveries of webhooks by state", labels=["state"]
        )
        for state in DELIVERY_STATES:
            deliveries.add_metric([state], counts.get(state, 0))
        yield deliveries
        attempts = CounterMetricFamily("al_loop_webhook_attempts", "Attempts to deliver", labels=["outcome"])
        for outcome in OUTCOMES:
            attempts.add_metric([outcome], self._loop.webhooks.outcomes[outcome])
        yield attempts


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(name, text, value=float(value))
