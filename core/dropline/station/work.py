"""What a station works on and with: jobs, attempts at them, and workers.

A *job* is one item in the line. An *attempt* is one try of one worker to serve it. An attempt ends
by returning a result, or by raising: `TransientError` (the job waits and is tried again),
`PermanentError` (it fails for good), `Unreached` (its turn did not come), `Aborted` (somebody asked
the attempt to stop). A *bundle* is several jobs that one worker serves in one go, each in an
attempt of its own.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, NamedTuple, Protocol, TypeVar, runtime_checkable

from dropline.station.limit import Limit

ItemT = TypeVar("ItemT")
ResultT = TypeVar("ResultT")
ItemT_contra = TypeVar("ItemT_contra", contravariant=True)
ResultT_co = TypeVar("ResultT_co", covariant=True)
ResultT_contra = TypeVar("ResultT_contra", contravariant=True)


class TransientError(Exception):
    """An attempt failed for a reason that may pass. The text is a sentence for the user.

    `retry_after`: the seconds that the other side asked us to wait, if it did. `target_down`: it
    was not about this job: the target cannot be reached, or takes nothing now. `at_source`: the
    target had no part in it.
    """

    def __init__(
        self,
        reason: str,
        retry_after: float | None = None,
        *,
        target_down: bool = False,
        at_source: bool = False,
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.target_down = target_down
        self.at_source = at_source


class PermanentError(Exception):
    """The job cannot succeed as it is. The text is a sentence with the remedy.

    `at_source`: the target had no part in it.
    """

    def __init__(self, reason: str, *, at_source: bool = False) -> None:
        super().__init__(reason)
        self.at_source = at_source


class Aborted(Exception):
    """The attempt stopped because it was told to."""


class Unreached(Exception):
    """The bundle ended before it came to this job, which keeps its place and loses nothing."""


@dataclass(slots=True, eq=False)
class Job(Generic[ItemT]):
    """One item in the line.

    `size` in bytes; `attempts` so far, of which `strikes` failed for reasons of the job's own;
    `arrived` in monotonic seconds; jobs of higher `priority` go first. `turn` is its place among
    those, given by the queue; `seen` is how many jobs were finished when it last failed, -1 before.
    """

    id: int
    item: ItemT
    size: int
    attempts: int = 0
    strikes: int = 0
    arrived: float = 0.0
    priority: int = 0
    turn: int = 0
    seen: int = -1


class Attempt:
    """One try at a job: a way to stop it, and where it reports its progress."""

    def __init__(
        self,
        report: Callable[[int], None],
        checkpoint: Callable[[], None] = lambda: None,
        limit: Limit | None = None,
        give_way: Callable[[], None] = lambda: None,
    ) -> None:
        """`give_way` may keep the thread that works for a moment, between two steps of it."""
        self._report = report
        self._checkpoint = checkpoint
        self._limit = limit
        self._give_way = give_way
        self._aborted = False
        self._stop: Callable[[], None] | None = None
        #: Bytes of the job that are through.
        self.done = 0
        #: Seconds of it that went into reading the source, into handing bytes to the network, and
        #: into waiting for the station's limit to let them go.
        self.reading = self.sending = self.limited = 0.0

    @property
    def aborted(self) -> bool:
        """Whether the attempt was told to stop."""
        return self._aborted

    def check(self) -> None:
        """Raise `Aborted` if the attempt was told to stop."""
        self._give_way()
        if self._aborted:
            raise Aborted

    def on_abort(self, stop: Callable[[], None]) -> None:
        """Call `stop` (from another thread) when the attempt is told to stop; now if it was.

        Where both happen at once it may be called twice.
        """
        self._stop = stop
        if self._aborted:
            stop()

    def abort(self) -> None:
        """Tell the attempt to stop. Safe from any thread, and twice."""
        self._aborted = True  # before the look at what to call: one of the two sees the other
        if self._stop is not None:
            self._stop()
        if self._limit is not None:
            self._limit.wake()

    def allow(self, most: int) -> int:
        """Wait until the station's limit lets bytes go, and return how many: 1 to `most`.

        Raises `Aborted` as soon as the attempt is told to stop.
        """
        if self._limit is not None and self._limit.rate is not None:
            began = time.perf_counter()
            most = self._limit.take(most, lambda: self._aborted)
            self.limited += time.perf_counter() - began
        self.check()
        return most

    def allow_all(self, size: int) -> None:
        """Wait until the station's limit has let so many bytes go. Raises `Aborted` as `allow`."""
        while size > 0:
            size -= self.allow(size)

    def handing_over(self, piece: bytes) -> Iterator[bytes]:
        """Yield a piece of a request's body, and count the time until the next one is asked for."""
        began = time.perf_counter()
        yield piece
        self.sending += time.perf_counter() - began

    def progressed(self, size: int) -> None:
        """Report `size` more bytes of the job done."""
        self.done += size
        self._report(size)

    def checkpoint(self) -> None:
        """Have what the item now says of how to go on with it kept, should the program end."""
        self._checkpoint()


class Worker(Protocol[ItemT_contra, ResultT_co]):
    """What one thread of a station does with a job. Each thread has a worker of its own."""

    def serve(self, item: ItemT_contra, attempt: Attempt) -> ResultT_co:
        """Do the work; see the module for how an attempt ends."""
        ...

    def close(self) -> None:
        """Give back what the worker holds (connections)."""
        ...


class Spent(NamedTuple):
    """Seconds that attempts took, and which of them they spent on what; see `Attempt`."""

    attempts: float
    reading: float
    sending: float
    limited: float


class Room(NamedTuple):
    """What a bundle may hold at most; one item is always taken, however large."""

    items: int
    size: int


@runtime_checkable
class BundleWorker(Protocol[ItemT_contra, ResultT_co]):
    """A worker that can also serve several small items in one go."""

    def room(self) -> Room:
        """How much the next bundle may hold; one item while the worker takes no bundles."""
        ...

    def serve_bundle(
        self, items: Sequence[ItemT_contra], attempts: Sequence[Attempt]
    ) -> Sequence[ResultT_co | Exception]:
        """Serve them; for each its result, or the error in which its attempt ended."""
        ...
