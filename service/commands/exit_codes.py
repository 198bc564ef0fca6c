"""Exit codes of `al-loop`: part of its interface, for scripts."""

from enum import IntEnum


class ExitCode(IntEnum):
    """How a command ended."""

    DONE = 0
    FAILED = 1
    REFUSED = 2
    NO_ANSWER = 3
    STOPPED = 130


MEANINGS = {
    ExitCode.DONE: "done; of a round: it ended with a decision, promoted or rejected",
    ExitCode.FAILED: "it ran and did not end well: a round or a pretraining failed or was cancelled",
    ExitCode.REFUSED: "not carried out: wrong arguments or settings, a file that cannot be read or written, "
    "the service refused or nothing answers at its address",
    ExitCode.NO_ANSWER: "a timeout, a broken connection or an answer that is not al-loop's; it may be carried out",
    ExitCode.STOPPED: "stopped with Ctrl-C",
}
