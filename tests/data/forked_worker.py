"""Run as a worker of pytest-xdist: becomes a fork of the process that programs are forked from, see `forked_programs`.

Importing what tests import takes a worker ten seconds, which a fork has done. Nothing of pytest is imported before:
each worker collects the tests by itself.
"""

import ast
import atexit
import os
import sys
from collections.abc import Mapping
from multiprocessing.connection import Connection
from pathlib import Path

ROOT = Path(__file__).parents[2]


def serve(streams: tuple[Connection, ...], environment: Mapping[str, str], address: str) -> None:
    """Be the worker: in the forked process. pytest-xdist sends what it has to run as the first line."""
    from tests.data.forked_programs import join

    for target, stream in enumerate(streams):
        os.dup2(stream.fileno(), target, inheritable=True)
        stream.close()
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  # a file descriptor, for as long as the process lives
    os.environ.clear()
    os.environ.update(environment)
    join(address)  # programs of tests are forks of the same process
    exec(ast.literal_eval(sys.stdin.readline()), vars(sys.modules["__main__"]))  # noqa: S102
    atexit._run_exitfuncs()  # which the end of a fork leaves out


def main() -> int:
    """Have the worker forked, and wait for its end."""
    sys.path[0] = str(ROOT)
    from tests.data.forked_programs import CONTEXT, SERVER, join
    from tests.data.forked_worker import serve  # by a name that the fork can import

    environment = dict(os.environ)
    address = environment.pop(SERVER)
    join(address)
    streams = tuple(Connection(os.dup(number)) for number in range(3))
    worker = CONTEXT.Process(target=serve, args=(streams, environment, address))
    worker.start()
    worker.join()
    return worker.exitcode or 0


if __name__ == "__main__":
    sys.exit(main())
