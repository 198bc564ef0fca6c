"""The tutorial runs as it is written, and so do the examples, against a real service on generated scenes."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.data.ports import free_port

ROOT = Path(__file__).parent.parent.parent
TUTORIAL = ROOT / "docs" / "tutorial.md"
BLOCKS = re.compile(r"^```bash\n(.*?)^```", re.MULTILINE | re.DOTALL)
IMAGE = "imagery/fields/scene-1/chip_03_03.tif"
EXAMPLES = f"""
echo == script; python examples/make_scenes.py imagery
python examples/tutorial.py imagery --campaign scripted --labels 60
echo == httpx; python examples/with_httpx.py example {IMAGE}
echo == curl; examples/with_curl.sh example {IMAGE} cropland
echo == async; python examples/async_client.py example; python examples/read_pages.py example
echo == end
"""
TIMEOUT_S = 1200
"""Two trainings take a minute on two quiet cores and ten where others use them."""
pytestmark = pytest.mark.timeout(TIMEOUT_S + 100)


def tutorial_script(port: int) -> str:
    """The commands of the tutorial on another port, the examples before its end; stops at the first that fails."""
    lines = "\n".join(BLOCKS.findall(TUTORIAL.read_text(encoding="utf-8"))).splitlines()
    at = next(number for number, line in enumerate(lines) if line == "al-loop stop")
    script = "\n".join([*lines[:at], EXAMPLES, *lines[at:]])
    script = script.replace("localhost:8090", f"localhost:{port}").replace("curl -s ", "curl -s --fail-with-body ")
    return f"set -euo pipefail\ntrap 'kill $(cat al-loop-data/al-loop.pid) 2>/dev/null || true' EXIT\n{script}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the tutorial was followed."""
    folder = tmp_path_factory.mktemp("tutorial")
    (folder / "examples").symlink_to(ROOT / "examples")
    port = free_port()
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "AL_LOOP_PORT": str(port),
        "AL_LOOP_URL": f"http://127.0.0.1:{port}",
    }
    with (folder / "output.txt").open("wb") as output:
        done = subprocess.run(
            ["bash", "-c", tutorial_script(port)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
    assert done.returncode == 0, (folder / "output.txt").read_text()
    return folder


@pytest.fixture(scope="module")
def output(folder: Path) -> str:
    """What the tutorial and the examples said."""
    return (folder / "output.txt").read_text(encoding="utf-8")


def test_tutorial_starts_from_images_and_ends_with_a_model_and_labels(folder: Path, output: str) -> None:
    said = output.partition("== script")[0]
    assert "250 images in al-loop-example" in said
    assert "example: label " in said
    assert re.search(r"round 1 promoted: ", said)
    assert "quick is the only candidate" in said  # a newcomer waits seconds for the first model
    assert re.search(r"^\[[\d.e,-]+\]", said, re.MULTILINE)
    assert "fields: 32 images registered" in said
    assert "fields: 32 images registered, 32 were registered before" in said
    assert "masks: mask-pairs, 250 images" in said
    assert "of 50 new labels until the next round" in said
    assert '"FeatureCollection"' in (folder / "masks.geojson").read_text(encoding="utf-8")


def test_httpx_example_queries_labels_and_predicts(output: str) -> None:
    said = output.partition("== httpx")[2].partition("== curl")[0]
    assert said.count("label scene-") == 3
    assert "recorded [" in said
    assert "given back 2" in said
    probabilities = [float(text) for text in re.findall(r"^[\w-]+: (\d\.\d\d)$", said, re.MULTILINE)]
    assert len(probabilities) == 5
    assert abs(sum(probabilities) - 1) < 0.05


def test_curl_example_queries_labels_and_predicts(folder: Path, output: str) -> None:
    said = output.partition("== curl")[2].partition("== async")[0]
    assert '"query_id"' in said
    assert re.search(r'\{"label_ids":\[\d+\]\}', said)
    assert re.search(r"^\[[\d.e,-]+\]$", said, re.MULTILINE)
    (picture,) = folder.glob("sample-*.png")
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_python_example_runs_a_whole_campaign(output: str) -> None:
    said = output.partition("== script")[2].partition("== httpx")[0]
    assert "samples by auto" in said
    assert "round 1 promoted: " in said
    assert re.search(r"^chip_\d\d_\d\d\.tif: [\w-]+ \(\d+%\)$", said, re.MULTILINE)


def test_asynchronous_example_reads_pages_and_pictures(output: str) -> None:
    said = output.partition("== async")[2].partition("== end")[0]
    assert re.search(r"^\d+ of 250 labelled$", said, re.MULTILINE)
    assert len(re.findall(r"^sample \d+: \[.*\] by ", said, re.MULTILINE)) == 3
    assert re.search(r"^\d+ images are not labelled yet$", said, re.MULTILINE)
    assert re.search(r"^250 samples; thumbnails of \[\d+, \d+, \d+, \d+\] bytes$", said, re.MULTILINE)
