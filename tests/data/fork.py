"""`python -m tests.data.fork MODULE ARGUMENTS`: as `python -m MODULE ARGUMENTS`, but a fork of a process of a test run.

See `forking` in `tests/data/forked_programs.py`. What the module prints is appended to `log.txt` in the working folder.
"""

import os
import sys
from pathlib import Path

from tests.data.forked_programs import SERVER, ForkedProgram, join

if __name__ == "__main__":
    join(os.environ[SERVER])
    sys.exit(ForkedProgram(sys.argv[1:], Path.cwd(), os.environ).wait())
