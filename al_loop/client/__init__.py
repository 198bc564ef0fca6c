"""The typed HTTP client of the service, for threads and for event loops.

    from al_loop.client import Client

    with Client("http://127.0.0.1:8090", token=None) as client:
        print([campaign.name for campaign in client.campaigns()])

`OperatorClient` has the calls that change campaigns themselves, too; `AsyncClient` and `AsyncOperatorClient` have the
same methods to await. Importing it loads neither numpy, DuckDB, ONNX Runtime nor torch, and nothing of the packages
`models` and `service`; httpx only when a client is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from al_loop.client.errors import (
    AccessError,
    BusyServiceError,
    ClientError,
    ForeignAnswerError,
    InvalidRequestError,
    NoAnswerError,
    NothingThereError,
    ServiceError,
    ServiceUnreachableError,
    StateError,
)
from al_loop.client.retries import Retries

if TYPE_CHECKING:
    from al_loop.client.asynchronous.http import AsyncClient
    from al_loop.client.asynchronous.operators import AsyncOperatorClient
    from al_loop.client.http import Client
    from al_loop.client.operators import OperatorClient

__all__ = [
    "AccessError",
    "AsyncClient",
    "AsyncOperatorClient",
    "BusyServiceError",
    "Client",
    "ClientError",
    "ForeignAnswerError",
    "InvalidRequestError",
    "NoAnswerError",
    "NothingThereError",
    "OperatorClient",
    "Retries",
    "ServiceError",
    "ServiceUnreachableError",
    "StateError",
]

_PLACES = {
    "Client": "al_loop.client.http",
    "OperatorClient": "al_loop.client.operators",
    "AsyncClient": "al_loop.client.asynchronous.http",
    "AsyncOperatorClient": "al_loop.client.asynchronous.operators",
}


def __getattr__(name: str) -> object:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
