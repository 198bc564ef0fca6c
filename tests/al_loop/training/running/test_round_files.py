"""What lies in the directory of a round, before, between and after attempts at training."""

import os
from pathlib import Path

from al_loop.training.running.round_files import Attempts, RoundFiles


def attempt(files: RoundFiles, content: str) -> Path:
    run = files.next_run()
    run.mkdir(parents=True)
    (run / "log.txt").write_text(f"{content}\n")
    (run / "progress.jsonl").write_text("{}\n")
    (run / "weights.safetensors").write_text(content)
    return run


def test_each_attempt_has_a_folder_and_only_the_newest_keeps_its_artefacts(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path / "7")
    assert (files.newest_run, files.finished(), files.runs()) == (tmp_path / "7" / "training", None, [])
    runs = [attempt(files, f"number {number}") for number in range(1, 12)]
    assert [run.name for run in files.runs()] == ["training", *(f"training-{number}" for number in range(2, 12))]
    assert files.newest_run == runs[-1]
    kept = [sorted(path.name for path in run.iterdir()) for run in runs]
    assert kept == [["log.txt", "progress.jsonl"]] * 10 + [["log.txt", "progress.jsonl", "weights.safetensors"]]
    log = b"".join(files.log()).decode()
    assert log.startswith("--- attempt 1 of 11 ---\nnumber 1\n--- attempt 2 of 11 ---\nnumber 2\n")


def test_attempt_is_finished_once_its_card_is_there_and_registered_files_are_dropped(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path / "7")
    run = attempt(files, "it")
    files.checkpoint.mkdir()
    assert files.finished() is None
    (run / "card.json").write_text("{}")
    assert files.finished() == run
    files.registered()
    assert sorted(path.name for path in run.iterdir()) == ["log.txt", "progress.jsonl"]
    assert not files.checkpoint.exists()


def test_what_is_known_of_attempts_survives_and_a_damaged_file_says_nothing(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path / "7")
    assert (files.attempts, files.attempts.sentence) == (Attempts(), None)
    known = Attempts(begun=2, halvings=1, notes=("a", "b"))
    files.keep(known)
    assert (files.attempts, files.attempts.sentence) == (known, "a; b")
    (tmp_path / "7" / "attempts.json").write_text("{")
    assert files.attempts == Attempts()


def test_snapshot_is_known_by_its_digest(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path / "7")
    assert not files.has_snapshot(None)
    files.snapshot.mkdir(parents=True)
    (files.snapshot / "manifest.json").write_bytes(b"")
    assert files.has_snapshot("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert not files.has_snapshot("another")
    assert not files.has_snapshot(None)


def test_round_that_comes_further_is_not_counted_as_taken_up_in_vain(tmp_path: Path) -> None:
    files = RoundFiles(tmp_path / "7")
    assert files.taken_up == 0
    for _ in range(3):
        files.take_up()
    assert files.taken_up == 3
    files.checkpoint.mkdir()
    checkpoint = files.checkpoint / "checkpoint.safetensors"
    checkpoint.write_bytes(b"step 10")
    assert files.taken_up == 0
    files.take_up()
    files.take_up()
    assert files.taken_up == 2
    os.utime(checkpoint, ns=(0, checkpoint.stat().st_mtime_ns + 1))
    assert files.taken_up == 0
