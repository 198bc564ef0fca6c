"""Inside the writer: appending label events. Functions of a connection, safe to run again."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.imports import ImportCounts
from al_loop.domain.labels import CheckedLabel, Label, LabelSource, RequestKey
from al_loop.errors import ConflictError, LeasedError, NotFoundError
from al_loop.store.rows import Row, among, among_ids, execute, select
from al_loop.store.tables.imports import counted, decide_all
from al_loop.store.tables.renewals import LeasedAnswer, doubt_answers
from al_loop.store.tables.requests import keep_answer

EVENT_COLUMNS = {
    "campaign_id": "BIGINT",
    "sample_id": "BIGINT",
    "task": "VARCHAR",
    "annotator": "VARCHAR",
    "classes": "VARCHAR[]",
    "features": "VARCHAR",
    "crs": "VARCHAR",
    "retracts": "BIGINT",
    "query_id": "BIGINT",
    "labelled_at": "TIMESTAMP",
    "recorded_at": "TIMESTAMP",
    "source": "VARCHAR",
    "points": "INTEGER",
    "added_to": "BIGINT",
}


SEVERAL = "'overlap', 'golden'"
"""Sources whose samples are for several annotators."""

INDEPENDENT = ("overlap", "golden", "relabel")
"""Sources whose annotator answers every task, whatever others answered."""


class Append(NamedTuple):
    """The labels of one request, and how the request is recognised if it is repeated."""

    labels: list[CheckedLabel]
    request: RequestKey | None = None


class Appended(NamedTuple):
    """The stored labels of one request, and which leases go on because a task is open."""

    labels: list[Label]
    """In the order they were sent; of an import also those that were there before."""
    running: set[tuple[int, str]]
    """Sample and annotator."""
    new: list[Label]
    """Those of them that were stored now."""
    imported: ImportCounts | None = None
    """None: no label came from an import."""


def append_all(connection: DuckDBPyConnection, appends: Sequence[Append]) -> list[Appended]:
    """Append the labels of many requests and end the leases that they answer; see `LabelTable.append`.

    Raises:
        LeasedError: For the first label whose sample is leased to another annotator.
        RepeatedRequestError: A request was carried out before.
    """
    decisions = decide_all(connection, [label for append in appends for label in append.labels])
    sent = [[(label, next(decisions)) for label in append.labels] for append in appends]
    labels = [label for entries in sent for label, decided in entries if decided.there is None]
    sources = [decided.source for entries in sent for _, decided in entries if decided.there is None]
    answered = [_answered_lease(label, leases) for label, leases in _leases_of(connection, labels)]
    stored_ids = _append(
        connection,
        [
            {
                **{name: getattr(label, name, None) for name in EVENT_COLUMNS},
                "features": None if label.features is None else msgspec.json.encode(label.features).decode(),
                "query_id": None if lease is None else lease["query_id"],
                "source": source,
            }
            for label, lease, source in zip(labels, answered, sources, strict=True)
        ],
    )
    doubt_answers(
        connection,
        [
            LeasedAnswer(label_id, label.sample_id, lease["leased_at"])
            for label_id, label, lease in zip(stored_ids, labels, answered, strict=True)
            if lease is not None and lease["end_reason"] != "labelled" and label.crs in (None, "pixel")
        ],
    )
    ids = iter(stored_ids)
    done = _done(connection, [label for label, lease in zip(labels, answered, strict=True) if lease is not None])
    running = {
        (label.sample_id, label.annotator): lease
        for label, lease in zip(labels, answered, strict=True)
        if lease is not None and lease["ended_at"] is None and not done(label, lease)
    }
    _end_leases(
        connection,
        {
            lease["lease_id"]: label.recorded_at
            for label, lease in zip(labels, answered, strict=True)
            if lease is not None and _may_end(lease) and done(label, lease)
        },
    )
    outcomes = []
    for append, entries in zip(appends, sent, strict=True):
        stored = [decided.there or _record(label, next(ids), decided.source) for label, decided in entries]
        keep_answer(connection, append.request, [label.label_id for label in stored])
        new = [label for label, (_, decided) in zip(stored, entries, strict=True) if decided.there is None]
        going_on = {(label.sample_id, label.annotator) for label in new} & running.keys()
        outcomes.append(Appended(stored, going_on, new, counted([decided for _, decided in entries])))
    return outcomes


def append_retraction(
    connection: DuckDBPyConnection,
    campaign_id: int,
    label_id: int,
    annotator: str | None,
    now: datetime,
    request: RequestKey | None = None,
) -> list[Label]:
    """Append the event that withdraws a label, and what is current again; see `LabelTable.retract`."""
    rows = select(
        connection,
        """SELECT e.*, path, (SELECT max(label_id) FROM label_events newer
            WHERE newer.campaign_id = e.campaign_id AND newer.sample_id = e.sample_id
            AND newer.task = e.task AND newer.annotator = e.annotator) AS newest
        FROM label_events e JOIN samples USING (sample_id)
        WHERE e.campaign_id = $campaign_id AND label_id = $label_id""",
        campaign_id=campaign_id,
        label_id=label_id,
    )
    if not rows:
        raise NotFoundError("label", label_id)
    label = rows[0]
    if annotator not in (None, label["annotator"]):
        raise ConflictError(f"label {label_id} was given by {label['annotator']!r}; only they can retract it")
    if label["retracts"] is not None:
        raise ConflictError(f"event {label_id} is itself a retraction")
    if label["newest"] != label_id:
        raise ConflictError(f"label {label_id} is not current any more: event {label['newest']} came after it")
    event = {
        **{name: label[name] for name in EVENT_COLUMNS},
        "classes": None,
        "features": None,
        "crs": None,
        "retracts": label_id,
        "query_id": None,
        "labelled_at": now,
        "recorded_at": now,
        "points": None,
        "added_to": None,
    }
    retraction = to_label({**event, "path": label["path"], "label_id": _append(connection, [event])[0]})
    again = _restored(connection, label, now)
    if again:
        retraction = msgspec.structs.replace(retraction, restored=again[0].label_id)
    keep_answer(connection, request, retraction)
    return [retraction, *again]


def _restored(connection: DuckDBPyConnection, label: Row, now: datetime) -> list[Label]:
    """The label that a withdrawn one had added to, recorded again; a lease that it had closed can be taken up again."""
    execute(
        connection,
        """UPDATE leases SET end_reason = 'expired' WHERE query_id = $query_id AND sample_id = $sample_id
        AND annotator = $annotator AND unit = 'point' AND end_reason = 'labelled'""",
        **{name: label[name] for name in ("query_id", "sample_id", "annotator")},
    ).fetchall()
    if label["added_to"] is None:
        return []
    rows = select(
        connection,
        """SELECT e.*, path FROM label_events e JOIN samples USING (sample_id)
        WHERE e.campaign_id = $campaign_id AND label_id = $label_id""",
        campaign_id=label["campaign_id"],
        label_id=label["added_to"],
    )
    events = [{name: row[name] for name in EVENT_COLUMNS} | {"recorded_at": now} for row in rows]
    return [
        to_label({**event, "path": label["path"], "label_id": label_id})
        for event, label_id in zip(events, _append(connection, events) if events else [], strict=True)
    ]


def to_label(row: Row) -> Label:
    """The record of a row of `label_events` joined with the sample's path."""
    features = None if row["features"] is None else msgspec.json.decode(row["features"])
    return msgspec.convert({**row, "features": features}, Label)


def _record(label: CheckedLabel, label_id: int, source: LabelSource) -> Label:
    return Label(
        label_id=label_id,
        sample_id=label.sample_id,
        path=label.sample_path,
        task=label.task,
        annotator=label.annotator,
        classes=label.classes,
        features=label.features,
        crs=label.crs,
        retracts=None,
        added_to=label.added_to,
        labelled_at=label.labelled_at,
        recorded_at=label.recorded_at,
        source=source,
    )


def _append(connection: DuckDBPyConnection, events: Sequence[Row]) -> list[int]:
    """Insert events; return their ids, which ascend in the order given."""
    columns = ", ".join(f"unnest(${name}::{kind}[]) AS {name}" for name, kind in EVENT_COLUMNS.items())
    rows = execute(
        connection,
        f"INSERT INTO label_events BY NAME SELECT {columns} RETURNING label_id",
        **{name: [event[name] for event in events] for name in EVENT_COLUMNS},
    ).fetchall()
    return sorted(row[0] for row in rows)  # one thread unnests and numbers the rows: ids ascend in their order


def _leases_of(connection: DuckDBPyConnection, labels: Sequence[CheckedLabel]) -> list[tuple[CheckedLabel, list[Row]]]:
    """Each label with the leases on its sample that run or ran out, or were answered, by itself or another task."""
    if not labels:
        return []
    sample_ids = sorted({label.sample_id for label in labels})
    rows = select(
        connection,
        f"""SELECT lease_id, query_id, sample_id, annotator, leased_at, expires_at, ended_at, end_reason, arm, unit
        FROM leases WHERE {among("sample_id", sample_ids)}
        AND (ended_at IS NULL OR end_reason IN ('labelled', 'expired'))""",
        **among_ids(sample_ids),
    )
    leases: dict[int, list[Row]] = {}
    for row in sorted(rows, key=lambda row: int(row["lease_id"])):
        leases.setdefault(row["sample_id"], []).append(row)
    return [(label, leases.get(label.sample_id, [])) for label in labels]


def _answered_lease(label: CheckedLabel, leases: Sequence[Row]) -> Row | None:
    """The annotator's own lease on the sample: one that runs, else one that ran out or was answered.

    Raises:
        LeasedError: Another annotator has one that runs, and this one none that runs or ran out.
    """
    own = [
        lease
        for lease in leases
        if lease["annotator"] == label.annotator
        and (lease["end_reason"] != "labelled" or lease["expires_at"] > label.recorded_at)
    ]
    others = [lease for lease in leases if lease["annotator"] != label.annotator and _runs(lease, label.recorded_at)]
    if others and not label.override_lease and not any(lease["end_reason"] != "labelled" for lease in own):
        other = others[0]
        raise LeasedError(
            label.at, label.sample_id, other["annotator"], other["expires_at"].isoformat(timespec="seconds")
        )
    return max(own, key=lambda lease: (lease["ended_at"] is None, lease["lease_id"]), default=None)


def _may_end(lease: Row) -> bool:
    """Whether an answer ends a lease; whether points were answered after it ran out, nothing else could tell."""
    return lease["ended_at"] is None or (lease["unit"] == "point" and lease["end_reason"] == "expired")


def _runs(lease: Row, now: datetime) -> bool:
    return lease["ended_at"] is None and lease["expires_at"] > now


def _done(connection: DuckDBPyConnection, labels: Sequence[CheckedLabel]) -> Callable[[CheckedLabel, Row], bool]:
    """Whether a label, now that it is stored, was the last that its lease waited for; `labels` are those with one."""
    sample_ids = sorted({label.sample_id for label in labels if len(label.tasks) > 1})
    rows = (
        []
        if not sample_ids
        else select(
            connection,
            f"SELECT DISTINCT sample_id, annotator, task FROM current_labels WHERE {among('sample_id', sample_ids)}",
            **among_ids(sample_ids),
        )
    )

    def done(label: CheckedLabel, lease: Row) -> bool:
        if lease["unit"] == "point":
            return label.features is not None and not label.leaves_open
        if len(label.tasks) < 2:
            return True
        of_sample = [row for row in rows if row["sample_id"] == label.sample_id]
        own = {row["task"] for row in of_sample if row["annotator"] == label.annotator}
        open_tasks = set(label.tasks) - own
        if lease["arm"] == "relabel":  # one of its labels is in doubt, and which one is not said
            return True
        if lease["arm"] in INDEPENDENT:
            return not open_tasks
        return not open_tasks - {row["task"] for row in of_sample}

    return done


def _end_leases(connection: DuckDBPyConnection, ended_at: dict[int, datetime]) -> None:
    if len(set(ended_at.values())) == 1:  # of one request, as a rule: a third of the time of the join
        lease_ids = list(ended_at)
        execute(
            connection,
            f"UPDATE leases SET ended_at = $ended_at, end_reason = 'labelled' WHERE {among('lease_id', lease_ids)}",
            ended_at=next(iter(ended_at.values())),
            **among_ids(lease_ids),
        )
    elif ended_at:
        execute(
            connection,
            """UPDATE leases SET ended_at = answered.ended_at, end_reason = 'labelled'
            FROM (SELECT unnest($lease_ids::BIGINT[]) AS lease_id, unnest($ended_at::TIMESTAMP[]) AS ended_at) answered
            WHERE leases.lease_id = answered.lease_id""",
            lease_ids=list(ended_at),
            ended_at=list(ended_at.values()),
        )
