"""A station in operation: metered, read, recorded, and told what to do.

Every method of `Operation` returns at once but for `read` and `close`: commands run on a thread of
its own, in the order in which they are given.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Generic

from dropline.bus import EventBus
from dropline.events import RecordingEnded, RecordingStarted
from dropline.meter import Entry, Meter, Recorder
from dropline.station import (
    MAX_WINDOW,
    MAX_WORKERS,
    Instruments,
    Observer,
    Order,
    Reading,
    Sampler,
    Station,
)
from dropline.station.work import ItemT, ResultT
from dropline.tuning import By, Tuner

_log = logging.getLogger(__name__)


class Operation(Generic[ItemT, ResultT]):
    """A station with its instruments and its controls."""

    def __init__(
        self,
        station: Station[ItemT, ResultT],
        bus: EventBus,
        *,
        workers: int,
        give_way: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`workers`: how many to begin with. `give_way` is called in long computations."""
        self.station = station
        #: Observes the station; any thread may read it.
        self.meter = Meter(clock())
        self._bus = bus
        self._workers = workers
        self._clock = clock
        self._recording: tuple[Recorder, Observer] | None = None
        station.watch(self.meter.observe_all)
        self._sampler = Sampler(station, self.meter, bus.post, clock=clock)
        self._commands = ThreadPoolExecutor(1, thread_name_prefix=f"{station.name} commands")
        #: Says what the station would do with other workers, once it is started.
        self.tuner = Tuner(
            station, self.meter, bus.post, self._resize_unless, give_way=give_way, clock=clock
        )
        self._lock = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Begin to work and to measure."""
        self._sampler.start()
        self.resize(self._workers, by=By.START)

    def resize(self, workers: int, *, by: By = By.HAND) -> None:
        """Want this many workers, as `by` has it. Raises ValueError for one out of range."""
        if not 0 <= workers <= MAX_WORKERS:
            raise ValueError(f"{workers} workers: choose 0 to {MAX_WORKERS}")
        self._command(self._resize, workers, by)

    def limit(self, bytes_per_second: float | None) -> None:
        """Send no more than this, all workers together; None is no limit.

        Takes effect at once. Raises ValueError for less than `MIN_RATE`.
        """
        self.station.limit.rate = bytes_per_second

    def pause(self) -> None:
        """Start no more jobs; running ones end."""
        self._command(self.station.pause)

    def resume(self) -> None:
        """Start jobs again."""
        self._command(self.station.resume)

    def cancel(self, jobs: Collection[int] | None = None) -> None:
        """Take these jobs, or all, out of the line."""
        self._command(self.station.cancel, jobs)

    def retry(self, jobs: Collection[int] | None = None) -> None:
        """Let these failed jobs, or all, join the line again."""
        self._command(self.station.retry, jobs)

    def hold(self, jobs: Collection[int] | None = None) -> None:
        """Let these jobs, or all, wait until they are released."""
        self._command(self.station.hold, jobs)

    def release(self, jobs: Collection[int] | None = None) -> None:
        """Let held jobs, these or all, take their turn again."""
        self._command(self.station.release, jobs)

    def prioritise(self, jobs: Collection[int], priority: int) -> None:
        """Serve these waiting jobs before those of lower priority; 0 is the usual one."""
        self._command(self.station.prioritise, jobs, priority)

    def set_order(self, order: Order) -> None:
        """Serve what waits in another order."""
        self._command(self.station.set_order, order)

    def probe_now(self) -> None:
        """Try a target that is down at once."""
        self._command(self.station.probe_now)

    def measure_over(self, seconds: float) -> None:
        """Take the figures of readings over the last `seconds`, 1 to 3600; else ValueError."""
        if not 1 <= seconds <= MAX_WINDOW:
            raise ValueError(f"a window of {seconds} seconds: choose 1 to {MAX_WINDOW:.0f}")
        self._sampler.window = seconds

    def read(self, seconds: float) -> Reading:
        """The instruments now; waits for the station's lock, so not for the GUI thread."""
        return self._sampler.read(seconds)

    def instruments(self, seconds: float) -> Instruments:
        """As `read`, with what has added up since the start and the recommended workers."""
        return replace(self._sampler.instruments(seconds), recommended=self.tuner.recommended)

    def record(self, path: Path | None) -> None:
        """Record the log of the station to a file from now on, which is its t = 0; None ends it.

        What is in the line already is told first, at the negative times at which it happened.
        """
        self._command(self._record, path)

    def close(self) -> None:
        """End running attempts, and all workers. Takes up to 2 seconds.

        Commands given later do nothing.
        """
        with self._lock:
            self._closed = True
        self._commands.shutdown(cancel_futures=True)
        self.tuner.close()
        self._sampler.close()
        self.station.close()
        self._record(None)

    def _command(self, function: Callable[..., None], *arguments: object) -> None:
        def run() -> None:
            try:
                function(*arguments)
            except Exception:  # noqa: BLE001 - a command must not end the command thread
                _log.exception("command %s failed", function.__name__)

        with self._lock:
            if not self._closed:
                self._commands.submit(run)

    def _resize(self, workers: int, by: By) -> None:
        self.tuner.moves(workers, by)
        self.station.resize(workers)

    def _resize_unless(self, workers: int, by: By, stands: Callable[[], bool]) -> None:
        """Resize, if it still stands when its turn comes."""

        def resize() -> None:
            if stands():
                self._resize(workers, by)

        self._command(resize)

    def _record(self, path: Path | None) -> None:
        if self._recording is not None:
            recorder, observer = self._recording
            self.station.unwatch(observer)
            recorder.close()
            self._bus.post(RecordingEnded(str(recorder.path), recorder.error or ""))
            self._recording = None
        if path is not None:
            with suppress(OSError):  # the recorder meets the same error, and keeps it
                path.parent.mkdir(parents=True, exist_ok=True)
            recorder, start = Recorder(path), self._clock()

            def observer(entries: Sequence[Entry]) -> None:
                recorder.record(entry._replace(t=entry.t - start) for entry in entries)

            self.station.watch(observer)
            self._recording = recorder, observer
            self._bus.post(RecordingStarted(str(path)))
