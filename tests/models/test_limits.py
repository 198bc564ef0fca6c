"""Limits of a program: what breaks them, and that a real process ends by itself, in words."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.limits import OUT_OF_MEMORY, RunLimits, broken_limit, is_out_of_memory, lack_of_space, memory_bytes
from tests.waiting import PATIENCE_S


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_lack_of_memory_is_recognised(error: BaseException) -> None:
    assert is_out_of_memory(error)


def test_other_errors_are_none() -> None:
    assert not is_out_of_memory(ValueError("the loss is nan"))


def test_memory_in_use_is_known_and_limited(tmp_path: Path) -> None:
    assert memory_bytes() > 10 * 10**6
    assert broken_limit(RunLimits(), tmp_path) is None
    broken = broken_limit(RunLimits(memory_mb=5), tmp_path)
    assert broken is not None
    assert broken[0].startswith("out of memory: ")
    assert broken[1] == OUT_OF_MEMORY


def test_lack_of_space_is_told_with_the_remedy(tmp_path: Path) -> None:
    assert lack_of_space(tmp_path, 1) is None
    said = lack_of_space(tmp_path, 10**9)
    assert said is not None
    assert "(limits.least_free_mb); free space and start a new round" in said


PROGRAM = """
import os, sys, time, pathlib
from models.limits import RunLimits, hold_to
def end(sentence, code):
    pathlib.Path("said.txt").write_text(sentence)
    os._exit(code)
hold_to(RunLimits(memory_mb=200, threads=1, nice=19), pathlib.Path("."), end)
assert len(os.sched_getaffinity(0)) == 1 and os.getpriority(os.PRIO_PROCESS, 0) == 19
taken = [bytearray(os.urandom(1 << 20)) for _ in range(300)]
time.sleep(60)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="shares of the processor and memory in use are Linux's")
def test_program_keeps_to_its_share_and_ends_once_it_takes_too_much_memory(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM], cwd=tmp_path, env=environment, timeout=PATIENCE_S, check=False
    )
    assert ended.returncode == OUT_OF_MEMORY
    assert "allowed are 200 (limits.memory_mb)" in (tmp_path / "said.txt").read_text()
