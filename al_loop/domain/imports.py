"""What becomes of a label that comes from a labelled folder, given what is on record: importing again changes nothing.

Pure: `al_loop.store.label_rows` asks while nothing else can be written.
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

import msgspec

from al_loop.domain.labels import CheckedLabel, LabelSource

ImportOutcome = Literal["recorded", "unchanged", "kept"]
"""A new event; the same answer is there already; what a person did under the same name stays."""

Content = tuple[tuple[str, ...] | None, str | None, str | None]
"""What a label says: classes in alphabetical order, features as JSON text, CRS."""


class ImportCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the labels of an import."""

    recorded: int = 0
    """New label events."""
    unchanged: int = 0
    """The same answer was on record already: no new event."""
    kept: int = 0
    """People corrected or retracted what was imported under this name, and it stays so: no new event."""
    outranked: int = 0
    """Recorded or unchanged, and a person's answer counts instead of them."""
    overruled: int = 0
    """People's answers that counted until now and no longer do, by `overwrite`."""


class PastAnswer(NamedTuple):
    """The newest event of one annotator for a sample and task."""

    label_id: int
    source: LabelSource
    retracted: bool
    """The event withdraws a label; `content` is what that label said."""
    content: Content


class ImportDecision(NamedTuple):
    """What to do with a label of an import."""

    outcome: ImportOutcome
    source: LabelSource
    """To be stored with it."""
    outranked: bool = False
    overruled: int = 0


def decide_import(label: CheckedLabel, content: Content, past: Mapping[str, PastAnswer]) -> ImportDecision:
    """Whether a label of an import is stored, and what counts then.

    Args:
        label: Of source "import" or "overwrite".
        content: What it says.
        past: By annotator, the newest event for the same sample and task.
    """
    own = past.get(label.annotator)
    same = own is not None and own.content == content
    standing = [answer for answer in past.values() if not answer.retracted]
    overwritten = max((answer.label_id for answer in standing if answer.source == "overwrite"), default=-1)
    people = [answer for answer in standing if answer.source == "person" and answer.label_id > overwritten]
    if label.source == "overwrite":
        if own is not None and same and not own.retracted and _counts(own, standing):
            return ImportDecision("unchanged", own.source)
        above = any(answer.source != "import" for answer in standing)
        return ImportDecision("recorded", "overwrite" if above else "import", overruled=len(people))
    if own is None:
        return ImportDecision("recorded", "import", outranked=bool(people) or overwritten >= 0)
    if (own.retracted and same) or (not own.retracted and own.source == "person"):
        return ImportDecision("kept", own.source)
    # a folder that has overruled people goes on to do so with its new content, until a person answers again
    source: LabelSource = "overwrite" if own.source == "overwrite" and not own.retracted and not people else "import"
    others = [answer for answer in standing if answer is not own and answer.source != "import"]
    outranked = source == "import" and bool(others)
    return ImportDecision("unchanged" if same and not own.retracted else "recorded", source, outranked=outranked)


def _counts(answer: PastAnswer, standing: list[PastAnswer]) -> bool:
    """Whether this answer is the one that counts, as `al_loop.domain.labels.counting` has it."""
    return max(standing, key=lambda entry: (entry.source != "import", entry.label_id)) is answer
