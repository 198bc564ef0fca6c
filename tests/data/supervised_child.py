"""A child process for tests: speaks `models.progress`, starts a grandchild, and ends the way it is told to."""

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from models.progress import Progress

parser = argparse.ArgumentParser()
parser.add_argument("ending")
parser.add_argument("--out", type=Path)
parser.add_argument("--checkpoint", type=Path)
parser.add_argument("--halvings")
parser.add_argument("--limits")
parser.add_argument("--supervised", action="store_true")
arguments = parser.parse_args()

if arguments.ending == "deaf":  # never reports, and does not end when asked to
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    (arguments.out / "deaf.pid").write_text(str(os.getpid()))
    time.sleep(600)
if arguments.ending == "environment":
    (arguments.out / "environment.txt").write_text("\n".join(f"{name}={value}" for name, value in os.environ.items()))
if arguments.ending == "killed":
    os.kill(os.getpid(), signal.SIGKILL)
if arguments.ending == "segfault":
    os.kill(os.getpid(), signal.SIGSEGV)
if arguments.ending == "memory":
    (arguments.out / "error.txt").write_text("out of memory: CUDA out of memory\n")
    sys.exit(3)
if arguments.ending == "silent":  # says nothing and leaves nothing
    sys.exit(0)
if arguments.ending == "binary":
    sys.stdout.buffer.write(bytes(range(256)) * 8)
    sys.exit(1)
if arguments.ending == "garbage":
    (arguments.out / "progress.jsonl").write_bytes(b"Epoch 1: 100%|\xff\n")
    time.sleep(600)
if arguments.ending == "until told":
    with (arguments.out / "starts.txt").open("a") as starts:
        starts.write(f"{os.getpid()}\n")
with Progress(arguments.out, supervised=arguments.supervised) as progress:
    if arguments.ending == "unknown":
        progress.enter("dancing")
    progress.enter("training", total=3)
    if arguments.ending == "told twice":
        progress.enter("training", total=3, message="reading")
    for step in range(1, 4):
        progress.step(step, 3, loss=1.0 / step)
    progress.enter("exporting")
    if arguments.ending == "known":
        (arguments.out / "error.txt").write_text("only one class is labelled\n")
        sys.exit(2)
    if arguments.ending == "crash":
        raise ZeroDivisionError("planted")
    while arguments.ending == "until told" and not (arguments.out / "go").exists():
        time.sleep(0.05)
    if arguments.ending == "hang":
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        (arguments.out / "grandchild.pid").write_text(str(grandchild.pid))
        time.sleep(600)
