"""Comments on samples, and flags that ask somebody to look at one."""

from typing import Annotated

from litestar import Controller, get, post
from litestar.di import NamedDependency
from litestar.params import FromQuery, QueryParameter

from al_loop.client.answers import CommentPage
from al_loop.domain.campaigns import Campaign
from al_loop.domain.labels import Comment
from al_loop.errors import InvalidValueError
from al_loop.loop import Loop
from service.access.tokens import requires
from service.cursors import read_cursor, write_cursor
from service.dependencies import TARGET, IdempotencyKey, request_key
from service.errors import problems
from service.openapi.examples import COMMENT, RESOLVE, json_body
from service.requests.parameters import PathId
from service.schemas import CommentRequest, ResolveRequest


class CommentController(Controller):
    """Comments of one sample, and of a campaign."""

    path = "/campaigns/{campaign:str}"
    tags = ("comments",)
    dependencies = TARGET
    guards = (requires("annotate"),)

    @post(
        "/samples/{sample_id:int}/comments",
        operation_id="addComment",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def add(
        self,
        data: Annotated[CommentRequest, json_body(flagged=COMMENT)],
        sample_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        key: IdempotencyKey = None,
    ) -> Comment:
        """Say something about a sample, or flag it for somebody to look at. It is no label and changes no lease."""
        if not data.text.strip() and not data.flag:
            raise InvalidValueError("$.text", "write something, or set `flag` true")
        request = request_key(key, loop, target, data.annotator, "comment", (sample_id, data))
        return loop.store.requests.once(
            request,
            Comment,
            lambda: loop.store.comments.add(
                target.campaign_id,
                sample_id,
                annotator=data.annotator,
                text=data.text,
                flag=data.flag,
                now=loop.clock(),
                request=request,
            ),
        )

    @get(
        "/samples/{sample_id:int}/comments",
        operation_id="getComments",
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404),
    )
    def of_sample(
        self, sample_id: PathId, target: NamedDependency[Campaign], loop: NamedDependency[Loop]
    ) -> list[Comment]:
        """All comments on one sample, oldest first."""
        loop.store.samples.get(target.campaign_id, sample_id)
        return [*loop.store.comments.of_sample(target.campaign_id, sample_id)]

    @get("/comments", operation_id="listComments", sync_to_thread=True, responses=problems(400, 401, 403, 404))
    def page(
        self,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        flagged: FromQuery[bool] = False,
        limit: Annotated[int, QueryParameter(ge=1, le=1000)] = 100,
        cursor: FromQuery[str | None] = None,
    ) -> CommentPage:
        """A page of the campaign's comments, newest first; `flagged`: only open ones that ask somebody to look."""
        comments = loop.store.comments.page(
            target.campaign_id, flagged=flagged, limit=limit, before=read_cursor(cursor) or None
        )
        ids = [comment.comment_id for comment in comments]
        return CommentPage(comments=[*comments], next_cursor=write_cursor(ids, limit))

    @post(
        "/comments/{comment_id:int}/resolve",
        operation_id="resolveComment",
        status_code=200,
        sync_to_thread=True,
        responses=problems(400, 401, 403, 404, 415),
    )
    def resolve(
        self,
        data: Annotated[ResolveRequest, json_body(one=RESOLVE)],
        comment_id: PathId,
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> Comment:
        """Close a comment: somebody has looked. Safe to repeat."""
        return loop.store.comments.resolve(target.campaign_id, comment_id, annotator=data.annotator, now=loop.clock())
