"""What champion and challenger said of the same pixels, and the labels that came in afterwards."""

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from al_loop.domain.gate import Challenger
from al_loop.domain.labels import Label
from al_loop.domain.predictions import ShadowAnswer
from al_loop.store.database import Database
from al_loop.store.label_rows import to_label
from al_loop.store.mask_codec import unpack
from al_loop.store.rows import Row, execute

COLUMNS = {
    "campaign_id": "BIGINT",
    "pixel_hash": "VARCHAR",
    "task": "VARCHAR",
    "champion": "VARCHAR",
    "challenger": "VARCHAR",
    "champion_answer": "VARCHAR",
    "challenger_answer": "VARCHAR",
    "champion_mask": "BLOB",
    "challenger_mask": "BLOB",
    "blind": "BOOLEAN",
    "answered_at": "TIMESTAMP",
}
PAIRS = Sequence[tuple[Label, "JudgedAnswer"]]


class JudgedAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """One pair of answers whose sample was labelled afterwards."""

    champion_answer: dict[str, Any]
    challenger_answer: dict[str, Any]
    champion_mask: NDArray[np.uint8] | None
    challenger_mask: NDArray[np.uint8] | None
    """Class codes (H, W) in the order of the campaign's classes; None for a task without."""
    blind: bool


class ShadowAnswerTable:
    """Verbs about answers in the shadow."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, answers: Sequence[ShadowAnswer]) -> None:
        """Store pairs of answers of one campaign; of equal pixels, task and versions the newest counts."""
        rows = [
            msgspec.structs.asdict(entry)
            | {
                name: msgspec.json.encode(getattr(entry, name)).decode()
                for name in ("champion_answer", "challenger_answer")
            }
            for entry in answers
        ]
        columns = ", ".join(f"unnest(${name}::{kind}[]) AS {name}" for name, kind in COLUMNS.items())

        def operation(connection: DuckDBPyConnection, _: Sequence[None]) -> Sequence[None]:
            execute(
                connection,
                f"INSERT INTO shadow_answers BY NAME SELECT {columns}",
                **{name: [row[name] for row in rows] for name in COLUMNS},
            )
            return [None]

        # not `write`: what is kept of the campaign would be read again after every batch of predictions
        self._database.write_together(operation, None, campaign_id=answers[0].campaign_id)

    def count(self, campaign_id: int, champion: str, challenger: str) -> int:
        """Different pixels and tasks that both versions have answered."""
        rows = self._database.read(
            """SELECT count(DISTINCT (pixel_hash, task)) AS answers FROM shadow_answers
            WHERE campaign_id = $campaign_id AND champion = $champion AND challenger = $challenger""",
            campaign_id=campaign_id,
            champion=champion,
            challenger=challenger,
        )
        return int(rows[0]["answers"])

    def judged(self, campaign_id: int, champion: str, challenger: Challenger, limit: int) -> PAIRS:
        """Pairs of answers with the label that came in after the shadow began, by label, the oldest first.

        Samples that were labelled for the task before the challenger's training do not count: it may have learned them.
        Of several labels of a sample the one that is trained on counts.

        Args:
            campaign_id: Whose.
            champion: Version that serves.
            challenger: The version in the shadow.
            limit: Pairs at most.
        """
        rows = self._database.read(
            """WITH pairs AS (
                SELECT sample_id, shadow_answers.* FROM shadow_answers JOIN pixel_hashes USING (campaign_id, pixel_hash)
                WHERE campaign_id = $campaign_id AND champion = $champion AND challenger = $challenger
                QUALIFY row_number() OVER (PARTITION BY sample_id, task ORDER BY answered_at DESC) = 1
            ), fresh AS (
                SELECT l.*, path FROM counting_labels l JOIN samples USING (sample_id)
                WHERE l.campaign_id = $campaign_id AND recorded_at >= $since AND NOT EXISTS (
                    SELECT 1 FROM label_events e WHERE e.campaign_id = $campaign_id AND e.sample_id = l.sample_id
                    AND e.task = l.task AND e.label_id <= $before)
            )
            SELECT fresh.*, champion_answer, challenger_answer, champion_mask, challenger_mask, pairs.blind AS unseen
            FROM fresh JOIN pairs USING (sample_id, task) ORDER BY label_id LIMIT $limit""",
            campaign_id=campaign_id,
            champion=champion,
            challenger=challenger.version,
            since=challenger.since,
            before=challenger.label_event_id,
            limit=limit,
        )
        return [(to_label(row), _answers(row)) for row in rows]


def _answers(row: Row) -> JudgedAnswer:
    decoded = {name: msgspec.json.decode(row[name]) for name in ("champion_answer", "challenger_answer")}
    masks: dict[str, Any] = {}
    for who in ("champion", "challenger"):
        packed, answer = row[f"{who}_mask"], decoded[f"{who}_answer"]
        masks[f"{who}_mask"] = None if packed is None else unpack(packed, answer["height"], answer["width"])
    return JudgedAnswer(blind=row["unseen"], **decoded, **masks)
