"""What a program says of its progress, to its parent and to people."""

from pathlib import Path

import msgspec
import pytest

from models.progress import PROGRESS_FILE, Progress, ProgressLine, in_words


def test_log_has_a_line_for_what_is_new_and_the_file_has_all(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress(tmp_path) as progress:
        progress.enter("training", message="reading the labelled samples")
        for step in range(1, 5):
            progress.step(step, 4, loss=0.5 if step < 3 else 0.25, epoch=1, epochs=2, samples_per_s=31.0)
        progress.enter("exporting")
    said = [line.split(" ", 2)[2] for line in capsys.readouterr().out.splitlines()]
    assert said == [
        "training: reading the labelled samples",
        "training: step 1 of 4, epoch 1 of 2, loss 0.5, 31 samples/s",
        "training: step 3 of 4, epoch 1 of 2, loss 0.25, 31 samples/s",
        "exporting",
    ]
    lines = [
        msgspec.json.decode(line, type=ProgressLine) for line in (tmp_path / PROGRESS_FILE).read_bytes().splitlines()
    ]
    assert [(line.done, line.epoch, line.samples_per_s) for line in lines[1:5]] == [(n, 1, 31.0) for n in range(1, 5)]


def test_lines_of_older_programs_are_read_and_told() -> None:
    line = msgspec.json.decode(b'{"time": 0, "phase": "scoring", "done": 3, "total": 9}', type=ProgressLine)
    assert (line.epoch, line.samples_per_s) == (None, None)
    assert in_words(line) == "1970-01-01 00:00:00 scoring: step 3 of 9"
