"""A target that sends nothing: its workers hold each file for a service time that is drawn.

With contention workers hold each other up. While n are busy each of them works at the speed
1/(1 + α(n − 1) + βn(n − 1)), so that the completions a second of n busy workers follow the
Universal Scalability Law (see `theory.usl`).
"""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from dropline.events import Proof
from dropline.load.laws import Law
from dropline.station import Attempt
from dropline.targets import Receipt, Upload

#: What stands for its URL: it cannot be taken for a real place.
URL = "simulated:"


@dataclass(frozen=True, slots=True)
class Service:
    """How long a file takes a worker that is alone, and how workers hold each other up."""

    #: Seconds.
    law: Law
    #: Seconds a byte, on top.
    per_byte: float = 0.0
    #: α, contention for what is shared: 0 to 1.
    contention: float = 0.0
    #: β, coherency (crosstalk): 0 or more.
    coherency: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.contention <= 1:
            raise ValueError(f"a contention of {self.contention:g}: choose 0 to 1")
        for name, value in (("a coherency", self.coherency), ("seconds a byte", self.per_byte)):
            if not (math.isfinite(value) and value >= 0):
                raise ValueError(f"{name} of {value:g}: choose 0 or more")

    def slowness(self, busy: int) -> float:
        """How many times longer everything takes with so many workers busy."""
        others = max(0, busy - 1)
        return 1 + self.contention * others + self.coherency * busy * others

    def seconds(self, source: random.Random, size: int) -> float:
        """What a file of `size` bytes takes a worker that is alone."""
        return self.law.draw(source) + self.per_byte * size


class SimulatedTarget:
    """Serves whatever it is given, without a look at it. A `Target`."""

    url = URL
    identity = URL

    def __init__(
        self,
        service: Service,
        *,
        seed: int = 0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """The same `seed` gives the file of a name the same service time, whoever serves it."""
        self._service = service
        self._seed = seed
        self._clock = clock
        self._changed = threading.Condition()
        self._busy = 0
        self._done = 0.0  # seconds of work that a worker has done who was never free
        self._at = clock()  # until when that counts

    def identify(self) -> str:
        """See `Target.identify`."""
        return self.identity

    def connect(self) -> SimulatedWorker:
        """See `Target.connect`."""
        return SimulatedWorker(self)

    def work_for(self, item: Upload) -> float:
        """Seconds that the file takes a worker that is alone."""
        return self._service.seconds(random.Random(f"{self._seed} {item.name}"), item.size)

    def hold(self, work: float, attempt: Attempt) -> None:
        """Return when a worker has done `work` seconds of work. Raises `Aborted` when told to."""
        attempt.on_abort(self._wake)
        with self._changed:
            end = self._advance() + work
            self._engage(1)
            try:
                while not attempt.aborted and (left := end - self._advance()) > 0:
                    self._changed.wait(left * self._service.slowness(self._busy))
            finally:
                self._advance()
                self._engage(-1)
        attempt.check()

    def _advance(self) -> float:
        now = self._clock()
        self._done += (now - self._at) / self._service.slowness(self._busy)
        self._at = now
        return self._done

    def _engage(self, workers: int) -> None:
        before = self._service.slowness(self._busy)
        self._busy += workers
        if self._service.slowness(self._busy) != before:
            self._changed.notify_all()

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()


class SimulatedWorker:
    """A worker of a simulated target."""

    def __init__(self, target: SimulatedTarget) -> None:
        self._target = target

    def serve(self, item: Upload, attempt: Attempt) -> Receipt:
        """Hold the file for its service time."""
        self._target.hold(self._target.work_for(item), attempt)
        attempt.progressed(item.size)
        return Receipt(item.name, item.size, "", duplicate=False, proof=Proof.NONE)

    def close(self) -> None:
        """Nothing is held."""
