"""Addresses of SCANEO: malformed ones and those of metadata services are refused before anything is sent."""

import pytest

from al_loop.errors import InvalidValueError
from service.scaneo.addresses import check_address, check_target
from tests.e2e.campaigns import Http


@pytest.mark.parametrize(
    "url",
    [
        "http://[::1", "http://" + "a" * 300, "http://a\r\nb", "http://xn--", "http://", "ftp://a", "http://a:99999",
        "http://user:secret@a", "http://a..b",
        "http://host:0", "http://host:-1",
    ],
)  # fmt: skip
def test_malformed_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidValueError, match=r"\$\.url"):
        check_address("$.url", url)


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.169.254/latest", "http://[fe80::1]:8000", "http://[::ffff:169.254.169.254]", "http://224.0.0.1",
        "http://[64:ff9b::169.254.169.254]", "http://[2002:a9fe:a9fe::1]", "http://[::169.254.169.254]",
        "http://2852039166", "http://0xa9fea9fe", "http://[64:ff9b:1::a9fe:a9fe]", "http://[::ffff:0:169.254.169.254]",
        "http://192.0.0.192", "http://168.63.129.16",
    ],
)  # fmt: skip
def test_metadata_service_is_refused(url: str) -> None:
    with pytest.raises(InvalidValueError, match="LINK_LOCAL"):
        check_target("$.url", url)


def test_addresses_of_scaneo_are_taken() -> None:
    for url in (
        "http://localhost:8000",
        "http://127.0.0.1:8000/",
        "http://[::1]:8000",
        "https://10.0.0.7",
        "http://no-such-host.invalid:1",
    ):
        check_target("$.url", url)
    check_target("$.url", "http://169.254.1.1", link_local=True)


def test_link_to_a_malformed_address_is_the_callers_mistake(http: Http) -> None:
    for url in ("http://[::1", "http://" + "a" * 300, "http://a\r\nb", "http://xn--", "http://169.254.169.254"):
        answer = http.put("/campaigns/demo/scaneo", json={"url": url, "campaign": "x"})
        assert (answer.status_code, "$.url" in answer.json()["detail"]) == (400, True), (url, answer.text)
