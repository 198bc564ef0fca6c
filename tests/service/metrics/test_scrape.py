"""The documentation names every metric, and no other."""

import re
import subprocess
from pathlib import Path

from tests.data.debian import program
from tests.e2e.campaigns import Http, create, write_pool
from tests.service.metrics.fixtures import families
from tests.waiting import PATIENCE_S

PAGE = Path(__file__).parent.parent.parent.parent / "docs" / "observing.md"
TABLE = re.compile(r"^\| metric \|.*?\n\n", re.MULTILINE | re.DOTALL)


def documented() -> set[str]:
    """Names in the first column of the table of metrics."""
    table = TABLE.search(PAGE.read_text(encoding="utf-8"))
    assert table is not None
    rows = re.findall(r"^\| (`.*?) \|", table[0], re.MULTILINE)
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def test_every_metric_is_documented_and_nothing_else_is(http: Http, imagery: Path) -> None:
    write_pool(imagery / "pool", 2, size=32)
    create(http, imagery / "pool")
    http.app.state.loop.disk.measure()
    http.get("/health/live")
    assert families(http.get("/metrics").text) == documented()


def test_names_and_types_pass_promtool(http: Http) -> None:
    checked = subprocess.run(
        [program("prometheus", "promtool"), "check", "metrics"],
        input=http.get("/metrics").text, capture_output=True, text=True, timeout=PATIENCE_S, check=False,
    )  # fmt: skip
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")
