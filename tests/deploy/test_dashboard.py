"""The Grafana dashboard names metrics and labels that exist, in PromQL that Prometheus takes."""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.data.debian import program
from tests.deploy.metric_names import names_in, unknown
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent
DASHBOARD: dict[str, Any] = json.loads((ROOT / "deploy" / "grafana" / "al-loop.json").read_text(encoding="utf-8"))


def expressions() -> Iterator[str]:
    """PromQL of every panel and variable."""
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", []):
            yield target["expr"]


def test_dashboard_names_metrics_that_exist() -> None:
    variables = " ".join(str(variable["query"]) for variable in DASHBOARD["templating"]["list"])
    named = names_in(" ".join(expressions()) + variables)
    assert len(named) > 30
    assert unknown(named) == set()


def test_expressions_are_promql(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": re.sub(r"\$\w+", "x", text)} for number, text in enumerate(expressions())
    ]
    file = tmp_path / "panels.yml"  # JSON is YAML
    file.write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}), encoding="utf-8")
    done = subprocess.run(
        [program("prometheus", "promtool"), "check", "rules", str(file)],
        capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_have_ids_places_and_data_of_their_own() -> None:
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    cells = [
        (panel["gridPos"]["x"] + column, panel["gridPos"]["y"] + row)
        for panel in panels
        for column in range(panel["gridPos"]["w"])
        for row in range(panel["gridPos"]["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24
