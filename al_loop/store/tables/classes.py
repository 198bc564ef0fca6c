"""Classes of campaigns: their names, which labels carry, and what is known of them."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.campaigns import Campaign, ClassDetails
from al_loop.errors import NotFoundError
from al_loop.store.database import Database
from al_loop.store.rows import execute, select
from al_loop.store.tables.campaigns import as_json, to_campaign
from models.card import TaskName, TaskSpec

RenamedClass = tuple[TaskName, str, str]
"""Task, old and new name."""


class ClassEdit(NamedTuple):
    """What a campaign's classes shall be."""

    tasks: Sequence[TaskSpec]
    details: Sequence[ClassDetails]
    renamed: RenamedClass | None = None
    """A class that was renamed: every label follows."""


class ClassTable:
    """Verbs about classes and the guidelines to them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def edit(self, campaign_id: int, edit: Callable[[Campaign], ClassEdit]) -> None:
        """Replace a campaign's classes by what `edit` makes of them, and rename them in its labels; all or nothing.

        Args:
            campaign_id: The campaign.
            edit: Pure; called with the campaign as it is when the change is made. What it raises is raised here.
        """

        def operation(connection: DuckDBPyConnection) -> None:
            rows = select(
                connection, "SELECT * FROM campaigns WHERE campaign_id = $campaign_id", campaign_id=campaign_id
            )
            if not rows:
                raise NotFoundError("campaign", campaign_id)
            changed = edit(to_campaign(rows[0]))
            execute(
                connection,
                "UPDATE campaigns SET tasks = $tasks, class_details = $details WHERE campaign_id = $campaign_id",
                tasks=as_json(list(changed.tasks)),
                details=as_json(list(changed.details)),
                campaign_id=campaign_id,
            )
            if changed.renamed is not None:
                _rename(connection, campaign_id, *changed.renamed)

        self._database.write(operation, campaign_id=campaign_id, content=True)

    def set_guidelines(self, campaign_id: int, text: str) -> None:
        """Replace the guidelines."""
        self._database.write(
            lambda connection: execute(
                connection,
                "UPDATE campaigns SET guidelines = $text WHERE campaign_id = $campaign_id",
                text=text,
                campaign_id=campaign_id,
            ).fetchall(),
            campaign_id=campaign_id,
        )


def _rename(connection: DuckDBPyConnection, campaign_id: int, task: TaskName, old: str, new: str) -> None:
    """Rename a class in every label event of a task, current or not."""
    names: dict[str, Any] = {"campaign_id": campaign_id, "task": task, "old": old}
    execute(
        connection,
        """UPDATE label_events
        SET classes = list_transform(classes, lambda name: CASE WHEN name = $old THEN $new ELSE name END)
        WHERE campaign_id = $campaign_id AND task = $task AND list_contains(classes, $old)""",
        new=new,
        **names,
    ).fetchall()
    drawn = select(
        connection,
        """SELECT label_id FROM label_events WHERE campaign_id = $campaign_id AND task = $task
        AND list_contains(json_extract_string(features, '$.features[*].properties.label'), $old)""",
        **names,
    )
    for row in drawn:  # one by one: a mask may take megabytes
        label_id = row["label_id"]
        stored = select(connection, "SELECT features FROM label_events WHERE label_id = $label_id", label_id=label_id)
        features = msgspec.json.decode(stored[0]["features"])
        for part in features["features"]:
            if part["properties"].get("label") == old:
                part["properties"]["label"] = new
        execute(
            connection,
            "UPDATE label_events SET features = $features WHERE label_id = $label_id",
            features=msgspec.json.encode(features).decode(),
            label_id=label_id,
        ).fetchall()
