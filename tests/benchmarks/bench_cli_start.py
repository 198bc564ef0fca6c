"""How long commands take to start, as a ratio to Python importing httpx and msgspec; medians of runs in turn.

`status` is asked of a port where nobody listens: from the start to the refused connection and the sentence about it.
Goal: under half a second for each on a quiet core.

Run: python -m tests.benchmarks.bench_cli_start [repeats]
"""

import os
import platform
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path

PROGRAM = str(Path(sys.executable).with_name("al-loop"))


def main() -> None:
    """Print the table."""
    repeats = int(sys.argv[1]) if len(sys.argv) > 1 else 9
    with socket.create_server(("127.0.0.1", 0)) as listener:
        closed_port = listener.getsockname()[1]
    commands = {
        "python -c 'import httpx, msgspec'": [sys.executable, "-c", "import httpx, msgspec"],
        "al-loop --version": [PROGRAM, "--version"],
        "al-loop --help": [PROGRAM, "--help"],
        "al-loop status --help": [PROGRAM, "status", "--help"],
        "al-loop status": [PROGRAM, "status", "--service", f"127.0.0.1:{closed_port}"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(repeats):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, capture_output=True, check=False)
            seconds[name].append(time.perf_counter() - started)
    baseline = statistics.median(next(iter(seconds.values())))
    print(f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, values in seconds.items():
        median = statistics.median(values)
        print(f"{name:<36} {median:5.2f} s   {median / baseline:4.2f} x")


if __name__ == "__main__":
    main()
