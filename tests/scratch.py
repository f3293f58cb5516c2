"""What tests use up: folders for throw-away files and ports on loopback."""

import itertools
import os
import random
import socket
import tempfile
from pathlib import Path

_MEMORY = Path("/dev/shm")
_ENOUGH = 2 * 1024**3
"""Bytes; what a run has at one time is a small part of it."""
_LOW, _HIGH = 10_000, 32_768
_ports = itertools.chain.from_iterable(itertools.repeat(range(_LOW, _HIGH)))
next(itertools.islice(_ports, random.randrange(_HIGH - _LOW), None))


def folder() -> Path:
    """Where files of a test belong that needs no disk.

    In memory where the machine lends enough of it: a test makes hundreds of small files and waits for every commit, and
    what a disk would keep over a power cut no test looks at. The benchmark measures a disk, and does not ask here.
    """
    try:
        found = os.statvfs(_MEMORY)
    except OSError:
        return Path(tempfile.gettempdir())
    roomy = found.f_bavail * found.f_frsize >= _ENOUGH
    usable = os.access(_MEMORY, os.W_OK | os.X_OK) and not found.f_flag & (os.ST_RDONLY | os.ST_NOEXEC)
    return _MEMORY if roomy and usable else Path(tempfile.gettempdir())


def spare_port() -> int:
    """A port that nobody listens on.

    Below the ports that the system itself hands out: there it could give the same one to a connection, or to another
    run of the suite, before the asking test listens on it.
    """
    for port in itertools.islice(_ports, _HIGH - _LOW):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port
    raise OSError(f"no port of {_LOW} to {_HIGH} is free on 127.0.0.1")
