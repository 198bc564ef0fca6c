"""Puts a replica together from settings."""

import tempfile
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

from litestar import Litestar

from al_loop.campaigns.layout import DataLayout
from al_loop.loop import utc_now
from al_loop.serving.model_copies import fetched
from al_loop.serving.replica import Replica, ServedCampaign
from service.replica.app import create_replica_app
from service.replica.writer import HttpWriter
from service.settings import PREFIX, Settings, SettingsError


def replica_app(settings: Settings, url: str, token: str | None) -> Litestar:
    """The app of a replica.

    Args:
        settings: Where models are (`artifacts`, or else `data`), limits and tokens.
        url: Of the service that owns the store.
        token: One of the role `ops` there, if it asks for tokens.

    Raises:
        SettingsError: The address is none, or there is no place to read models from.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise SettingsError(f"--replica-of: {url!r} is no address such as http://127.0.0.1:8090")
    if settings.artifacts:
        find = partial(fetched, settings.artifacts, Path(tempfile.mkdtemp(prefix="al-loop-models-")))
    else:
        layout = DataLayout(settings.data.resolve())
        if not layout.root.is_dir():
            raise SettingsError(
                f"--replica-of: there is no directory {layout.root}; give the data directory of {url} with --data, or "
                f"set {PREFIX}ARTIFACTS on both"
            )
        find = partial(_shared, layout)
    replica = Replica(
        HttpWriter(url.rstrip("/"), token), find, utc_now, max_bytes=settings.max_upload_mb * 1_000_000,
        load=settings.load_model,
    )  # fmt: skip
    return create_replica_app(settings, replica, url)


def _shared(layout: DataLayout, entry: ServedCampaign) -> Path:
    return layout.models(entry.campaign.folder) / str(entry.version)
