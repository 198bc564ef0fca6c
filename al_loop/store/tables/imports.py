"""Inside the writer: which labels of an import are stored, and which are on record (`al_loop.domain.imports`)."""

import itertools
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.imports import Content, ImportCounts, ImportDecision, PastAnswer, decide_import
from al_loop.domain.labels import CheckedLabel, Label, LabelSource
from al_loop.store.rows import Row, among, among_ids, select

UNSTORED = 2**62
"""Above all ids: stands for those of labels of the same commit."""

Key = tuple[int, str]
"""Sample and task."""


class DecidedLabel(NamedTuple):
    """What becomes of one label."""

    source: LabelSource
    there: Label | None = None
    """The event that is on record instead; None: the label is stored."""
    decision: ImportDecision | None = None
    """None: the label is a person's."""


def decide_all(connection: DuckDBPyConnection, labels: Sequence[CheckedLabel]) -> Iterator[DecidedLabel]:
    """What becomes of each label, in their order; those of people are stored.

    A label counts those before it in the sequence as given, but for its own annotator's: they are stored in turn.
    """
    samples = sorted({label.sample_id for label in labels if label.source != "person"})
    if not samples:
        yield from itertools.repeat(DecidedLabel("person"), len(labels))
        return
    rows = _newest_events(connection, samples)
    past: dict[Key, dict[str, PastAnswer]] = {}
    for row in rows.values():
        past.setdefault((row["sample_id"], row["task"]), {})[row["annotator"]] = _past(row)
    numbers = itertools.count(UNSTORED)
    for label in labels:
        answers = past.setdefault((label.sample_id, label.task), {})
        content = content_of(label)
        if label.source == "person":
            decided = DecidedLabel("person")
        else:
            own = answers.get(label.annotator)
            if own is not None and own.label_id >= UNSTORED:
                del answers[label.annotator]
            decision = decide_import(label, content, answers)
            known = decision.outcome != "recorded" and own is not None
            decided = DecidedLabel(
                decision.source, _to_label(rows[own.label_id], label.sample_path) if known and own else None, decision
            )
        if decided.there is None:
            answers[label.annotator] = PastAnswer(next(numbers), decided.source, False, content)
        yield decided


def counted(decided: Sequence[DecidedLabel]) -> ImportCounts | None:
    """The labels of one request in numbers; None where none came from an import."""
    decisions = [entry.decision for entry in decided if entry.decision is not None]
    if not decisions:
        return None
    outcomes = [decision.outcome for decision in decisions]
    return ImportCounts(
        recorded=outcomes.count("recorded"),
        unchanged=outcomes.count("unchanged"),
        kept=outcomes.count("kept"),
        outranked=sum(decision.outranked for decision in decisions),
        overruled=sum(decision.overruled for decision in decisions),
    )


def content_of(label: CheckedLabel) -> Content:
    """What a label says, in the form that answers are compared in."""
    features = None if label.features is None else msgspec.json.encode(label.features).decode()
    return _content(label.classes, features, label.crs)


def _newest_events(connection: DuckDBPyConnection, samples: Sequence[int]) -> dict[int, Row]:
    """The newest event of each annotator, sample and task by its id; `said` is what a label, or one withdrawn, says."""
    rows = select(
        connection,
        f"""SELECT * FROM label_events WHERE {among("sample_id", samples)}
        QUALIFY row_number() OVER (PARTITION BY sample_id, task, annotator ORDER BY label_id DESC) = 1""",
        **among_ids(samples),
    )
    retracted = [row["retracts"] for row in rows if row["retracts"] is not None]
    withdrawn = select(
        connection,
        f"SELECT label_id, classes, features, crs FROM label_events WHERE {among('label_id', retracted)}",
        **among_ids(retracted),
    )
    said = {row["label_id"]: row for row in withdrawn}
    return {row["label_id"]: {**row, "said": said.get(row["retracts"], row)} for row in rows}


def _past(row: Row) -> PastAnswer:
    said = row["said"]
    content = _content(said["classes"], said["features"], said["crs"])
    return PastAnswer(row["label_id"], row["source"], row["retracts"] is not None, content)


def _content(classes: Sequence[str] | None, features: str | None, crs: str | None) -> Content:
    return None if classes is None else tuple(sorted(classes)), features, crs


def _to_label(row: Row, path: str) -> Label:
    features = None if row["features"] is None else msgspec.json.decode(row["features"])
    return msgspec.convert({**row, "features": features, "path": path}, Label)
