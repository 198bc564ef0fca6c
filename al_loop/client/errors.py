"""What can go wrong when the client calls the service. Apart from the client, as this loads no HTTP library.

ClientError
    ServiceError                the service answered that it did not do it; carries the request and the answer
        InvalidRequestError         400, 411, 413, 415, 422: what was sent; `fields` names the places
        AccessError                 401, 403: no token, or one that may not
        NothingThereError           404, 410: no campaign, sample, round or version of that name
        StateError                  409, 412: the state does not allow it now
        BusyServiceError            429, 503, after all tries: too much is asked for, or the service cannot answer now
    ServiceUnreachableError     nothing answers at the address
    NoAnswerError               the connection broke; the request may have been carried out
    ForeignAnswerError          not an answer of this version of al-loop
"""

from typing import Any, Self


class ClientError(Exception):
    """Base of every error that the client raises on purpose."""


class ServiceError(ClientError):
    """The service answered with a problem. The text of the error is its `detail`, which says what to do."""

    def __init__(
        self, status: int, detail: str, facts: dict[str, Any], *, method: str = "", url: str = "", request_id: str = ""
    ) -> None:
        """Keep the context of an answer.

        Args:
            status: Of HTTP.
            detail: What was wrong, in words.
            facts: The whole problem document (RFC 9457), with what belongs to its kind, such as `missing`.
            method: Of the request, such as POST.
            url: Of the request.
            request_id: Under which the service's log has the request; empty: it named none.
        """
        self.status, self.detail, self.facts = status, detail, facts
        self.method, self.url, self.request_id = method, url, request_id
        super().__init__(detail)

    @classmethod
    def of(cls, status: int, detail: str, facts: dict[str, Any], **context: str) -> "ServiceError":
        """The error of the class that belongs to a status."""
        return _BY_STATUS.get(status, ServiceError)(status, detail, facts, **context)

    @property
    def fields(self) -> dict[str, str]:
        """What is wrong with each field of the request, by JSON path or name of the parameter; empty: not told."""
        entries = self.facts.get("errors")
        if not isinstance(entries, list):
            return {}
        return {str(e.get("path", "$")): str(e.get("message", "")) for e in entries if isinstance(e, dict)}


class InvalidRequestError(ServiceError):
    """What was sent is not what the service takes."""


class AccessError(ServiceError):
    """No token, or one whose role may not do this."""


class NothingThereError(ServiceError):
    """Nothing has that name or number."""


class StateError(ServiceError):
    """The state does not allow this now, such as a lease of another annotator or too few labels."""


class BusyServiceError(ServiceError):
    """The service did not do it now, however often it was asked; trying again later is in order."""


_BY_STATUS: dict[int, type[ServiceError]] = {
    **dict.fromkeys((400, 411, 413, 415, 422), InvalidRequestError),
    **dict.fromkeys((401, 403), AccessError),
    **dict.fromkeys((404, 410), NothingThereError),
    **dict.fromkeys((409, 412), StateError),
    **dict.fromkeys((429, 503), BusyServiceError),
}


class ServiceUnreachableError(ClientError):
    """Nothing answers at the service's address, or not with a certificate that is trusted."""

    @classmethod
    def at(cls, url: str, reason: str) -> Self:
        """The error of an address, for what the HTTP library said of the connection."""
        if "CERTIFICATE_VERIFY_FAILED" in reason:
            remedy = "name the file with the authority that signed it in SSL_CERT_FILE"
            return cls(f"the certificate of {url} is not trusted here: {reason}; {remedy}")
        return cls(f"no al-loop service answers at {url}; start one with `al-loop serve`, or name it with --service")


class NoAnswerError(ClientError):
    """A timeout or a broken connection before the answer was complete; the request may have been carried out."""


class ForeignAnswerError(ClientError):
    """The answer is not one of this version of al-loop."""
