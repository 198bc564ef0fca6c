"""From a folder of images without labels to labels, by the commands of the first hour, against the real service."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from al_loop.client.http import Client
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.e2e.campaigns import running_server, write_pool

AL_LOOP = str(Path(sys.executable).with_name("al-loop"))


@pytest.fixture
def url(settings: Settings) -> Iterator[str]:
    with running_server(create_app(settings)) as address:
        yield address


@pytest.fixture
def pool(imagery: Path) -> Path:
    write_pool(imagery / "pool", 6, size=32)
    (imagery / "pool" / "broken.tif").write_text("no raster")
    return imagery / "pool"


def test_folder_without_labels_becomes_a_campaign_that_is_labelled_in_the_terminal(
    url: str, pool: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    create = [
        "create",
        "land",
        str(pool),
        "--classes",
        "dark, bright",
        "--bands",
        "3,2,1",
        "--sensor",
        "sentinel-2",
    ]
    assert main([*create, "--service", url]) == 3
    said = capfd.readouterr().err
    assert "land: 6 images registered, 1 skipped" in said
    assert "skipped broken.tif: not a TIFF, JPEG or PNG image" in said
    assert f"{url}/annotate/land" in said
    with Client(url) as client:
        view = client.campaign("land")
        assert ([spec.task for spec in view.tasks], view.tasks[0].classes) == (["classification"], ["dark", "bright"])
        assert (view.bands, view.settings.sensor) == ([3, 2, 1], "sentinel-2")
    assert main(["status", "land", "--service", url]) == 0
    assert "\tdrawn by the first query\t" in capfd.readouterr().out  # "0 (0)" would read as if none were wanted
    assert main(["query", "land", "--size", "2", "--annotator", "anna", "--service", url]) == 0
    listed = capfd.readouterr().out
    [first, _] = re.findall(r"(\d+)\t(scene_\d+\.tif)", listed)
    assert main(["label", "land", first[0], "dark", "--annotator", "anna", "--service", url]) == 0
    assert "the test reserve holds 3 samples, a round needs 5 labelled ones" in capfd.readouterr().err
    assert main(["label", "land", first[1], "bright", "--annotator", "anna", "--service", url]) == 0
    assert main(["status", "land", "--service", url]) == 0
    shown = capfd.readouterr()
    assert "the test reserve holds 3 samples, a round needs 5 labelled ones" in shown.out  # there are six images
    assert main(["policy", "set", "land", "min_labels=2", "min_reserve_labels=2", "--service", url]) == 0
    assert main(["policy", "preview", "land", "--service", url]) == 0
    assert re.search(r"[0-2] of [56] new labels until the next round", capfd.readouterr().out)  # there are no 50 images
    assert "drawn by" not in shown.out
    assert "images are described by: none" in shown.out
    assert "the encoder with ImageNet weights is not used: left out by the tests" in shown.err


def test_rescan_counts_what_is_known_and_blames_nobody(url: str, pool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["create", "land", str(pool), "--classes", "dark,bright", "--service", url]) == 3
    (pool / "broken.tif").unlink()
    write_pool(pool, 7, size=32)
    capfd.readouterr()
    assert main(["add", "land", "--service", url]) == 0
    said = capfd.readouterr().err
    assert said == "land: 1 image registered, 6 were registered before\n"


def test_files_that_are_skipped_are_named_listed_and_told_by_the_exit_code(
    url: str, imagery: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for number in range(12):
        (imagery / "bad" / f"{number:02}.tif").parent.mkdir(exist_ok=True)
        (imagery / "bad" / f"{number:02}.tif").write_text("no raster")
    assert main(["create", "land", str(imagery / "bad"), "--classes", "dark,bright", "--service", url]) == 2
    said = capfd.readouterr().err
    assert "land: 0 images registered, 12 skipped" in said
    assert "skipped 09.tif: not a TIFF" in said
    assert "and 2 more; al-loop add land --json lists all of them" in said
    write_pool(imagery / "bad", 2, size=32)
    assert main(["add", "land", "--json", "--service", url]) == 3
    report = json.loads(capfd.readouterr().out)
    assert (report["registered"], report["skipped_count"], len(report["skipped"])) == (2, 12, 12)
    for path in (imagery / "bad").glob("??.tif"):
        path.unlink()
    assert main(["add", "land", "--service", url]) == 0


MISTAKES = [
    (["create", "land", "nowhere", "--classes", "a,b"], "nowhere is no folder"),
    (["create", "Land", "POOL", "--classes", "a,b"], "a-z, 0-9 and -"),
    (["create", "land", "POOL", "--classes", "a"], "at least 2 classes"),
    (["create", "land", "POOL", "--classes", "a,b", "--bands", "red"], "band numbers"),
    (["create", "land", "POOL", "--classes", "a,b", "--task", "painting"], "use one of classification"),
    (["create", "land", "POOL", "--classes", "a,b", "--sensor", "Landsat 8"], "sensor"),
    (["create", "land", "POOL", "--classes", "a,b", "--band-names", "red,teal"], "'teal' is no name of a band"),
    (["create", "land", "POOL", "--classes", "a,b", "--band-names", "red,nir"], "the images have 3"),
    (["create", "land", "OUTSIDE", "--classes", "a,b"], "stop it and start it with --imagery"),
    (["add", "nobody"], "no campaign 'nobody'"),
    (["label", "nobody", "1"], "name a class"),
    (["query", "nobody"], "no campaign 'nobody'"),
    (["open", "nobody", "--no-browser"], "no campaign 'nobody'"),
]


def test_mistake_is_one_sentence(url: str, pool: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "elsewhere").mkdir()
    places = {"POOL": str(pool), "OUTSIDE": str(tmp_path / "elsewhere")}
    for arguments, words in MISTAKES:
        assert main([*(places.get(word, word) for word in arguments), "--service", url]) == 2
        said = capfd.readouterr().err
        assert words in said
        assert said.count("\n") == 1
        assert "$." not in said


def test_campaign_that_exists_is_not_created_again(url: str, pool: Path, capfd: pytest.CaptureFixture[str]) -> None:
    create = ["create", "land", str(pool), "--classes", "dark,bright", "--service", url]
    assert main(create) == 3
    capfd.readouterr()
    assert main(create) == 2
    assert "al-loop add land" in capfd.readouterr().err


def test_import_keeps_labels_back_as_a_pool(url: str, imagery: Path, capfd: pytest.CaptureFixture[str]) -> None:
    names = write_pool(imagery / "flat", 40, size=32)
    for number, name in enumerate(names):
        folder = imagery / "classes" / ("bright" if number % 2 else "dark")
        folder.mkdir(parents=True, exist_ok=True)
        (imagery / "flat" / name).rename(folder / name)
    again = ["import", str(imagery / "classes"), "--campaign", "land", "--without-labels", "0.6", "--service", url]
    assert main(again) == 0
    said = capfd.readouterr().err
    with Client(url) as client:
        counts = client.campaign("land").samples
        recorded = counts.labelled + counts.reserve_labelled
        assert 5 <= recorded <= 30
        assert f"classification labels: {recorded} new" in said
        assert "labels of 60% of the images were kept back" in said
        assert counts.total == 40
    assert main(again) == 0
    with Client(url) as client:
        after = client.campaign("land").samples
    assert after.labelled + after.reserve_labelled == recorded


def test_example_starts_a_service_and_open_finds_it(tmp_path: Path, free_tcp_port: int) -> None:
    address = f"http://127.0.0.1:{free_tcp_port}"
    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [AL_LOOP, *arguments, *([] if arguments == ("stop",) else ["--service", address])]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=300, check=False
        )

    try:
        made = run("example", "--scenes", "1")
        assert made.returncode == 0, made.stderr
        assert made.stdout == f"{address}/annotate/example\n"
        assert "started a service in the background" in made.stderr
        assert made.stderr.count("stop it with: al-loop stop)") == 1
        counts = httpx.get(f"{address}/campaigns/example").json()["samples"]
        assert counts["total"] > counts["labelled"] + counts["reserve_labelled"] > 0
        again = run("example", "--scenes", "1")
        assert again.returncode == 0, again.stderr
        after = httpx.get(f"{address}/campaigns/example").json()["samples"]
        labels = [seen["labelled"] + seen["reserve_labelled"] for seen in (counts, after)]
        assert (after["total"], labels[1]) == (counts["total"], labels[0])
        assert run("open").stdout == f"{address}/\n"
        assert run("query", "example").returncode == 0
        write_pool(tmp_path / "own", 3, size=32)
        own = run("create", "own", "own", "--classes", "a,b")  # beside the example, in the working directory
        assert own.returncode == 0, own.stderr
    finally:
        stopped = run("stop")
    assert "stopped the service over al-loop-data" in stopped.stderr, stopped.stderr
    assert run("status").returncode != 0
    again = run("stop")
    assert (again.returncode, again.stderr) == (0, "no service runs in the background over al-loop-data\n")
