"""The typed HTTP client of the service. Loads neither DuckDB, ONNX Runtime nor torch; httpx only when it is used."""

from typing import TYPE_CHECKING

from service.client.errors import ClientError, ForeignAnswerError, NoAnswerError, ServiceError, ServiceUnreachableError

if TYPE_CHECKING:
    from service.client.http import Client

__all__ = ["Client", "ClientError", "ForeignAnswerError", "NoAnswerError", "ServiceError", "ServiceUnreachableError"]


def __getattr__(name: str) -> "type[Client]":
    if name != "Client":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from service.client.http import Client

    return Client
