"""One bad file never stops many: what cannot be used is skipped with a reason, all the rest is registered."""

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from PIL import Image

from al_loop.campaigns import register
from al_loop.campaigns.notices import campaign_notices
from al_loop.campaigns.register import register_paths, register_scan
from al_loop.domain.campaigns import Campaign, RegistrationReport
from al_loop.store import LabelStore
from models.rasters.reading import RasterHeader, read_header
from tests.al_loop.store.fixtures import NOW
from tests.data.make_scene import make_scene

GOOD = ["a.tif", "d/ä #1.TIF", "d/new\nline.tif", "e/" + "l" * 251 + ".tif"]


@pytest.fixture
def campaign(make_campaign: Callable[..., Campaign], tmp_path: Path) -> Campaign:
    """A campaign whose root holds four good images."""
    root = tmp_path / "pool"
    for name in GOOD:
        make_scene(root / name, bands=1, dtype="uint8")
    return msgspec.structs.replace(make_campaign(), root=str(root))


@pytest.fixture
def scan(label_store: LabelStore, campaign: Campaign) -> Callable[[], dict[str, str]]:
    """Scan, look that all good images are in, and return what was skipped with the reasons."""

    def run() -> dict[str, str]:
        report = register_scan(label_store, campaign, NOW)
        assert sorted(label_store.samples.paths(campaign.campaign_id)[1]) == sorted(GOOD)
        msgspec.json.decode(msgspec.json.encode(report), type=RegistrationReport)
        assert report.skipped_count == len(report.skipped)
        return {entry.path: entry.reason for entry in report.skipped}

    return run


def test_name_that_is_not_utf_8_is_skipped_and_shown(campaign: Campaign, scan: Callable[[], dict[str, str]]) -> None:
    folder = os.fsencode(campaign.root) + b"/d/"
    for name in (b"Stra\xdfe_\xe4.tif", b"\xff\xfe.png"):
        (Path(os.fsdecode(folder)) / os.fsdecode(name)).write_bytes(Path(campaign.root, "a.tif").read_bytes())
    skipped = scan()
    assert set(skipped) == {"d/Stra\\udcdfe_\\udce4.tif", "d/\\udcff\\udcfe.png"}
    assert set(skipped.values()) == {"its name is not UTF-8; rename it"}


def test_folder_whose_name_is_not_utf_8_hinders_no_other(
    campaign: Campaign, scan: Callable[[], dict[str, str]]
) -> None:
    folder = Path(campaign.root) / os.fsdecode(b"\xe4")
    folder.mkdir()
    (folder / "b.tif").write_bytes(Path(campaign.root, "a.tif").read_bytes())
    assert list(scan()) == ["\\udce4/b.tif"]


def test_pipe_socket_loop_and_directory_are_skipped(campaign: Campaign, scan: Callable[[], dict[str, str]]) -> None:
    root = Path(campaign.root)
    os.mkfifo(root / "pipe.tif")
    (root / "loop.tif").symlink_to("loop.tif")
    (root / "dangling.tif").symlink_to("nothing.tif")
    (root / "null.tif").symlink_to("/dev/null")
    (root / "again").symlink_to(root)
    (root / "folder.tif").mkdir()
    with contextlib.chdir(root), contextlib.closing(socket.socket(socket.AF_UNIX)) as listener:
        listener.bind("socket.tif")
        skipped = scan()
    assert set(skipped) == {"pipe.tif", "loop.tif", "dangling.tif", "null.tif", "socket.tif"}
    assert skipped["pipe.tif"] == skipped["socket.tif"] == "not a regular file"
    assert skipped["dangling.tif"] == "there is no such file"
    assert "outside" in skipped["null.tif"]


def test_folder_that_cannot_be_listed_is_named(campaign: Campaign, scan: Callable[[], dict[str, str]]) -> None:
    with contextlib.chdir(campaign.root):  # deeper than a path can be long
        for _ in range(20):
            Path("n" * 250).mkdir()
            os.chdir("n" * 250)
        Path("deep.tif").write_bytes(b"")
    skipped = scan()
    assert [reason for path, reason in skipped.items() if path.endswith("n" * 250)] == [
        "the folder cannot be listed: File name too long"
    ]


def test_sidecar_that_is_refused_skips_its_image_only(campaign: Campaign, scan: Callable[[], dict[str, str]]) -> None:
    bad = make_scene(Path(campaign.root) / "bad.tif", bands=1, dtype="uint8")
    Path(f"{bad}.ovr").symlink_to("/etc/passwd")
    assert list(scan()) == ["bad.tif"]


def test_paths_that_no_file_can_have_are_skipped(label_store: LabelStore, campaign: Campaign) -> None:
    odd = [
        "gone.tif",
        "x" * 5000,
        "\ud800.tif",
        "\udcdf.tif",
        "a.tif/b.tif",
        "",
        "a\x00.tif",
        "/etc/passwd",
        "..",
        *GOOD,
    ]
    report = register_paths(label_store, campaign, odd, NOW)
    assert (report.registered, report.skipped_count) == (len(GOOD), len(odd) - len(GOOD))
    assert not [entry for entry in report.skipped if campaign.root in entry.reason]
    reasons = {entry.path: entry.reason for entry in report.skipped}
    assert reasons["gone.tif"] == reasons["a.tif/b.tif"] == "there is no such file"
    assert reasons["x" * 5000] == "File name too long"


def test_pages_that_are_not_read_are_remarked(label_store: LabelStore, campaign: Campaign) -> None:
    pages = [Image.fromarray(np.full((8, 8), number, np.uint8)) for number in range(13)]
    pages[0].save(Path(campaign.root) / "stack.tif", save_all=True, append_images=pages[1:])
    report = register_scan(label_store, campaign, NOW)
    assert (report.registered, report.skipped) == (len(GOOD) + 1, [])
    assert [(entry.path, entry.remark.split(";")[0]) for entry in report.remarks] == [
        ("stack.tif", "1 of 13 pages is read")
    ]


def test_damaged_geotiff_hinders_no_other(label_store: LabelStore, campaign: Campaign) -> None:
    whole = make_scene(Path(campaign.root) / "whole.tif", bands=1, dtype="uint8", compress="deflate").read_bytes()
    names = []
    for position in range(8, len(whole), 5):
        data = bytearray(whole)
        data[position : position + 3] = b"\xff\x00\xff"
        names.append(f"z{position:04}.tif")
        (Path(campaign.root) / names[-1]).write_bytes(data)
    report = register_paths(label_store, campaign, [*names, *GOOD], NOW)
    assert set(GOOD) <= set(label_store.samples.paths(campaign.campaign_id)[1])
    assert report.registered + report.skipped_count == len(names) + len(GOOD)
    assert report.skipped_count > 10
    assert not [entry for entry in report.skipped if campaign.root in entry.reason]


def test_notice_names_files_that_were_skipped_until_they_are_right(label_store: LabelStore, campaign: Campaign) -> None:
    def notices() -> list[str]:
        return [line for line in campaign_notices(label_store, campaign) if "copies" not in line]

    root = Path(campaign.root)
    (root / "empty.tif").touch()
    register_scan(label_store, campaign, NOW)
    (notice,) = notices()
    assert notice.startswith("1 file was skipped; `al-loop add ")
    assert notice.endswith("looks again and lists all: empty.tif (the file is empty)")
    register_paths(label_store, campaign, ["a.tif", "a.tif"], NOW)  # registered already: nothing to put right
    assert notices() == [notice]
    (root / "empty.tif").unlink()
    make_scene(root / "empty.tif", bands=1, dtype="uint8", seed=3)
    register_paths(label_store, campaign, ["empty.tif"], NOW)
    assert notices() == []


def test_time_of_unknown_paths_is_in_proportion_to_their_number(label_store: LabelStore, campaign: Campaign) -> None:
    def seconds(count: int, folder: str) -> float:
        begin = time.process_time()
        paths = [f"{folder}/{number}.tif" for number in range(count)]
        report = register_paths(label_store, campaign, paths, NOW)
        assert (report.registered, report.skipped_count) == (0, count)
        return time.process_time() - begin

    seconds(1_000, "first")
    few, many = seconds(2_000, "few"), seconds(16_000, "many")
    assert many < 4 * 8 * few
    again = seconds(16_000, "again")  # while those of before are remembered
    assert again < 4 * 8 * few
    assert again < 10


@pytest.mark.parametrize(("slow_disk", "threads"), [(1e9, {"main"}), (0, {"main", "header"})])
def test_threads_read_headers_only_where_the_disk_is_slow(
    label_store: LabelStore,
    campaign: Campaign,
    monkeypatch: pytest.MonkeyPatch,
    slow_disk: float,
    threads: set[str],
) -> None:
    image = Path(campaign.root, "a.tif").read_bytes()
    paths = [f"{index:02}.tif" for index in range(50)]
    for path in paths:
        Path(campaign.root, path).write_bytes(image)
    used = set()

    def noted(*arguments: Any, **named: Any) -> RasterHeader:
        own = threading.current_thread()
        used.add("main" if own is threading.main_thread() else own.name.partition("_")[0])
        return read_header(*arguments, **named)

    monkeypatch.setattr(register, "read_header", noted)
    monkeypatch.setattr(register, "SLOW_DISK", slow_disk)
    report = register_paths(label_store, campaign, [*paths, "none.tif"], NOW)
    assert (report.registered, [entry.path for entry in report.skipped]) == (50, ["none.tif"])
    assert list(label_store.samples.paths(campaign.campaign_id)[1]) == paths
    assert used == threads
