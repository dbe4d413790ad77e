"""The send line: paths in, verified files out.

The one place that puts intake, station, meter and target together. Every method of `Line` returns
at once: commands run on the line's own thread, walks on theirs, and what happened arrives as
events on the bus.
"""

from __future__ import annotations

import itertools
import logging
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

from dropline.bus import EventBus
from dropline.events import (
    FileCancelled,
    FileFailed,
    FileProgressed,
    FileQueued,
    FileRefused,
    FileRetried,
    FilesDropped,
    FileStarted,
    FileUploaded,
    RecordingEnded,
    RecordingStarted,
    ScanFinished,
    ScanProgressed,
    StationDrained,
    StationPaused,
    StationResumed,
    WorkersChanged,
)
from dropline.home import Home
from dropline.intake import Batch, Hold, Spool, walk
from dropline.meter import Entry, Meter, Recorder
from dropline.station import (
    MAX_WINDOW,
    MAX_WORKERS,
    Backoff,
    Job,
    Observer,
    Reading,
    Sampler,
    Station,
)
from dropline.targets import Receipt, Target, Upload

_log = logging.getLogger(__name__)

#: The name of the station in readings, logs and `dropline status`.
STATION = "send"
#: Seconds between two progress events of one job.
PROGRESS_SECONDS = 0.1
#: Folders that are walked at the same time.
SCANS = 4


class Announcer:
    """Tells the bus what happens to the jobs of the send station."""

    def __init__(self, bus: EventBus, spool: Spool, clock: Callable[[], float]) -> None:
        self._bus = bus
        self._spool = spool
        self._clock = clock
        self._told: dict[int, float] = {}

    def arrived(self, jobs: Sequence[Job[Upload]]) -> None:
        self._bus.post(
            *(FileQueued(job.id, job.item.path, job.item.name, job.size) for job in jobs)
        )

    def started(self, job: Job[Upload], worker: int) -> None:
        self._told[job.id] = self._clock()
        self._bus.post(FileStarted(job.id, job.attempts, worker))

    def progressed(self, job: Job[Upload], done: int) -> None:
        now = self._clock()
        if now - self._told[job.id] >= PROGRESS_SECONDS:
            self._told[job.id] = now
            self._bus.post(FileProgressed(job.id, done))

    def checkpointed(self, job: Job[Upload]) -> None:
        pass

    def finished(self, job: Job[Upload], result: Receipt, seconds: float) -> None:
        self._told.pop(job.id, None)
        self._bus.post(
            FileUploaded(
                job.id, result.file_id, result.size, result.sha256, result.duplicate, seconds
            )
        )
        self._spool.release(job.item.source)

    def retried(self, job: Job[Upload], reason: str, delay: float) -> None:
        self._bus.post(FileRetried(job.id, job.attempts, reason, delay))

    def failed(self, job: Job[Upload], reason: str) -> None:
        self._told.pop(job.id, None)
        self._bus.post(FileFailed(job.id, job.attempts, reason))

    def cancelled(self, jobs: Sequence[Job[Upload]]) -> None:
        self._bus.post(*(FileCancelled(job.id) for job in jobs))
        for job in jobs:
            self._told.pop(job.id, None)
            self._spool.release(job.item.source)

    def resized(self, before: int, wanted: int) -> None:
        self._bus.post(WorkersChanged(STATION, before, wanted))

    def paused(self, paused: bool) -> None:
        self._bus.post(StationPaused(STATION) if paused else StationResumed(STATION))

    def drained(self, finished: int, failed: int, cancelled: int) -> None:
        self._bus.post(StationDrained(STATION, finished, failed, cancelled))


class Line:
    """A target, a queue before it, and workers in between."""

    def __init__(
        self,
        target: Target,
        bus: EventBus,
        *,
        home: Home,
        workers: int = 4,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`workers`: how many to begin with, at `start`."""
        self.target = target
        self._bus = bus
        self._spool = Spool(home.spool)
        self._workers = workers
        self._meter = Meter(clock())
        self._recording: tuple[Recorder, Observer] | None = None
        self._clock = clock
        self.station: Station[Upload, Receipt] = Station(
            STATION,
            target.connect,
            Announcer(bus, self._spool, clock),
            backoff=backoff,
            clock=clock,
        )
        self.station.watch(self._meter.observe_all)
        self._sampler = Sampler(self.station, self._meter, bus.post, clock=clock)
        self._commands = ThreadPoolExecutor(1, thread_name_prefix="line commands")
        self._scanners = ThreadPoolExecutor(SCANS, thread_name_prefix="scan")
        self._drops = itertools.count(1)
        self._scans: dict[str, threading.Event] = {}
        self._lock = threading.Lock()
        self._closed = False

    def start(self) -> None:
        """Begin to work and to measure."""
        self._scanners.submit(self._spool.sweep)
        self._sampler.start()
        self.resize(self._workers)

    def drop(self, paths: Sequence[str]) -> str:
        """Take paths in; return the drop's id. Files in temporary folders are held first."""
        drop = f"drop-{next(self._drops)}"
        stop = threading.Event()
        with self._lock:
            if self._closed:
                raise RuntimeError("the line is closed")
            self._scans[drop] = stop
        paths = tuple(dict.fromkeys(paths))  # each once
        hold = Hold(paths, self._spool)
        hold.now()
        self._bus.post(FilesDropped(drop, paths))
        self._scanners.submit(self._scan, drop, hold, stop)
        return drop

    def cancel_scan(self, drop: str | None = None) -> None:
        """Find no more of this drop, or of all; what was found stays in the line."""
        with self._lock:
            for name, stop in self._scans.items():
                if drop in {None, name}:
                    stop.set()

    @property
    def scanning(self) -> bool:
        """Whether a drop is still being walked."""
        with self._lock:
            return bool(self._scans)

    def resize(self, workers: int) -> None:
        """Want this many workers. Raises ValueError for a number that is out of range."""
        if not 0 <= workers <= MAX_WORKERS:
            raise ValueError(f"{workers} workers: choose 0 to {MAX_WORKERS}")
        self._command(self.station.resize, workers)

    def limit(self, bytes_per_second: float | None) -> None:
        """Send no more than this, all workers together; None is no limit.

        Takes effect at once. Raises ValueError for less than `MIN_RATE`.
        """
        self.station.limit.rate = bytes_per_second

    def pause(self) -> None:
        """Start no more uploads; running ones end."""
        self._command(self.station.pause)

    def resume(self) -> None:
        """Start uploads again."""
        self._command(self.station.resume)

    def cancel(self, jobs: Collection[int] | None = None) -> None:
        """Take these files, or all, out of the line."""
        self._command(self.station.cancel, jobs)

    def retry(self, jobs: Collection[int] | None = None) -> None:
        """Send these failed files, or all, again."""
        self._command(self.station.retry, jobs)

    def measure_over(self, seconds: float) -> None:
        """Take the figures of readings over the last `seconds`, 1 to 3600; else ValueError."""
        if not 1 <= seconds <= MAX_WINDOW:
            raise ValueError(f"a window of {seconds} seconds: choose 1 to {MAX_WINDOW:.0f}")
        self._sampler.window = seconds

    def read(self, seconds: float) -> Reading:
        """The instruments now; waits for the station's lock, so not for the GUI thread."""
        return self._sampler.read(seconds)

    def record(self, path: Path | None) -> None:
        """Record the log of the station to a file from now on, which is its t = 0; None ends it.

        What is in the line already is told first, at the negative times at which it happened.
        """
        self._command(self._record, path)

    def close(self) -> None:
        """Stop: no more scans, no more uploads; running ones are ended. Takes up to 2 seconds.

        Commands given later do nothing.
        """
        with self._lock:
            self._closed = True
        self.cancel_scan()
        self._scanners.shutdown()  # scans that never began end at once, as told
        self._commands.shutdown(cancel_futures=True)
        self._sampler.close()
        self.station.close()
        self._record(None)
        self._spool.close()

    def _command(self, function: Callable[..., None], *arguments: object) -> None:
        def run() -> None:
            try:
                function(*arguments)
            except Exception:  # noqa: BLE001 - a command must not end the command thread
                _log.exception("command %s failed", function.__name__)

        with self._lock:
            if not self._closed:
                self._commands.submit(run)

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

    def _scan(self, drop: str, hold: Hold, stop: threading.Event) -> None:
        found = size = refused = 0
        try:
            for batch in walk(hold.rest(stop.is_set), stop.is_set):
                self._take_in(drop, batch)
                found += len(batch.found)
                refused += len(batch.refused)
                size += sum(item.size for item in batch.found)
                self._bus.post(ScanProgressed(drop, found, size, refused))
        except Exception as error:  # noqa: BLE001 - told as an event
            _log.exception("scan of %s failed", drop)
            self._bus.post(FileRefused("", drop, f"The scan broke off: {error!r}. Drop it again."))
        finally:
            with self._lock:
                del self._scans[drop]
            self._bus.post(ScanFinished(drop, found, size, refused, stop.is_set()))

    def _take_in(self, drop: str, batch: Batch) -> None:
        self._bus.post(*(FileRefused(item.path, drop, item.reason) for item in batch.refused))
        self.station.submit(
            (Upload(item.path, item.source, item.name, item.size, item.mtime_ns), item.size)
            for item in batch.found
        )
