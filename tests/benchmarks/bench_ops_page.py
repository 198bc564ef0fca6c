"""How long the service takes for the ops page of a campaign with a long history.

A campaign with 10,000 rounds, each with a version, a verdict of the gate and a promotion or rejection, in `al-loop
serve` in a process of its own. Measured are the requests of `service/page/ops/*.js`, one by one, and all that one
refresh of the page sends, at once as a browser does.

Run: python -m tests.benchmarks.bench_ops_page [rounds] [--refreshes 40]
"""

import argparse
import os
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import msgspec
import numpy as np

from al_loop.campaigns.layout import DataLayout
from al_loop.domain.campaigns import CampaignSettings, RetrainPolicy
from al_loop.domain.gate import GateCheck, GateReport
from al_loop.store import LabelStore
from models.card import TaskSpec
from tests.al_loop.store.fixtures import plain_headers
from tests.al_loop.store.tables.test_rounds import EVALUATION
from tests.benchmarks.bench_serving import service
from tests.data.tiny_model import make_conv_onnx

BASE = "campaigns/bench"
OVERVIEW = ["campaigns", "health/ready", "audit?limit=20"]
FIRST = [
    BASE, f"{BASE}/rounds?limit=20", f"{BASE}/learning-curve?most=200", f"{BASE}/models?limit=20",
    f"{BASE}/policy/preview", f"{BASE}/savings", f"{BASE}/advice", "audit?limit=20&campaign=bench",
]  # fmt: skip
"""Of a campaign's view; the newest round follows once these are there."""


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", type=int, nargs="?", default=10_000)
    parser.add_argument("--refreshes", type=int, default=40)
    options = parser.parse_args()
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        fill(directory, options.rounds)
        then = [f"{BASE}/rounds/{options.rounds}"]
        with service(directory) as (url, _), httpx.Client(base_url=url, timeout=120) as client:
            for path in (*OVERVIEW, *FIRST, *then):
                client.get(path).raise_for_status()
            times = {
                path: [timed(client, path) for _ in range(options.refreshes)] for path in (*OVERVIEW, *FIRST, *then)
            }
            with ThreadPoolExecutor(6) as pool:  # connections that browsers open to one host
                views = {"view of all": [OVERVIEW], "view of a campaign": [FIRST, then]}
                whole = {
                    name: [refresh(client, pool, view) for _ in range(options.refreshes)]
                    for name, view in views.items()
                }
    for path, seconds in (times | whole).items():
        middle, high = 1000 * np.percentile(seconds, [50, 95])
        print(f"{path:40} p50 {middle:7.1f} ms, p95 {high:7.1f} ms")


def timed(client: httpx.Client, path: str) -> float:
    started = time.perf_counter()
    client.get(path).raise_for_status()
    return time.perf_counter() - started


def refresh(client: httpx.Client, pool: ThreadPoolExecutor, view: list[list[str]]) -> float:
    """All requests of a view, those of one group at once."""
    started = time.perf_counter()
    for group in view:
        list(pool.map(lambda path: client.get(path).raise_for_status(), group))
    return time.perf_counter() - started


def fill(directory: Path, rounds: int) -> None:
    """A campaign with so many rounds that have ended; the last version serves."""
    layout, now = DataLayout(directory / "data"), datetime.now(UTC)
    layout.database.parent.mkdir(parents=True)
    store = LabelStore.open(layout.database)
    campaign = store.campaigns.create(
        name="bench", tasks=[TaskSpec(task="classification", classes=["dark", "bright"])], root=str(directory),
        bands=None, settings=CampaignSettings(), policy=RetrainPolicy(), now=now - timedelta(days=400),
    )  # fmt: skip
    number = campaign.campaign_id
    store.samples.register(number, plain_headers(1_000), now)
    make_conv_onnx(layout.models("bench"), version=f"v{rounds}", tasks=["classification"])
    evaluation = msgspec.json.encode(EVALUATION).decode()
    check = GateCheck(check="metric", outcome="passed", sentence="accuracy 0.9, +0.01 against what serves", value=0.9)
    report = GateReport(version="v", promote=True, reason="better", checks=[check] * 8)
    ids, began = list(range(1, rounds + 1)), now - timedelta(days=400)
    columns = {
        "rounds": """SELECT $campaign AS campaign_id, n AS number, if(n % 3 = 0, 'promoted', 'rejected') AS state,
            'new labels: 50' AS reason, $began + to_minutes(n * 50) AS requested_at,
            requested_at AS started_at,
            requested_at + to_seconds(20) AS ended_at, 'v' || n AS version, n * 5 AS labels, 200 AS reserve_labels,
            0 AS label_event_id, $evaluation::JSON AS evaluation, 'accuracy 0.9 on 48 samples' AS verdict""",
        "round_events": """SELECT $campaign AS campaign_id, n AS number, state, $began AS entered_at
            FROM unnest(['queued', 'snapshot', 'training', 'exporting', 'gate', 'promoted']) AS s(state),""",
        "model_versions": """SELECT $campaign AS campaign_id, 'v' || n AS version, n AS round_number,
            $began + to_minutes(n * 50) AS created_at""",
        "promotions": """SELECT $campaign AS campaign_id, 'v' || n AS version, 'v' || (n - 3) AS previous,
            'better' AS reason, $began + to_minutes(n * 50) AS promoted_at""",
        "gate_reports": "SELECT $campaign AS campaign_id, n AS number, $report::JSON AS report",
    }
    given = {
        "campaign": number, "began": began.replace(tzinfo=None), "evaluation": evaluation,
        "report": msgspec.json.encode(report).decode(), "ids": ids,
    }  # fmt: skip

    def operation(connection):  # type: ignore[no-untyped-def]
        for table, select in columns.items():
            source = f"{select} unnest($ids) AS t(n)" if "FROM" in select else f"{select} FROM unnest($ids) AS t(n)"
            where = " WHERE n % 3 = 0" if table == "promotions" else ""
            used = {name: value for name, value in given.items() if f"${name}" in source}
            connection.execute(f"INSERT INTO {table} BY NAME {source}{where}", used)
        connection.execute("UPDATE campaigns SET current_version = $version", {"version": f"v{rounds}"})

    store._database.write(operation)
    store.close()


if __name__ == "__main__":
    main()
