"""What can go wrong when the client calls the service. Apart from the client, as this loads no HTTP library."""

from typing import Any, Self


class ClientError(Exception):
    """Base of every error that the client raises on purpose."""


class ServiceError(ClientError):
    """The service answered with a problem; `status` and `detail` are its own."""

    def __init__(self, status: int, detail: str, facts: dict[str, Any]) -> None:
        self.status, self.detail, self.facts = status, detail, facts
        super().__init__(detail)


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
