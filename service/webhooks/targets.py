"""Which addresses webhooks may be sent to: whoever subscribes must not make the service knock at inner doors.

Public addresses are allowed, all others only where the operator named their network; the service itself never is.
"""

import socket
from ipaddress import IPv4Address, IPv6Address

import httpx

from al_loop.errors import InvalidValueError
from service.scaneo.addresses import check_address, is_public, look_up
from service.settings import Settings


class ForbiddenTargetError(Exception):
    """An address that webhooks are not sent to."""


class WebhookTargets:
    """Says which addresses a webhook may go to."""

    def __init__(self, settings: Settings) -> None:
        self._networks, self._port = settings.allowed_webhook_networks, settings.port
        self._public = None if settings.public_url is None else _place(httpx.URL(settings.public_url))

    def check(self, field: str, url: str) -> None:
        """Refuse an address when it is given; a host that has no address now is left to the sending.

        Raises:
            InvalidValueError: No HTTP address, or a forbidden one; carries the JSON path.
        """
        try:
            self.addresses(check_address(field, url))
        except ForbiddenTargetError as error:
            raise InvalidValueError(field, str(error)) from error
        except OSError:
            return

    def addresses(self, url: httpx.URL) -> list[str]:
        """The IP addresses behind a URL, to be asked for anew at each attempt: names change what they stand for.

        Raises:
            ForbiddenTargetError: One of them is not allowed.
            OSError: There is none.
        """
        host, port = _place(url)
        if self._public == (host, port):
            raise ForbiddenTargetError("this is the address of the service itself")
        found = look_up(host, port)
        for _, meant in found:
            if port == self._port and _is_here(meant):
                raise ForbiddenTargetError("this is the address of the service itself")
            if meant.is_multicast or not (is_public(meant) or any(meant in network for network in self._networks)):
                raise ForbiddenTargetError(
                    f"{host} is not a public address; name its network in AL_LOOP_WEBHOOK_NETWORKS to allow it"
                )
        return [text for text, _ in found]


def _place(url: httpx.URL) -> tuple[str, int]:
    return url.host, url.port or (443 if url.scheme == "https" else 80)


def _is_here(place: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of this machine."""
    if place.is_loopback or place.is_unspecified:
        return True
    with socket.socket(socket.AF_INET6 if place.version == 6 else socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.bind((str(place), 0))
        except OSError:
            return False
    return True
