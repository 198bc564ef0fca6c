"""What a look at an installation finds. Loads nothing, as commands need it that only ask the service."""

from typing import Literal

import msgspec

Verdict = Literal["ok", "warning", "wrong"]


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that was looked at."""

    about: str
    verdict: Verdict
    """`wrong`: something does not work; `warning`: it works, and not as well as it could."""
    said: str
    remedy: str | None = None
    """What to do; null: nothing."""


def ok(about: str, said: str) -> Finding:
    """It is as it should be."""
    return Finding(about=about, verdict="ok", said=said)
