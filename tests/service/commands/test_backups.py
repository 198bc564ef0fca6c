"""`al-loop backup` and `al-loop restore` against a real service, and a second service on what was restored."""

from pathlib import Path

import msgspec
import pytest

from al_loop.client.operators import OperatorClient
from al_loop.domain.labels import LabelInput
from service.app import create_app
from service.cli import main
from service.settings import Settings
from tests.e2e.campaigns import running_server
from tests.service.commands.fixtures import Run


@pytest.mark.parametrize("name", ["backup.tar", "backup.tar.zst"])
def test_restored_service_knows_what_the_one_knew(
    on_land: Run, land_url: str, settings: Settings, tmp_path: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / name
    assert on_land("backup", str(out)) == 0
    said = capfd.readouterr().err
    assert "1 campaign, " in said
    with OperatorClient(land_url) as client:
        before = client.campaign("land").samples
        client.record_labels("land", [LabelInput(sample_id=2, task="classification", annotator="bo", classes=["dark"])])
    assert main(["restore", str(out), "--data", str(tmp_path / "restored")]) == 0
    assert capfd.readouterr().out.splitlines()[1].split("\t")[:3] == ["land", "6", "1"]
    with (
        running_server(create_app(msgspec.structs.replace(settings, data=tmp_path / "restored"))) as again,
        OperatorClient(again) as client,
    ):
        counts = client.campaign("land").samples
        assert counts.labelled + counts.reserve_labelled == before.labelled + before.reserve_labelled == 1
        assert client.thumbnail("land", 1)[:4] == b"\x89PNG"
        assert [entry.action for entry in client.audit().entries].count("makeBackup") == 0  # it was taken before


def test_backup_is_refused_where_a_file_lies_or_nothing_answers(
    on_land: Run, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "backup.tar"
    out.write_text("precious")
    assert on_land("backup", str(out)) == 2
    assert "--force" in capfd.readouterr().err
    assert out.read_text() == "precious"
    assert main(["backup", str(tmp_path / "other.tar"), "--service", "http://127.0.0.1:9"]) == 2
    assert sorted(path.name for path in tmp_path.iterdir() if "tar" in path.name) == ["backup.tar"]
    assert on_land("backup", str(out), "--force") == 0
    assert out.read_bytes()[:11] == b"backup.json"


def test_bad_path_maps_and_archives_are_one_sentence(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    archive = tmp_path / "a.tar"
    archive.write_text("nothing")
    assert main(["restore", str(archive), "--data", str(tmp_path / "new"), "--path-map", "here"]) == 2
    assert "OLD=NEW" in capfd.readouterr().err
    assert main(["restore", str(tmp_path / "none.tar"), "--data", str(tmp_path / "new")]) == 2
    assert "none.tar: No such file" in capfd.readouterr().err
    assert main(["restore", str(archive), "--data", str(tmp_path / "new")]) == 2
    error = capfd.readouterr().err
    assert "no backup of al-loop" in error
    assert "Traceback" not in error
