"""Connections to SCANEO's host that go to an address which was checked, however often its name changes its meaning.

A name that stood for an allowed address when a campaign was linked may stand for 169.254.169.254 a minute later (DNS
rebinding). So each request looks the name up, checks what it finds, and connects to that and to nothing else. Neither
redirects are followed nor proxies of the environment used: both would choose another address.
"""

import socket
import time
from urllib.parse import urlsplit

import httpx

from service.scaneo.addresses import ForbiddenHostError, checked_hosts


class CheckedTransport(httpx.BaseTransport):
    """Sends requests of an `httpx.Client` to checked addresses."""

    def __init__(self, *, link_local: bool = False) -> None:
        """Connect lazily.

        Args:
            link_local: Whether the operator allowed link-local addresses.
        """
        self._link_local = link_local
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request; `Host` and the certificate's name stay those of the URL.

        Raises:
            httpx.ConnectError: The host has no address, or one that is not allowed; nothing was sent.
            httpx.TransportError: As `httpx.HTTPTransport`.
        """
        url = request.url
        try:
            hosts = checked_hosts(url.host, url.port or 80, link_local=self._link_local)
        except (ForbiddenHostError, OSError) as error:
            raise httpx.ConnectError(str(error), request=request) from error
        request.extensions = {**request.extensions, "sni_hostname": url.host}
        for host in hosts[:-1]:
            try:
                return self._sent_to(host, request, url)
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return self._sent_to(hosts[-1], request, url)

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _sent_to(self, host: str, request: httpx.Request, url: httpx.URL) -> httpx.Response:
        request.url = url.copy_with(host=host)
        try:
            return self._inner.handle_request(request)
        finally:
            request.url = url


def checked_socket(url: str, timeout_s: float, *, link_local: bool = False) -> socket.socket:
    """A TCP connection to the host of an `http` or `https` URL.

    Raises:
        ForbiddenHostError: The host has an address that is not allowed.
        OSError: No connection in time.
    """
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    until = time.monotonic() + timeout_s
    refused: OSError | None = None
    for host in checked_hosts(parts.hostname or "", port, link_local=link_local):
        try:
            return socket.create_connection((host, port), max(0.1, until - time.monotonic()))
        except OSError as error:
            refused = error
    raise refused or OSError(f"{parts.hostname} has no address")
