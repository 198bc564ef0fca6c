"""Right and wrong requests, made from the OpenAPI document by schemathesis: every answer is one that it describes.

`make fuzz` does the same for longer.
"""

import subprocess
import sys
from pathlib import Path

import msgspec

from service.app import create_app
from service.settings import Settings
from tests.data.serve_for_fuzzing import TOKEN, UNTOUCHED, prepared

ROOT = Path(__file__).parents[3]


def test_service_and_document_agree_on_generated_requests(settings: Settings, tmp_path: Path) -> None:
    guarded = msgspec.structs.replace(settings, tokens=f"ops={TOKEN}")
    with prepared(create_app(guarded), Path(settings.imagery)) as url:
        done = subprocess.run(
            [
                Path(sys.executable).with_name("schemathesis"), "--config-file", ROOT / "schemathesis.toml", "run",
                f"{url}/schema/openapi.json", "--header", f"Authorization: Bearer {TOKEN}", "--seed", "1",
                "--max-examples", "2", "--phases", "fuzzing", "--suppress-health-check", "all", "--no-color",
                "--continue-on-failure", *(f"--exclude-operation-id={name}" for name in UNTOUCHED),
            ],
            cwd=tmp_path, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    assert "Test cases:" in done.stdout
