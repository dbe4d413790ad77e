"""What happens to the jobs of the send station: into the journal, then to the bus."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Sequence

from dropline.bus import EventBus
from dropline.events import (
    FileCancelled,
    FileFailed,
    FileHeld,
    FilePrioritised,
    FileProgressed,
    FileQueued,
    FileReleased,
    FileRetried,
    FileStarted,
    FileUploaded,
    JournalTroubled,
    OrderChanged,
    StationDrained,
    StationPaused,
    StationResumed,
    TargetDown,
    TargetUp,
    WorkersChanged,
)
from dropline.intake import Spool
from dropline.journal import Journal, JournalError
from dropline.station import Job, Order
from dropline.targets import Receipt, Target, Upload

_log = logging.getLogger(__name__)

#: The name of the station in readings, logs and `dropline status`.
STATION = "send"
#: Seconds between two progress events of one job.
PROGRESS_SECONDS = 0.1


class StationAnnouncer:
    """Tells the bus what happens to a station as a whole."""

    def __init__(self, bus: EventBus, station: str, target: Target) -> None:
        """`station` is the name that the events give it."""
        self._bus = bus
        self._station = station
        self._target = target

    def resized(self, before: int, wanted: int) -> None:
        self._bus.post(WorkersChanged(self._station, before, wanted))

    def paused(self, paused: bool) -> None:
        self._bus.post(StationPaused(self._station) if paused else StationResumed(self._station))

    def ordered(self, order: Order) -> None:
        self._bus.post(OrderChanged(self._station, order))

    def target_went(self, down: bool, reason: str) -> None:
        url = self._target.url
        self._bus.post(TargetDown(url, reason) if down else TargetUp(url))

    def drained(self, finished: int, failed: int, cancelled: int) -> None:
        self._bus.post(StationDrained(self._station, finished, failed, cancelled))


class Announcer(StationAnnouncer):
    """Writes into the journal what happens to the jobs of the send station, then tells the bus."""

    def __init__(
        self,
        bus: EventBus,
        journal: Journal,
        target: Target,
        spool: Spool,
        changed: Callable[[Upload], None],
        clock: Callable[[], float],
    ) -> None:
        """`changed` gets a file that was sent and that has changed while it was in the line."""
        super().__init__(bus, STATION, target)
        self._journal = journal
        self._spool = spool
        self._changed = changed
        self._clock = clock
        self._doubtful: set[int] = set()
        self._told: dict[int, float] = {}
        self._numbers: dict[str | None, int] = {}
        self._trouble = ""

    def look_again_at(self, jobs: Iterable[int]) -> None:
        """These files changed while they were in the line."""
        self._doubtful.update(jobs)

    def arrived(self, jobs: Sequence[Job[Upload]]) -> None:
        self._bus.post(
            *(FileQueued(job.id, job.item.path, job.item.name, job.size) for job in jobs)
        )
        self._bus.post(*(FilePrioritised(job.id, job.priority) for job in jobs if job.priority))

    def rejoined(self, jobs: Sequence[Job[Upload]]) -> None:
        self._write(self._journal.waiting, [job.id for job in jobs])

    def started(self, jobs: Sequence[Job[Upload]], worker: int) -> None:
        now = self._clock()
        self._told.update((job.id, now) for job in jobs)
        self._bus.post(*(FileStarted(job.id, job.attempts, worker) for job in jobs))

    def progressed(self, job: Job[Upload], done: int) -> None:
        now = self._clock()
        if now - self._told[job.id] >= PROGRESS_SECONDS:
            self._told[job.id] = now
            self._bus.post(FileProgressed(job.id, done))

    def checkpointed(self, job: Job[Upload]) -> None:
        self._write(self._journal.checkpoint, job.id, job.item.resume, job.item.content)

    def finished(self, served: Sequence[tuple[Job[Upload], Receipt]], seconds: float) -> None:
        self._write(self._record, served)
        self._bus.post(
            *(
                FileUploaded(
                    job.id,
                    receipt.file_id,
                    receipt.size,
                    receipt.sha256,
                    receipt.duplicate,
                    seconds,
                    receipt.proof,
                )
                for job, receipt in served
            )
        )
        for job, _ in served:
            self._forget(job)
            if job.id in self._doubtful:
                self._doubtful.discard(job.id)
                self._changed(job.item)

    def retried(self, job: Job[Upload], reason: str, delay: float) -> None:
        self._write(self._journal.retried, job.id, job.attempts, reason)
        self._bus.post(FileRetried(job.id, job.attempts, reason, delay))

    def failed(self, jobs: Sequence[tuple[Job[Upload], str]]) -> None:
        self._write(self._journal.failed, [(job.id, job.attempts, reason) for job, reason in jobs])
        for job, _ in jobs:
            self._told.pop(job.id, None)
        self._bus.post(*(FileFailed(job.id, job.attempts, reason) for job, reason in jobs))

    def cancelled(self, jobs: Sequence[Job[Upload]]) -> None:
        self._write(self._journal.cancelled, [job.id for job in jobs])
        self._bus.post(*(FileCancelled(job.id) for job in jobs))
        for job in jobs:
            self._forget(job)

    def held(self, jobs: Sequence[Job[Upload]], held: bool) -> None:
        self._write(self._journal.held, [job.id for job in jobs], held)
        self._bus.post(*((FileHeld if held else FileReleased)(job.id) for job in jobs))

    def prioritised(self, jobs: Sequence[Job[Upload]]) -> None:
        for priority in {job.priority for job in jobs}:
            changed = [job.id for job in jobs if job.priority == priority]
            self._write(self._journal.prioritised, changed, priority)
        self._bus.post(*(FilePrioritised(job.id, job.priority) for job in jobs))

    def _record(self, served: Sequence[tuple[Job[Upload], Receipt]]) -> None:
        """Record as sent to the very target that says so, whatever was at its URL before."""
        identity = served[0][1].target or self._target.identity
        if identity not in self._numbers:
            self._numbers[identity] = self._journal.target(self._target.url, identity)
        self._journal.sent(
            self._numbers[identity],
            [
                (job.id, job.item.size, job.item.mtime_ns, receipt.file_id, receipt.sha256)
                for job, receipt in served
            ],
        )

    def _forget(self, job: Job[Upload]) -> None:
        self._told.pop(job.id, None)
        self._spool.release(job.item.source)

    def _write(self, write: Callable[..., object], *what: object) -> None:
        """Write into the journal; what it could not take costs a second offer after a crash."""
        try:
            write(*what)
        except JournalError as error:
            if str(error) != self._trouble:
                _log.exception("the journal")
                self._trouble = str(error)
                self._bus.post(JournalTroubled("", self._trouble))
        else:
            self._trouble = ""
