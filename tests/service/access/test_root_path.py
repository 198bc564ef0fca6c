"""The service below a path of a proxy: a real nginx in front, and what a header or a setting may do."""

import re
from collections.abc import Callable
from pathlib import Path
from urllib.parse import urljoin

import httpx
import msgspec
import pytest
from litestar.testing import TestClient
from playwright.sync_api import Page, expect

from service.app import create_app
from service.settings import Settings, is_clean_path
from tests.e2e.campaigns import Http, create, register, running_server, write_pool
from tests.service.access.fixtures_proxy import StartProxy

TAKEN_OFF = """
location /al-loop/ {{ proxy_pass {upstream}/; proxy_set_header Host $http_host; {more} }}
"""
LEFT_ON = "location /al-loop {{ proxy_pass {upstream}; proxy_set_header Host $http_host; {more} }}"
SAYS_SO = "proxy_set_header X-Forwarded-Prefix /al-loop;"
WAYS = {  # how the proxy is set up, what it says, and what the service is told
    "taken off, nothing said": (TAKEN_OFF, "", ""),
    "taken off, header": (TAKEN_OFF, SAYS_SO, ""),
    "taken off, setting": (TAKEN_OFF, "", "/al-loop"),
    "left on, setting": (LEFT_ON, "", "/al-loop"),
    "left on, setting and header": (LEFT_ON, SAYS_SO, "/al-loop"),
}


@pytest.fixture(params=WAYS)
def public(request: pytest.FixtureRequest, start_proxy: StartProxy, settings: Settings, imagery: Path) -> str:
    """Address of a service with a campaign behind nginx, in each of the ways in which it can be set up."""
    location, more, root_path = WAYS[request.param]
    write_pool(imagery, 2)
    service = msgspec.structs.replace(settings, root_path=root_path, score_tick_s=3600, retrain_tick_s=3600)
    upstream = request.getfixturevalue("serve")(service)
    url = start_proxy(location.format(upstream=upstream, more=more)) + "/al-loop/"
    with httpx.Client(base_url=url) as http:
        create(http, imagery, settings={"reserve": {"share": 0.0, "minimum": 0}})  # type: ignore[arg-type]
        register(http)  # type: ignore[arg-type]
    return url


@pytest.fixture
def serve(request: pytest.FixtureRequest) -> Callable[[Settings], str]:
    """Start a service on a port of its own; returns its address."""

    def start(settings: Settings) -> str:
        context = running_server(create_app(settings))
        url = context.__enter__()
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return url

    return start


def test_pages_and_their_calls_work_below_the_path(public: str, page: Page) -> None:
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.add_init_script("localStorage.setItem('al-loop.annotator', '\"anna\"')")
    page.goto(public)
    with page.expect_response("**/al-loop/campaigns/demo/leases?*") as leases:
        page.get_by_role("link", name="demo").click()
        expect(page).to_have_url(re.compile(f"{public}annotate/demo.annotator=anna"))
    assert leases.value.ok
    assert failed == []
    schema = httpx.get(f"{public}schema", follow_redirects=True)
    assert str(schema.url) == f"{public}docs"
    for link in re.findall('(?:src|href)="([^"]*)"', schema.text):
        assert urljoin(str(schema.url), link).startswith(public)
        assert httpx.get(urljoin(str(schema.url), link)).status_code == 200
    (server,) = httpx.get(f"{public}schema/openapi.json").json()["servers"]
    assert urljoin(f"{public}schema/openapi.json", server["url"]) == public


@pytest.mark.parametrize("public", ["taken off, nothing said"], indirect=True)
def test_documentation_of_the_api_tries_requests_out_below_the_path(public: str, page: Page) -> None:
    """In one of the ways: it has the same links in all of them."""
    failed: list[str] = []
    page.on("response", lambda answer: failed.append(answer.url) if answer.status >= 400 else None)
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(f"{public}schema")
    expect(page).to_have_url(f"{public}docs")
    page.locator("#operations-tag-campaigns").click()
    page.locator("#operations-campaigns-listCampaigns .opblock-summary-control").click()
    page.locator("#operations-campaigns-listCampaigns .try-out__btn").click()
    with page.expect_response(re.compile(rf"{re.escape(public)}campaigns(\?|$)")) as listed:
        page.locator("#operations-campaigns-listCampaigns .execute").click()
    assert listed.value.ok
    assert failed == []


def test_address_without_the_last_slash_is_redirected_below_the_path(public: str) -> None:
    answer = httpx.get(f"{public.rstrip('/')}?a=1")
    assert answer.status_code in (301, 308)
    assert urljoin(str(answer.url), answer.headers["location"]).startswith(public)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("/al-loop", True), ("/maps/al-loop_2.0~x", True), ("/.well-known", True), ("", False), ("/", False),
        ("al-loop", False), ("/al-loop/", False), ("//evil.example", False), ("/a//b", False), ("/..", False),
        ("/a/../b", False), ("/a/.", False), ("/a?b", False), ("/a#b", False), ("/a b", False), ("/a\nb", False),
        ("/%2e%2e", False), ("/a\\b", False), ("/é", False), ("/" + 200 * "a", False), ("/a\n", False),
    ],
)  # fmt: skip
def test_only_clean_paths_are_heard(text: str, clean: bool) -> None:
    assert is_clean_path(text) is clean


def base_url(http: Http, path: str = "/annotate/demo", **headers: str) -> str:
    """The first link of the page to its own files, as a browser would follow it."""
    answer = http.get(path, headers={key.replace("_", "-"): value for key, value in headers.items()})
    assert answer.status_code == 200, answer.text
    return urljoin(f"http://h{path}", answer.text.partition('src="')[2].partition('"')[0])


def test_header_of_a_proxy_does_not_move_routes_nor_links(http: Http) -> None:
    for prefix in ("/al-loop", "//evil.example", "/annotate", "junk\\"):
        assert base_url(http, x_forwarded_prefix=prefix) == "http://h/page/main.js"
        assert http.get("/campaigns", headers={"x-forwarded-prefix": prefix}).status_code == 200


def test_setting_takes_the_path_off_where_the_proxy_left_it_on(settings: Settings) -> None:
    service = msgspec.structs.replace(settings, root_path="/maps/al-loop")
    with TestClient(create_app(service), base_url="http://127.0.0.1") as http:
        for path in ("/m%61ps/al-loop/annotate/a%20b", "/maps/al-loop/annotate/demo/"):
            assert base_url(http, path).endswith("/al-loop/page/main.js")
        assert http.get("/maps/al-loop/campaigns").json() == []
        assert http.get("/campaigns").json() == []
        assert http.get("/maps/al-loopcampaigns").status_code == 404
        redirect = http.get("/maps/al-loop?x=1", follow_redirects=False)
        assert (redirect.status_code, redirect.headers["location"]) == (308, "/maps/al-loop/?x=1")


def test_campaign_that_is_called_like_the_path_is_found(settings: Settings, imagery: Path) -> None:
    write_pool(imagery, 1)
    service = msgspec.structs.replace(settings, root_path="/al-loop")
    with TestClient(create_app(service), base_url="http://127.0.0.1") as http:
        create(http, imagery, "al-loop")
        for prefix in ("", "/al-loop"):
            assert http.get(f"{prefix}/campaigns/al-loop", headers={"x-forwarded-prefix": "/al-loop"}).is_success
