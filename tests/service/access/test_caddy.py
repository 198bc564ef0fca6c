"""The recipe of the documentation for Caddy, in front of a service with tokens: TLS, and a path of its own."""

import re
import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from playwright.sync_api import Browser, expect

from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.data.ports import free_port
from tests.e2e.campaigns import create, register, running_server, write_pool
from tests.service.access.fixtures_proxy import running_caddy
from tests.waiting import PATIENCE_MS

RECIPE = Path(__file__).parents[3] / "docs/proxy.md"
TOKEN = "a-secret-of-the-operator"


@pytest.fixture
def public(caddy: str, settings: Settings, imagery: Path, tmp_path: Path) -> Iterator[httpx.Client]:
    """A client of a service behind Caddy, set up as the documentation says but for names and ports."""
    port, inner = free_port(), free_port()
    block = RECIPE.read_text().partition("## Caddy")[2].partition("```text\n")[2].partition("```")[0]
    sites = block.replace("maps.example.org", f"https://localhost:{port}").replace(
        "127.0.0.1:8090", f"127.0.0.1:{inner}"
    )
    url = f"https://localhost:{port}/al-loop"
    service = msgspec.structs.replace(
        settings, public_url=url, tokens=f"ops={TOKEN}", score_tick_s=3600, retrain_tick_s=3600
    )
    write_pool(imagery, 2)
    with running_server(create_app(service), inner), running_caddy(caddy, tmp_path, sites, port) as authority:
        trusted = ssl.create_default_context(cafile=str(authority))
        with httpx.Client(base_url=f"{url}/", verify=trusted, headers={"authorization": f"Bearer {TOKEN}"}) as http:
            create(http, imagery, settings={"reserve": {"share": 0.0, "minimum": 0}})  # type: ignore[arg-type]
            register(http)  # type: ignore[arg-type]
            yield http


def test_recipe_serves_the_service_by_tls_below_its_path(public: httpx.Client) -> None:
    assert public.get("campaigns").json()[0]["name"] == "demo"
    assert public.get("campaigns", headers={"authorization": ""}).status_code == 401
    bare = public.get(str(public.base_url).rstrip("/"))
    assert (bare.status_code, bare.headers["location"]) == (302, "/al-loop/")
    with pytest.raises(
        httpx.ConnectError, match="certificate"
    ):  # without the authority the certificate is worth nothing
        httpx.get(f"{public.base_url}campaigns")


def test_commands_say_that_the_certificate_is_not_trusted_and_what_to_do(
    public: httpx.Client, capsys: pytest.CaptureFixture[str]
) -> None:
    address = str(public.base_url).rstrip("/")
    assert main(["status", "--service", address, "--token", TOKEN]) == 2
    told = capsys.readouterr().err
    assert f"the certificate of {address} is not trusted here" in told
    assert "SSL_CERT_FILE" in told
    assert len(told.splitlines()) <= 3


def test_page_behind_caddy_labels_an_image(public: httpx.Client, browser: Browser) -> None:
    with browser.new_context(ignore_https_errors=True) as context:
        context.set_default_timeout(PATIENCE_MS)
        page = context.new_page()
        failed: list[str] = []
        page.on("pageerror", lambda error: failed.append(str(error)))
        page.goto(f"{public.base_url}annotate/demo?annotator=anna")
        page.get_by_role("textbox", name="Token").fill(TOKEN)
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Keys")).to_be_visible()
        page.keyboard.press("m")
        page.wait_for_selector('.map[data-shows]:not([data-shows=""])')
        page.wait_for_selector(".classes .class")
        page.keyboard.press("1")
        expect(page.locator("#toasts")).to_contain_text(re.compile("scene_.*: "))
        page.wait_for_selector(".queue", state="hidden")
        assert failed == []
    assert [label["annotator"] for label in public.get("campaigns/demo/labels").json()["labels"]] == ["anna"]
