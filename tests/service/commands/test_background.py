"""A service in the background that cannot start says why; one elsewhere is not started."""

import os
from pathlib import Path

import pytest

from service.cli import main


def test_service_that_cannot_start_says_why_in_one_sentence(
    tmp_path: Path, free_tcp_port: int, capfd: pytest.CaptureFixture[str]
) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "al-loop.duckdb").write_text("these are my notes\n" * 1000)
    address = f"http://127.0.0.1:{free_tcp_port}"
    command = ["open", "--no-browser", "--data", str(data), "--imagery", str(tmp_path), "--service", address]
    assert main(command) == 2
    said = capfd.readouterr().err
    assert said.startswith("al-loop: the service did not start: ")
    assert "al-loop.duckdb" in said
    assert said.count("\n") == 1


def test_folders_for_a_service_that_runs_already_are_not_passed_over_in_silence(
    land_url: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["open", "--no-browser", "--imagery", str(tmp_path), "--service", land_url]) == 0
    said = capfd.readouterr()
    assert said.out == f"{land_url}/\n"
    assert "is running already" in said.err
    assert "stop it" in said.err
    assert main(["open", "--no-browser", "--service", land_url]) == 0
    assert capfd.readouterr().err == ""


def test_process_that_was_given_the_number_of_a_gone_service_is_not_stopped(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    for text in (str(os.getpid()), "99999999", "", "no number"):
        (tmp_path / "al-loop.pid").write_text(text)
        assert main(["stop", "--data", str(tmp_path)]) == 0
        assert f"no service runs in the background over {tmp_path}" in capfd.readouterr().err


def test_service_on_another_machine_is_not_started(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["open", "--no-browser", "--service", "http://al-loop.invalid"]) == 2
    assert "no al-loop service answers at http://al-loop.invalid" in capfd.readouterr().err
