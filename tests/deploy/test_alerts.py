"""Alert rules are valid, name metrics that exist, and fire when they should: tested by Prometheus' own promtool."""

import re
import subprocess
from pathlib import Path

from tests.data.debian import program
from tests.deploy.metric_names import names_in, unknown
from tests.waiting import PATIENCE_S

ROOT = Path(__file__).parent.parent.parent
RULES = ROOT / "deploy" / "prometheus" / "al-loop.rules.yml"
CASES = Path(__file__).parent / "alerts.test.yml"


def promtool(*arguments: str) -> str:
    """What promtool says; the test fails if it is not content."""
    done = subprocess.run(
        [program("prometheus", "promtool"), *arguments], capture_output=True, text=True, timeout=PATIENCE_S, check=False
    )
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said


def test_rules_are_valid() -> None:
    assert "SUCCESS: 19 rules found" in promtool("check", "rules", str(RULES))


def test_alerts_fire_when_they_should(tmp_path: Path) -> None:
    cases = tmp_path / "cases.yml"
    cases.write_text(CASES.read_text(encoding="utf-8").replace("RULES", str(RULES)), encoding="utf-8")
    assert "SUCCESS" in promtool("test", "rules", str(cases))


def test_rules_name_metrics_that_exist() -> None:
    text = RULES.read_text(encoding="utf-8")
    named = names_in(text)
    assert len(named) > 12
    assert unknown(named) == set()


def test_every_alert_is_documented() -> None:
    alerts = set(re.findall(r"alert: (\w+)", RULES.read_text(encoding="utf-8")))
    page = (ROOT / "docs" / "observing.md").read_text(encoding="utf-8")
    assert alerts == set(re.findall(r"^\| `(AlLoop\w+)` \|", page, re.MULTILINE))
