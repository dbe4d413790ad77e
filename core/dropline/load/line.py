"""A line under a load: jobs come by a law, a station serves them, and nothing of it is kept.

It is a station like the send line's, with real threads, a real meter and a real recorder. But it
has no journal, and tells the bus nothing of single jobs: nobody can take them for files to send.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from dropline.announcer import StationAnnouncer
from dropline.bus import EventBus
from dropline.load.arrivals import Arrivals
from dropline.load.items import Items, Names
from dropline.load.laws import Fixed, Law
from dropline.operation import Operation
from dropline.station import Job, Station
from dropline.targets import Receipt, Target, Upload

_log = logging.getLogger(__name__)

#: The name of the station in readings, logs and events.
STATION = "load"
#: Jobs that come at different times join together only where a load is behind, so many at most.
TOGETHER = 1000


@dataclass(frozen=True, slots=True)
class Load:
    """What comes: when, how large, and until when.

    The same `seed` brings the same times and sizes. `sizes` are in bytes. It ends after so many
    `jobs`, after so many `seconds`, or when the arrivals do.
    """

    arrivals: Arrivals
    sizes: Law = field(default_factory=lambda: Fixed(0.0))
    jobs: int | None = None
    seconds: float | None = None
    seed: int = 0

    def times(self) -> Iterator[float]:
        """When jobs come, in seconds from the start."""
        times = self.arrivals.times(random.Random(f"{self.seed} arrivals"))
        for number, at in enumerate(times):
            if number == self.jobs or at > (math.inf if self.seconds is None else self.seconds):
                return
            yield at


class LoadLine(Operation[Upload, Receipt]):
    """A target, a queue before it, workers in between, and a load that comes by itself."""

    def __init__(
        self,
        load: Load,
        target: Target,
        bus: EventBus,
        *,
        items: Items | None = None,
        workers: int = 4,
        patience: float = math.inf,
        give_way: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`items`: what the jobs are, by default names for a target that does not look.

        `give_way` is not called by its workers: they take as long as was drawn. The others are as
        of `Line`.
        """
        self.target = target
        self._load = load
        self._items = items or Names()
        self._attendant = _Attendant(bus, target, self._items)
        station = Station(STATION, target.connect, self._attendant, patience=patience, clock=clock)
        super().__init__(station, bus, workers=workers, give_way=give_way, clock=clock)
        self._stop = threading.Event()
        self._over = threading.Event()
        self._source = threading.Thread(target=self._generate, name="load", daemon=True)
        #: When the load began, by the clock; None before that.
        self.began: float | None = None
        #: Why the load ended early, as a sentence; empty while all is well.
        self.problem = ""

    @property
    def arriving(self) -> bool:
        """Whether more jobs come."""
        return not self._over.is_set()

    @property
    def last_failure(self) -> str:
        """Why the last job that failed did; empty while none has."""
        return self._attendant.last_failure

    def start(self) -> None:
        """Begin to work and to measure, and let jobs come."""
        super().start()
        self._command(self._source.start)  # when the workers, and a recorder, are there

    def wait_arrived(self, timeout: float | None = None) -> bool:
        """Wait until no more jobs come; False when that took longer than `timeout` seconds."""
        return self._over.wait(timeout)

    def close(self) -> None:
        """Let no more jobs come, end those that run, forget the others. Takes up to 2 seconds."""
        self._stop.set()
        super().close()
        if self._source.ident is not None:
            self._source.join()
        self._over.set()
        self._items.close()

    def _generate(self) -> None:
        self.began = self._clock()
        try:
            self._bring()
        except OSError as error:
            self.problem = f"The load ended early: a file cannot be made ({error})."
            _log.exception("the load")
        finally:
            self._over.set()

    def _bring(self) -> None:
        """Let each job join when its time has come; jobs of one time join together."""
        assert self.began is not None
        sizes = random.Random(f"{self._load.seed} sizes")
        due: list[tuple[Upload, int]] = []
        latest = 0.0
        for at in self._load.times():
            is_behind = self.began + at <= self._clock()
            if at > latest and not (is_behind and len(due) < TOGETHER):
                self.station.submit(due)
                due = []
            size = round(self._load.sizes.draw(sizes))
            due.append((self._items.make(size), size))  # before its time, for it may take some
            if not self._wait_until(self.began + at):
                return
            latest = at
        self.station.submit(due)
        if self._load.seconds is not None:
            self._wait_until(self.began + self._load.seconds)

    def _wait_until(self, t: float) -> bool:
        """Wait for a time of the clock; False when the load is stopped."""
        while not self._stop.is_set():
            left = t - self._clock()
            if left <= 0:
                return True
            self._stop.wait(left)
        return False


class _Attendant(StationAnnouncer):
    """Takes back the items of jobs that left."""

    def __init__(self, bus: EventBus, target: Target, items: Items) -> None:
        super().__init__(bus, STATION, target)
        self._items = items
        self.last_failure = ""

    def arrived(self, jobs: Sequence[Job[Upload]]) -> None:
        pass

    def rejoined(self, jobs: Sequence[Job[Upload]]) -> None:
        pass

    def started(self, jobs: Sequence[Job[Upload]], worker: int) -> None:
        pass

    def progressed(self, job: Job[Upload], done: int) -> None:
        pass

    def checkpointed(self, job: Job[Upload]) -> None:
        pass

    def finished(self, served: Sequence[tuple[Job[Upload], Receipt]], seconds: float) -> None:  # noqa: ARG002
        self._release(job for job, _ in served)

    def retried(self, job: Job[Upload], reason: str, delay: float) -> None:
        pass

    def failed(self, jobs: Sequence[tuple[Job[Upload], str]]) -> None:
        self._release(job for job, _ in jobs)
        self.last_failure = jobs[-1][1]

    def cancelled(self, jobs: Sequence[Job[Upload]]) -> None:
        self._release(jobs)

    def held(self, jobs: Sequence[Job[Upload]], held: bool) -> None:
        pass

    def prioritised(self, jobs: Sequence[Job[Upload]]) -> None:
        pass

    def _release(self, jobs: Iterable[Job[Upload]]) -> None:
        for job in jobs:
            self._items.release(job.item)
