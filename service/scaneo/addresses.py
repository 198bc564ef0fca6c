"""Which addresses a campaign may be linked to: the service sends requests there, so not wherever somebody likes."""

import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import httpx

from al_loop.errors import InvalidValueError

METADATA = {ip_address(text) for text in ("fd00:ec2::254", "100.100.100.200", "192.0.0.192", "168.63.129.16")}
"""Metadata services of clouds beside the link-local 169.254.169.254: AWS, Alibaba, Oracle, Azure."""


class ForbiddenHostError(Exception):
    """A host that the service does not connect to."""

    def __init__(self, host: str) -> None:
        super().__init__(f"{host} is a link-local address; set AL_LOOP_SCANEO_LINK_LOCAL=true if SCANEO is there")


_HOLD_IPV4 = tuple(IPv6Network(text) for text in ("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96", "::/96"))
"""NAT64 of the world and of a network's own (RFC 6052, 8215), translated ones (RFC 2765), and the old way to write IPv4
addresses as IPv6 ones."""
_GLOBAL_UNICAST, _PROTOCOL_ASSIGNMENTS = IPv6Network("2000::/3"), IPv4Network("192.0.0.0/24")


def check_address(field: str, url: str) -> httpx.URL:
    """The address, once it is one that can be asked.

    Raises:
        InvalidValueError: Not `http://` or `https://` with a host and without a user; carries the JSON path.
    """
    try:
        parsed = httpx.URL(url)
        parsed.host.encode("idna")  # as sockets do: no part of a name is empty or too long
    except (httpx.InvalidURL, ValueError) as error:
        raise InvalidValueError(field, f"no address of a service: {error}") from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.userinfo or not _is_port(parsed.port):
        raise InvalidValueError(field, "no address such as http://localhost:8000")
    return parsed


def check_target(field: str, url: str, *, link_local: bool = False) -> None:
    """Refuse addresses that are no SCANEO's: link-local ones, where clouds hand out credentials, and multicast.

    Args:
        field: JSON path of the address.
        url: The address; a host that has no address now is left to the connection.
        link_local: Whether the operator allowed them.

    Raises:
        InvalidValueError: Carries the JSON path.
    """
    parsed = check_address(field, url)
    try:
        checked_hosts(parsed.host, parsed.port or 80, link_local=link_local)
    except ForbiddenHostError as error:
        raise InvalidValueError(field, str(error)) from error
    except OSError:
        return


def checked_hosts(host: str, port: int, *, link_local: bool) -> list[str]:
    """The addresses of a host, in the order in which to try them; to be asked for anew at each connection.

    Raises:
        ForbiddenHostError: One of them is link-local or multicast.
        OSError: It has none.
    """
    found = look_up(host, port)
    for _, place in found:
        if place.is_multicast or (not link_local and (place.is_link_local or place in METADATA)):
            raise ForbiddenHostError(host)
    return [text for text, _ in found]


def is_public(place: IPv4Address | IPv6Address) -> bool:
    """Whether an address is one of the Internet: no inner, local, reserved or translated one, and no cloud's metadata.

    Stricter than `is_global` of Python 3.11, which takes whatever has no entry in IANA's registries for global.
    """
    if place in METADATA or place in _PROTOCOL_ASSIGNMENTS or place.is_multicast or not place.is_global:
        return False
    return isinstance(place, IPv4Address) or place in _GLOBAL_UNICAST


def look_up(host: str, port: int) -> list[tuple[str, IPv4Address | IPv6Address]]:
    """The addresses of a host, in the order in which to try them, each with the one that it stands for.

    Raises:
        OSError: It has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except UnicodeError as error:
        raise OSError(f"{host!r} is no host name") from error
    hosts = dict.fromkeys(str(place[0]) for *_, place in found)
    return [(text, _behind(ip_address(text.partition("%")[0]))) for text in hosts]


def _is_port(port: int | None) -> bool:
    return port is None or 0 < port < 2**16


def _behind(place: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one stands for; any other itself."""
    if isinstance(place, IPv4Address):
        return place
    if any(place in network for network in _HOLD_IPV4) and int(place) & 0xFFFFFFFF > 1:  # not :: and ::1
        return IPv4Address(int(place) & 0xFFFFFFFF)
    return place.ipv4_mapped or place.sixtofour or place
