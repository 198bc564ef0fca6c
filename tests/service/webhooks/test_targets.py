"""Inner addresses are refused, however they are spelled, unless their network was named; the service always is."""

import socket
from typing import Any

import httpx
import pytest

from al_loop.errors import InvalidValueError
from service.settings import Settings, SettingsError
from service.webhooks.targets import ForbiddenTargetError, WebhookTargets

LOCAL = "127.0.0.0/8,::1/128"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:9", "http://localhost:9", "http://[::1]:9", "http://10.0.0.7", "https://192.168.1.4",
        "http://172.16.0.1", "http://169.254.169.254/latest", "http://[fe80::1]", "http://[fd00:ec2::254]",
        "http://100.100.100.200", "http://0.0.0.0", "http://224.0.0.1", "http://[::ffff:10.0.0.7]",
        "http://[64:ff9b::10.0.0.7]", "http://[2002:0a00:0007::1]", "http://2130706433", "http://0x7f000001",
        "http://255.255.255.255", "http://[64:ff9b:1::7f00:1]", "http://[::ffff:0:127.0.0.1]", "http://[fec0::1]",
        "http://192.0.0.192", "http://168.63.129.16", "http://[5f00::1]",
    ],
)  # fmt: skip
def test_inner_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidValueError, match=r"WEBHOOK_NETWORKS.*\$\.url"):
        WebhookTargets(Settings()).check("$.url", url)


def test_public_and_allowed_addresses_are_taken() -> None:
    WebhookTargets(Settings()).check("$.url", "https://93.184.215.14/h")
    WebhookTargets(Settings()).check("$.url", "https://no-such-host.invalid/h")  # it may have an address later
    allowed = WebhookTargets(Settings(webhook_networks="10.1.0.0/16, 127.0.0.1"))
    for url in ("http://10.1.2.3", "http://127.0.0.1:9", "http://[::ffff:10.1.2.3]"):
        allowed.check("$.url", url)
    with pytest.raises(InvalidValueError):
        allowed.check("$.url", "http://10.2.0.1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:8090/labels", "http://127.3.2.1:8090", "http://[::1]:8090"])
def test_service_itself_is_refused_although_its_network_is_allowed(url: str) -> None:
    targets = WebhookTargets(Settings(port=8090, webhook_networks=f"{LOCAL},0.0.0.0/0"))
    with pytest.raises(InvalidValueError, match="the service itself"):
        targets.check("$.url", url)
    targets.check("$.url", url.replace("8090", "8091"))


def test_public_address_of_the_service_is_refused() -> None:
    targets = WebhookTargets(Settings(public_url="https://labels.example.org/al-loop"))
    with pytest.raises(ForbiddenTargetError, match="the service itself"):
        targets.addresses(httpx.URL("https://labels.example.org:443/webhooks"))


def test_name_with_one_inner_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def look_up(host: str, port: int, **_: Any) -> Any:
        return [(2, 1, 6, "", (address, port)) for address in ("93.184.215.14", "10.0.0.7")]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    with pytest.raises(ForbiddenTargetError):
        WebhookTargets(Settings()).addresses(httpx.URL("https://rebound.example.org"))


@pytest.mark.parametrize("networks", ["10.1.0.0/33", "inner", "10.1.0.1/16"])
def test_setting_that_is_no_network_is_refused_at_the_start(networks: str) -> None:
    with pytest.raises(SettingsError, match="WEBHOOK_NETWORKS"):
        Settings.from_env({"AL_LOOP_WEBHOOK_NETWORKS": networks})
