"""Comments on samples, and flags that ask somebody to look at one."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from duckdb import DuckDBPyConnection

from al_loop.domain.labels import Comment, RequestKey
from al_loop.errors import NotFoundError
from al_loop.store.database import Database
from al_loop.store.rows import Row, execute, select
from al_loop.store.tables.requests import keep_answer

COMMENTS = """SELECT c.*, path FROM comments c JOIN samples USING (sample_id)
    WHERE c.campaign_id = $campaign_id"""


class CommentTable:
    """Verbs about comments."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self,
        campaign_id: int,
        sample_id: int,
        *,
        annotator: str,
        text: str,
        flag: bool,
        now: datetime,
        request: RequestKey | None = None,
    ) -> Comment:
        """Store a comment.

        Args:
            campaign_id: The campaign.
            sample_id: What is commented on.
            annotator: Who says it.
            text: What; may be empty where only the flag matters.
            flag: Whether somebody has to look at the sample.
            now: When.
            request: Names the request, see `RequestTable.once`.

        Raises:
            NotFoundError: The campaign has no such sample.
        """

        def operation(connection: DuckDBPyConnection) -> Comment:
            known = select(
                connection,
                "SELECT 1 FROM samples WHERE campaign_id = $campaign_id AND sample_id = $sample_id",
                campaign_id=campaign_id,
                sample_id=sample_id,
            )
            if not known:
                raise NotFoundError("sample", sample_id)
            (row,) = select(
                connection,
                """INSERT INTO comments (campaign_id, sample_id, annotator, text, flag, written_at)
                VALUES ($campaign_id, $sample_id, $annotator, $text, $flag, $now) RETURNING comment_id""",
                campaign_id=campaign_id,
                sample_id=sample_id,
                annotator=annotator,
                text=text,
                flag=flag,
                now=now,
            )
            comment = self._get(connection, campaign_id, row["comment_id"])
            keep_answer(connection, request, comment)
            return comment

        return self._database.write(operation, campaign_id=campaign_id)

    def of_sample(self, campaign_id: int, sample_id: int) -> Sequence[Comment]:
        """All comments on a sample, oldest first."""
        rows = self._database.read(
            f"{COMMENTS} AND sample_id = $sample_id ORDER BY comment_id", campaign_id=campaign_id, sample_id=sample_id
        )
        return [_comment(row) for row in rows]

    def page(
        self, campaign_id: int, *, flagged: bool = False, limit: int = 100, before: int | None = None
    ) -> Sequence[Comment]:
        """Comments, newest first.

        Args:
            campaign_id: The campaign.
            flagged: Only those with a flag that nobody has resolved.
            limit: Length of the page.
            before: The last id of the page before; None: the first page.
        """
        rows = self._database.read(
            f"""{COMMENTS} AND (NOT $flagged OR flag AND resolved_at IS NULL)
            AND ($before IS NULL OR comment_id < $before) ORDER BY comment_id DESC LIMIT $limit""",
            campaign_id=campaign_id,
            flagged=flagged,
            before=before,
            limit=limit,
        )
        return [_comment(row) for row in rows]

    def resolve(self, campaign_id: int, comment_id: int, *, annotator: str, now: datetime) -> Comment:
        """Close a comment, if that was not done before; return it.

        Raises:
            NotFoundError: The campaign has no such comment.
        """

        def operation(connection: DuckDBPyConnection) -> Comment:
            execute(
                connection,
                """UPDATE comments SET resolved_at = $now, resolved_by = $annotator
                WHERE campaign_id = $campaign_id AND comment_id = $comment_id AND resolved_at IS NULL""",
                campaign_id=campaign_id,
                comment_id=comment_id,
                annotator=annotator,
                now=now,
            )
            return self._get(connection, campaign_id, comment_id)

        return self._database.write(operation, campaign_id=campaign_id)

    def _get(self, connection: DuckDBPyConnection, campaign_id: int, comment_id: int) -> Comment:
        rows = select(
            connection, f"{COMMENTS} AND comment_id = $comment_id", campaign_id=campaign_id, comment_id=comment_id
        )
        if not rows:
            raise NotFoundError("comment", comment_id)
        return _comment(rows[0])


def _comment(row: Row) -> Comment:
    return msgspec.convert(row, Comment)
