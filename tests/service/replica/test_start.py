"""A replica as people start it: real processes, and what is refused at the start."""

import re
from pathlib import Path

import pytest

from service.replica.start import replica_app
from service.settings import Settings, SettingsError

CLASSES = ["class-1", "class-2", "class-3"]


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("ftp://127.0.0.1", "--replica-of: 'ftp://127.0.0.1' is no address such as http://127.0.0.1:8090"),
        ("127.0.0.1:8090", "is no address such as"),
        ("http://127.0.0.1:8090", "give the data directory of http://127.0.0.1:8090 with --data, or set AL_LOOP_ART"),
    ],
)
def test_nonsense_is_refused_at_the_start(tmp_path: Path, url: str, said: str) -> None:
    with pytest.raises(SettingsError, match=re.escape(said)):
        replica_app(Settings(data=tmp_path / "missing"), url, None)
