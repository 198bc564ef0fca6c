"""What can go wrong when the client calls the service. Apart from the client, as this loads no HTTP library."""

from typing import Any


class ClientError(Exception):
    """Base of every error that the client raises on purpose."""


class ServiceError(ClientError):
    """The service answered with a problem; `status` and `detail` are its own."""

    def __init__(self, status: int, detail: str, facts: dict[str, Any]) -> None:
        self.status, self.detail, self.facts = status, detail, facts
        super().__init__(detail)


class ServiceUnreachableError(ClientError):
    """Nothing answers at the service's address."""


class NoAnswerError(ClientError):
    """A timeout or a broken connection before the answer was complete; the request may have been carried out."""


class ForeignAnswerError(ClientError):
    """The answer is not one of this version of al-loop."""
