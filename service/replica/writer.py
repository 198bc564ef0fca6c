"""The writer of a replica, over HTTP."""

from collections.abc import Sequence

import httpx
import msgspec

from al_loop import __version__
from al_loop.domain.predictions import ShadowAnswer, ShownPrediction
from al_loop.errors import ConflictError, NotFoundError
from al_loop.serving.replica import ServedState, WriterUnreachableError

TIMEOUT = httpx.Timeout(10.0, connect=3.0)
LIMITS = httpx.Limits(max_connections=32, max_keepalive_connections=16)


class HttpWriter:
    """Calls the service that owns the store. Safe to share between threads."""

    def __init__(self, url: str, token: str | None = None, http: httpx.Client | None = None) -> None:
        """Nothing is asked yet.

        Args:
            url: Address of the service.
            token: One of the role `ops`, where the service asks for tokens.
            http: What sends; None: a client of its own.
        """
        self._url = url
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._http = http or httpx.Client(base_url=url, timeout=TIMEOUT, limits=LIMITS, headers=headers)

    def state(self) -> ServedState:
        """See `al_loop.serving.replica.StoreOwner`.

        Raises:
            WriterUnreachableError: It does not answer, refuses, or has another version.
        """
        answer = self._ask("GET", "/replica/state")
        try:
            version = msgspec.json.decode(answer.content, type=dict[str, msgspec.Raw])["version"]
            if msgspec.json.decode(version) != __version__:
                raise WriterUnreachableError(
                    self._url, f"it is al-loop {msgspec.json.decode(version)}, this is {__version__}"
                )
            return msgspec.json.decode(answer.content, type=ServedState)
        except (msgspec.MsgspecError, KeyError) as error:
            raise WriterUnreachableError(self._url, f"it gave no answer of al-loop: {error}") from error

    def note(self, campaign: str, shown: ShownPrediction) -> bool:
        """See `al_loop.serving.replica.StoreOwner`.

        Raises:
            WriterUnreachableError: It does not answer, or refuses.
            NotFoundError: It has no such campaign any more.
        """
        answer = self._ask("POST", f"/replica/campaigns/{campaign}/shown", msgspec.json.encode(shown))
        try:
            return msgspec.json.decode(answer.content, type=dict[str, bool])["withheld"]
        except (msgspec.MsgspecError, KeyError) as error:
            raise WriterUnreachableError(self._url, f"it gave no answer of al-loop: {error}") from error

    def record_shadow(self, campaign: str, answers: Sequence[ShadowAnswer]) -> None:
        """See `al_loop.serving.replica.StoreOwner`.

        Raises:
            WriterUnreachableError: It does not answer, or refuses.
            NotFoundError: It has no such campaign any more.
            ConflictError: Another challenger, or none, answers in the shadow there now.
        """
        self._ask("POST", f"/replica/campaigns/{campaign}/shadow", msgspec.json.encode(answers))

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _ask(self, method: str, path: str, body: bytes | None = None) -> httpx.Response:
        headers = {} if body is None else {"Content-Type": "application/json"}
        try:
            answer = self._http.request(method, path, content=body, headers=headers)
        except httpx.HTTPError as error:
            raise WriterUnreachableError(self._url, str(error) or type(error).__name__) from error
        if answer.status_code == httpx.codes.NOT_FOUND and body is not None:
            raise NotFoundError("campaign", path.split("/")[3])
        if answer.status_code == httpx.codes.CONFLICT:
            raise ConflictError("The campaign, or its challenger, is another one now; ask again.")
        if not answer.is_success:
            raise WriterUnreachableError(self._url, f"it refused with status {answer.status_code}")
        return answer
