"""The documentation names every kind of event."""

import re
from pathlib import Path

from al_loop.domain.webhooks import EventKind

PAGE = Path(__file__).parent.parent.parent / "docs" / "observing.md"


def test_every_event_is_documented() -> None:
    table = PAGE.read_text(encoding="utf-8").partition("| event | when |")[2].partition("\n\n")[0]
    assert re.findall(r"^\| `([\w.]+)` \|", table, re.MULTILINE) == [kind.value for kind in EventKind]
