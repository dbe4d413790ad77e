"""How much comes in at once: uploads, and requests of one client.

What is refused here has cost nothing yet, and the answer says when to come again: 503 while too
many uploads run, 429 for a client that asks too often.
"""

from __future__ import annotations

import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from dropline.receiver.problems import BUSY, TOO_MANY, Problem

#: Uploads at once: all workers of a sender of ours. Each has its thread and less than 1 MiB.
MAX_UPLOADS = 256
#: Requests a second of one client, where a rate is limited and none is given; see `Rate`.
RATE = 200.0

#: A client may be this many seconds ahead of its rate: the burst.
_BURST = 5.0
#: Clients that are remembered.
_CLIENTS = 10_000


class Gate:
    """Counts the uploads that run, and lets no more in than threads and memory can take."""

    def __init__(self, most: int = MAX_UPLOADS) -> None:
        """`most` uploads run at once."""
        self._most = most
        self._lock = threading.Lock()
        self.running = 0

    @contextmanager
    def upload(self) -> Iterator[None]:
        """Let an upload in. Raises Problem."""
        with self._lock:
            if self.running >= self._most:
                raise Problem(
                    BUSY,
                    f"{self.running} uploads run, which is all that this receiver takes at once. "
                    "Send it again in a moment.",
                    {"Retry-After": "1"},
                )
            self.running += 1
        try:
            yield
        finally:
            with self._lock:
                self.running -= 1


class Rate:
    """Limits the requests a second of each client (GCRA, the leaky bucket as a meter)."""

    def __init__(self, rate: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`rate` in requests a second; a burst of 5 seconds' worth may come at once."""
        self._interval = 1 / rate
        self._clock = clock
        self._lock = threading.Lock()
        #: When each client's requests would be over if they came at the rate, latest last.
        self._due: OrderedDict[str, float] = OrderedDict()

    def check(self, client: str) -> None:
        """Count a request of the client. Raises Problem when it asks too often."""
        with self._lock:
            now = self._clock()
            due = max(now, self._due.get(client, now))
            wait = due + self._interval - now - max(_BURST, self._interval)
            if wait > 0:
                raise Problem(
                    TOO_MANY,
                    "You ask this receiver too often. Wait, and send several files in a request.",
                    {"Retry-After": str(math.ceil(wait))},
                )
            self._due[client] = due + self._interval
            self._due.move_to_end(client)
            if len(self._due) > _CLIENTS:
                self._due.popitem(last=False)
