"""Ports for servers of tests that have to know theirs before they listen, or come back at the same one."""

import itertools
import os
import socket

FIRST, LAST = 10_000, 32_000
"""Below the ports that a system gives to connections and servers by chance (Linux: from 32,768)."""
_turns = itertools.count(os.getpid() * 97)  # workers, and test runs beside this one, begin at other places


def free_port() -> int:
    """A free port of the loopback interface that nobody is given by chance, and that is given once."""
    while True:
        number = FIRST + next(_turns) % (LAST - FIRST)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", number))
            except OSError:
                continue
            return number
