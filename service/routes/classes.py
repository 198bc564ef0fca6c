"""Classes of a campaign and the guidelines to them."""

from pathlib import Path
from typing import Annotated, Any

from litestar import Controller, Request, get, patch, post, put
from litestar.di import NamedDependency
from litestar.params import FromPath

from al_loop.campaigns.classes import add_class, change_class
from al_loop.client.answers import ClassList, Guidelines
from al_loop.domain.campaigns import Campaign, ClassChange, ClassRequest
from al_loop.loop import Loop
from service.access.tokens import requires
from service.dependencies import TARGET
from service.errors import problems
from service.openapi.examples import CLASS, CLASS_CHANGE, GUIDELINES, json_body
from service.requests.parameters import end_of_path
from service.views import class_list


class ClassController(Controller):
    """`/campaigns/{campaign}/classes` and `/campaigns/{campaign}/guidelines`."""

    path = "/campaigns/{campaign:str}"
    tags = ("campaigns",)
    dependencies = TARGET

    @get(
        "/classes",
        operation_id="listClasses",
        sync_to_thread=True,
        guards=[requires("annotate")],
        responses=problems(401, 403, 404),
    )
    def index(self, target: NamedDependency[Campaign]) -> ClassList:
        """The classes of each task with description, colour, examples and key, and the campaign's guidelines."""
        return class_list(target)

    @post(
        "/classes",
        operation_id="addClass",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415),
    )
    def add(
        self,
        data: Annotated[ClassRequest, json_body(new_class=CLASS)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> ClassList:
        """Add a class to a task. It can be given at once; the next round trains it."""
        add_class(loop.store, target, data)
        return class_list(loop.store.campaigns.get(target.name))

    @patch(
        "/classes/{task:str}/{name:path}",
        operation_id="changeClass",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 409, 415),
    )
    def change(
        self,
        task: FromPath[str],
        name: FromPath[Path],
        data: Annotated[ClassChange, json_body(rename=CLASS_CHANGE)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
        request: Request[Any, Any, Any],
    ) -> ClassList:
        """Rename, describe, colour or retire a class. Fields that are left out stay as they are.

        A renamed class keeps its labels, also in their history. A retired one can no longer be given and is left out of
        training; labels of it stay, and `retired` false brings it back. Models that serve go on.
        """
        sent = end_of_path(request, f"/campaigns/{target.name}/classes/{task}/")
        change_class(loop.store, target, task, str(name).removeprefix("/") if sent is None else sent, data)
        return class_list(loop.store.campaigns.get(target.name))

    @put(
        "/guidelines",
        operation_id="setGuidelines",
        sync_to_thread=True,
        guards=[requires("ops")],
        responses=problems(400, 401, 403, 404, 415),
    )
    def set_guidelines(
        self,
        data: Annotated[Guidelines, json_body(markdown=GUIDELINES)],
        target: NamedDependency[Campaign],
        loop: NamedDependency[Loop],
    ) -> Guidelines:
        """Replace the guidelines that annotators see: Markdown of at most 20,000 characters; empty: none."""
        loop.store.classes.set_guidelines(target.campaign_id, data.text)
        return data
