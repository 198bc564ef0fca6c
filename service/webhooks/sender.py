"""Sends webhooks over HTTP: one request, to addresses that were checked, within a few seconds in all."""

import asyncio
from collections.abc import Mapping
from functools import cached_property
from ssl import SSLContext

import httpx

from al_loop import __version__
from al_loop.webhooks.port import WebhookAnswer
from service.webhooks.targets import ForbiddenTargetError, WebhookTargets

TIMEOUT_S = 10.0
"""Seconds from the first packet to the status, however the other side spreads its answer."""
MOST_PROBLEM = 300


class WebhookSender:
    """Sends requests. Safe to share between threads."""

    def __init__(self, targets: WebhookTargets, *, timeout_s: float = TIMEOUT_S) -> None:
        """Nothing is sent yet.

        Args:
            targets: Says where requests may go.
            timeout_s: Seconds for one request in all.
        """
        self._targets, self._timeout_s = targets, timeout_s

    def __call__(self, url: str, headers: Mapping[str, str], body: str) -> WebhookAnswer:
        """POST a JSON body. Neither redirects are followed nor proxies or passwords of the environment used."""
        try:
            parsed = httpx.URL(url)
            addresses = self._targets.addresses(parsed)
            return WebhookAnswer(status=asyncio.run(self._post(parsed, addresses, headers, body)))
        except TimeoutError:
            return WebhookAnswer(problem=f"no answer within {self._timeout_s:g} s")
        except (ForbiddenTargetError, OSError, httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            return WebhookAnswer(problem=(str(error) or type(error).__name__)[:MOST_PROBLEM])

    @cached_property
    def _tls(self) -> SSLContext:
        return httpx.create_ssl_context(trust_env=False)

    async def _post(self, url: httpx.URL, addresses: list[str], headers: Mapping[str, str], body: str) -> int:
        """The status of the answer; its body is not read."""
        async with asyncio.timeout(self._timeout_s), httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(verify=self._tls, trust_env=False), trust_env=False,
            timeout=self._timeout_s,
        ) as client:  # fmt: skip
            for address in addresses[:-1]:
                try:
                    return await _status(client, url, address, headers, body)
                except httpx.ConnectError:
                    continue
            return await _status(client, url, addresses[-1], headers, body)


async def _status(
    client: httpx.AsyncClient, url: httpx.URL, address: str, headers: Mapping[str, str], body: str
) -> int:
    """POST to one address; `Host` and the certificate's name stay those of the URL."""
    sent = {
        "host": url.netloc.decode("ascii"),
        "content-type": "application/json",
        "user-agent": f"al-loop/{__version__}",
        **headers,
    }
    request = client.build_request(
        "POST", url.copy_with(host=address), headers=sent, content=body.encode(),
        extensions={"sni_hostname": url.host},
    )  # fmt: skip
    answer = await client.send(request, stream=True)
    await answer.aclose()
    return answer.status_code
