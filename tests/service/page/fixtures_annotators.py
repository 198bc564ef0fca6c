"""Fixtures of the annotator page: a live service whose campaign has scenes to label, and a person at its page."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self

import httpx
import msgspec
import pytest
from litestar import Litestar
from playwright.sync_api import Page

from service.app import create_app
from service.settings import Settings
from tests.e2e.campaigns import QUICK, running_server, write_pool
from tests.waiting import PATIENCE_S, wait_for

Serve = Callable[..., tuple[str, Litestar]]


class Desk:
    """One live service, its campaign `demo`, and a browser tab."""

    def __init__(self, url: str, page: Page, token: str | None = None) -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self.url, self.page = url, page
        self.console: list[str] = []
        self.http = httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.page.unroute_all(behavior="ignoreErrors")
        self.http.close()

    def create(self, root: Path, scenes: int = 8, **changes: Any) -> None:
        """Make the campaign over fresh scenes, without a test reserve unless `changes` ask for one."""
        write_pool(root, scenes)
        body = {
            "name": "demo",
            "tasks": [{"task": "classification", "classes": ["dark", "bright"]}],
            "root": str(root),
            "settings": QUICK | {"reserve": {"share": 0.0, "minimum": 0}},
            "policy": {"new_labels": None},
        } | changes
        assert self.http.post("/campaigns", json=body).status_code == 201
        assert self.http.post("/campaigns/demo/samples", json={"scan": True}).status_code == 201

    def ask(self, annotator: str = "anna", query_size: int = 5, **more: Any) -> list[dict[str, Any]]:
        """Lease samples to somebody; `more` of the request."""
        body = {"annotator": annotator, "query_size": query_size, **more}
        answer: dict[str, Any] = self.http.post("/campaigns/demo/queries", json=body).json()
        samples: list[dict[str, Any]] = answer["samples"]
        return samples

    def go(self, annotator: str = "anna") -> Page:
        """The page of an annotator as it comes, before anything is read."""
        self.page.goto(f"{self.url}/annotate/demo?annotator={annotator}")
        return self.page

    def open(self, annotator: str = "anna") -> Page:
        """The page of an annotator, once keys can answer: on a busy machine the classes come after the list."""
        self.go(annotator)
        self.page.wait_for_selector(".classes .class")
        return self.page

    def wait_for_picture(self) -> None:
        """Wait until the image of the selected sample is on the stage."""
        self.page.wait_for_selector('.map[data-shows]:not([data-shows=""])')

    def labels(self) -> list[dict[str, Any]]:
        """What is in the store once no answer waits any more."""
        self.page.wait_for_selector(".queue", state="hidden")
        found: list[dict[str, Any]] = self.http.get("/campaigns/demo/labels").json()["labels"]
        return found


@pytest.fixture
def quiet_settings(settings: Settings) -> Settings:
    """Settings of a service that neither scores nor trains by itself, so that the page has the machine."""
    return msgspec.structs.replace(settings, score_tick_s=3600.0, retrain_tick_s=3600.0)


@pytest.fixture
def serve(quiet_settings: Settings) -> Iterator[Serve]:
    """Start a service, with changes of its settings if there are any; returns its address and app."""
    with ExitStack() as stack:

        def start(**changes: Any) -> tuple[str, Litestar]:
            app = create_app(msgspec.structs.replace(quiet_settings, **changes))
            return stack.enter_context(running_server(app)), app

        yield start


@pytest.fixture
def open_desk(serve: Serve, page: Page) -> Iterator[Callable[[], Desk]]:
    """Start a service and give a desk to work at."""
    with ExitStack() as stack:

        def start() -> Desk:
            url, _ = serve()
            return stack.enter_context(Desk(url, page))

        yield start


def wait_until_kept(page: Page, answers: int) -> None:
    """Wait until the browser holds as many answers on disk: before, it asks whoever leaves the page whether to stay."""
    wait_for(lambda: page.evaluate(_KEPT) == answers)


_KEPT = """() => new Promise((resolve, reject) => {
    const asked = indexedDB.open("al-loop", 1);
    asked.onerror = () => reject(asked.error);
    asked.onsuccess = () => {
        const count = asked.result.transaction("outbox").objectStore("outbox").count();
        count.onsuccess = () => { asked.result.close(); resolve(count.result); };
    };
})"""
