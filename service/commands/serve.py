"""`al-loop serve`."""

import logging
import os
import socket
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from al_loop import __version__
from service.settings import PREFIX, Settings, SettingsError


def run(
    data: Annotated[
        Path | None, typer.Option(help="Directory of labels, models and rounds; al-loop-data if left out.")
    ] = None,
    imagery: Annotated[
        list[Path] | None, typer.Option(help="Folder that campaign roots must lie in; may be repeated.")
    ] = None,
    host: Annotated[str | None, typer.Option(help="Address to listen on; 127.0.0.1 if left out.")] = None,
    port: Annotated[int | None, typer.Option(help="TCP port; 8090 if left out.")] = None,
    replica_of: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Answer predictions only, with the models of the service at this address."),
    ] = None,
) -> None:
    """Run the service until it is stopped.

    Further settings are environment variables (AL_LOOP_...); an address that others reach needs AL_LOOP_TOKENS.

    Raises:
        SettingsError: The settings are wrong or unsafe.
        StoreLockedError: Another process owns the data directory.
        StoreError: The data directory was written by a newer al-loop, or cannot be opened.
    """
    import uvicorn  # here, as other commands need neither it nor the app
    from threadpoolctl import threadpool_limits

    from models.errors import PromptableModelError
    from models.inference.promptable import PromptableModel
    from service.app import create_app, open_workbench
    from service.limits.connections import ConnectionLimits, limited
    from service.log import set_up_logging
    from service.replica.start import replica_app
    from service.telemetry import tracing_from

    settings = Settings.from_env(
        os.environ,
        data=None if data is None else str(data),
        imagery=":".join(str(folder) for folder in imagery) if imagery else None,
        host=host,
        port=port,
    )
    if settings.sam_model is not None:
        try:
            PromptableModel(settings.sam_model)  # here, where a refusal is one sentence and not a traceback
        except PromptableModelError as error:
            raise SettingsError(str(error)) from error
    set_up_logging(settings)
    tracing = tracing_from(os.environ)
    _have_temporary(settings.data)
    listener = _bound(settings)  # before the store is opened, and before anything is said to run
    settings = msgspec.structs.replace(settings, port=listener.getsockname()[1])  # where any was asked for
    # Requests and heads share the cores by threads of our own; the threads of matrix products would wait for each
    # other: on two busy cores a head of 1,000 labels took 20 s instead of 1.
    threadpool_limits(limits=1, user_api="blas")
    place = f"{f'[{settings.host}]' if ':' in settings.host else settings.host}:{listener.getsockname()[1]}"
    address = f"http://{place}{settings.root_path}/"
    # Not the server's own access log: it would hold the tokens that SCANEO has to send in the URL.
    limits = ConnectionLimits(connections=settings.max_connections)
    if replica_of is not None:
        app = replica_app(settings, replica_of, os.environ.get(f"{PREFIX}TOKEN"))
        logging.getLogger("al_loop").info("al-loop %s: a replica of %s at %s", __version__, replica_of, address)
        on_refusal: Callable[[int], None] = _ignore
    else:
        loop = open_workbench(settings)  # here as well: the server would log a traceback
        app = create_app(settings, loop, tracing=tracing)
        logging.getLogger("al_loop").info("al-loop %s: open %s in a browser", __version__, address)
        on_refusal = app.state.metrics.note_refusal
    config = uvicorn.Config(
        app, access_log=False, log_config=None, timeout_graceful_shutdown=10,
        http=limited(limits, on_refusal), timeout_keep_alive=limits.idle_s,
    )  # fmt: skip
    server = uvicorn.Server(config)
    with suppress(KeyboardInterrupt):
        server.run(sockets=[listener])
    if not server.started:
        raise SettingsError("the service did not start; its log says why")


def _ignore(_: int) -> None:
    """A replica keeps no metrics."""


def _have_temporary(data: Path) -> None:
    """Let uploads, exports and programs use a folder of the data directory where the system has none to write to."""
    from al_loop.campaigns.layout import DataLayout

    try:
        tempfile.gettempdir()
    except FileNotFoundError:
        folder = DataLayout(data.resolve()).temporary
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = os.environ["TMPDIR"] = str(folder)


def _bound(settings: Settings) -> socket.socket:
    """A socket that holds the service's address; it does not listen yet.

    Raises:
        SettingsError: The address is in use, is none of this machine, or may not be used.
    """
    bound = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((settings.host, settings.port))
    except OSError as error:
        bound.close()
        raise SettingsError(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}; choose another with --port, "
            "or see what runs there (al-loop status)"
        ) from error
    return bound
