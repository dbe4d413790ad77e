"""Ports for servers that are told where to listen, and do so later."""

from __future__ import annotations

import contextlib
import os
import socket
from collections.abc import Iterator
from functools import cache
from itertools import cycle, islice

#: The first port, and how many each of the processes that run tests side by side has. The system
#: itself gives connections, and listeners that leave it the choice, higher ones (Linux from 32768
#: on): one of those may be somebody else's by the time that a server is up.
FIRST, SHARE = 10_000, 2_000


def free_port() -> int:
    """A port of the loopback interface that nobody listens on, and that is given to nobody else."""
    return next(filter(_is_free, _ports()))


def _is_free(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
        return True
    return False


@cache
def _ports() -> Iterator[int]:
    process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = FIRST + SHARE * (process % 10)
    return islice(cycle(range(first, first + SHARE)), os.getpid() % SHARE, None)
