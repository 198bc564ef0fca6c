"""Run one step of the loop as the service does: a Python module in a subprocess, files in, files out."""

import os
import subprocess
import sys
from pathlib import Path

from al_loop.errors import AlLoopError

KNOWN_FAILURE = 2
_PACKAGES = Path(__file__).parents[2]
_LOG_LINES = 20


class StepFailedError(AlLoopError):
    """A step ended with a sentence of its own (`known`), or with a traceback."""

    def __init__(self, module: str, reason: str, *, known: bool) -> None:
        self.module, self.reason, self.known = module, reason, known
        super().__init__(f"{module} failed: {reason}")


def run_step(module: str, argument: Path, out: Path, *, threads: int) -> None:
    """Run `python -m MODULE ARGUMENT --out OUT` to its end; its log goes beside `OUT`.

    Raises:
        StepFailedError: It failed; with its own sentence, or the end of its log.
    """
    out.mkdir(parents=True, exist_ok=True)
    paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "OMP_NUM_THREADS": str(threads)}
    log = out.with_suffix(".log")
    with log.open("wb") as output:
        code = subprocess.run(
            [sys.executable, "-m", module, str(argument), "--out", str(out)],
            stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment, check=False,
        ).returncode  # fmt: skip
    sentence = out / "error.txt"
    if code == KNOWN_FAILURE and sentence.is_file():
        raise StepFailedError(module, sentence.read_text(encoding="utf-8").strip(), known=True)
    if code != 0:
        lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_LOG_LINES:]
        raise StepFailedError(module, f"exit code {code}\n" + "\n".join(lines), known=False)
