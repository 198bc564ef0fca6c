"""Peak memory of a process, and of one that loads an exported model and runs it: what a serving node has to have.

`python -m models.training.measuring.memory FILE N C H W` is the process that `run_memory_mb` starts.
"""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import onnxruntime

from models.limits import MB

STATUS = Path("/proc/self/status")


def peak_memory_mb() -> float | None:
    """Most memory that this process has held so far, in MB (10^6 bytes); None where the system does not tell."""
    try:
        lines = STATUS.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 / MB for line in lines if line.startswith("VmHWM:")), None)


def run_memory_mb(file: Path, shape: Sequence[int]) -> float | None:
    """What loading a model and running it once adds to the peak memory of a fresh process, in MB (10^6 bytes).

    Args:
        file: ONNX file of a version.
        shape: (N, C, H, W) of the input; sides are multiples of the stride.

    Returns:
        None where the system does not tell.

    Raises:
        subprocess.CalledProcessError: The process failed; its last lines are in `stderr`.
    """
    command = [sys.executable, "-m", "models.training.measuring.memory", str(file), *map(str, shape)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout) if done.stdout.strip() else None


def main(arguments: Sequence[str]) -> None:
    """Print the megabytes; nothing where the system does not tell."""
    image = np.zeros([int(side) for side in arguments[1:]], np.float32)
    before = peak_memory_mb()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    onnxruntime.InferenceSession(arguments[0], options, providers=["CPUExecutionProvider"]).run(None, {"image": image})
    after = peak_memory_mb()
    if before is not None and after is not None:
        print(after - before)


if __name__ == "__main__":
    main(sys.argv[1:])
