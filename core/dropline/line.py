"""The send line: paths in, verified files out.

The one place that puts intake, journal, station and target together. Every method of `Line`
returns at once: commands run on the line's own thread, walks on theirs, and what happened arrives
as events on the bus, each after the journal has it.
"""

from __future__ import annotations

import itertools
import logging
import math
import os
import threading
import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from dropline.admission import HERE, STEP, Taken, take_in, walk_in
from dropline.announcer import STATION, Announcer
from dropline.bus import EventBus
from dropline.events import (
    FileFailed,
    FileQueued,
    FileRefused,
    FilesDropped,
    FileSkipped,
    JournalTroubled,
    ScanFinished,
    ScanProgressed,
)
from dropline.home import Home
from dropline.intake import Batch, Found, Hold, Root, Spool, Watcher, find
from dropline.journal import Journal, JournalError, Record, State
from dropline.operation import Operation
from dropline.station import Backoff, Breaker, Job, Station
from dropline.targets import Receipt, Target, Upload

_log = logging.getLogger(__name__)

#: Folders that are walked at the same time.
SCANS = 4
#: Files of an earlier run that are taken up at a time.
RESTORED = 1000
#: A walk of so many files a second waits for no disk but for a processor. While a long one goes on,
#: in its own process, all workers use this share of one together: all files are in the line the
#: sooner, and sent as soon.
FAST, BESIDE_WALK = 5000, 0.15


class Line(Operation[Upload, Receipt]):
    """A target, a queue before it, and workers in between."""

    def __init__(
        self,
        target: Target,
        bus: EventBus,
        *,
        home: Home,
        role: str = "",
        workers: int = 4,
        patience: float = math.inf,
        backoff: Backoff | None = None,
        breaker: Breaker | None = None,
        walk_here: int = HERE,
        give_way: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`workers`: how many to begin with, at `start`.

        `role`: what kind of program this is, which goes on with what an earlier one of its kind has
        left in the journal; one of no kind takes up files only when it is given them. `patience`:
        how many seconds files wait for a target that is down. `walk_here`: after how many files a
        walk goes on in a process of its own. `give_way` is called by the threads that work, between
        two files or batches, and may keep them for a moment.
        """
        self.target = target
        self._spool = Spool(home.spool)
        with suppress(OSError):  # then nothing can be held, and the journal says so
            self._spool.open()
        self._journal = Journal(
            home.journal,
            run=self._spool.run,
            role=role,
            notice=lambda text: bus.post(JournalTroubled(str(home.journal), text)),
        )
        self._watcher = Watcher(self._take_rested, self._is_sent, bus.post, clock=clock)
        self._walk_here = walk_here
        self._give_way = give_way
        self._announcer = Announcer(
            bus, self._journal, target, self._spool, self._look_again, clock
        )
        station: Station[Upload, Receipt] = Station(
            STATION,
            target.connect,
            self._announcer,
            backoff=backoff,
            breaker=breaker,
            patience=patience,
            fetch=self._fetch,
            give_way=give_way,
            clock=clock,
        )
        super().__init__(station, bus, workers=workers, give_way=give_way, clock=clock)
        self._scanners = ThreadPoolExecutor(SCANS, thread_name_prefix="scan")
        self._drops = itertools.count(1)
        self._scans: dict[str, threading.Event] = {}
        self._fast: set[str] = set()  # drops whose walk needs a processor rather than a disk
        self._going_on = False

    def start(self) -> None:
        """Begin to work and to measure."""
        self._going_on = True
        self._scanners.submit(self._go_on)
        super().start()

    def drop(self, paths: Sequence[str], *, again: bool = False) -> str:
        """Take paths in; return the drop's id. Files in temporary folders are held first.

        What is unchanged since the target verifiably got it is sent only `again`.
        """
        drop, stop = self._new_scan()
        paths = tuple(dict.fromkeys(paths))  # each once
        hold = Hold(paths, self._spool)
        hold.now()
        self._bus.post(FilesDropped(drop, paths))
        self._scanners.submit(self._scan, drop, hold, stop, again)
        return drop

    def watch(self, folder: str) -> None:
        """Send what is in a folder and what comes, each content once; its drop's id is its path.

        Raises ValueError for a folder that is a part of a watched one, or holds one.
        """
        self._watcher.watch(folder)

    def unwatch(self, folder: str) -> None:
        """Send no more of a watched folder; what was found stays in the line."""
        self._watcher.unwatch(folder)

    @property
    def watched(self) -> tuple[str, ...]:
        """The watched folders, as absolute paths."""
        return self._watcher.folders

    @property
    def restless(self) -> tuple[str, ...]:
        """The files in watched folders that wait to be at rest before they are sent."""
        return self._watcher.waiting

    def cancel_scan(self, drop: str | None = None) -> None:
        """Find no more of this drop, or of all; what was found stays in the line."""
        with self._lock:
            for name, stop in self._scans.items():
                if drop in {None, name}:
                    stop.set()

    @property
    def scanning(self) -> bool:
        """Whether a drop is still being walked, or what an earlier run left is taken up."""
        with self._lock:
            return bool(self._scans) or self._going_on

    def send_again(self, jobs: Collection[int]) -> None:
        """Send these files, which were sent before, once more."""
        self._command(self._send_again, jobs)

    def close(self) -> None:
        """Stop: no more scans, no more uploads; running ones are ended. Takes up to 2 seconds.

        Commands given later do nothing.
        """
        self._watcher.close()
        with self._lock:
            self._closed = True
        self.cancel_scan()
        self._scanners.shutdown()  # scans that never began end at once, as told
        super().close()
        self._journal.close()
        self._spool.close()

    # --- from paths to jobs -----------------------------------------------------------------

    def _fetch(self, jobs: Collection[int]) -> Sequence[Job[Upload]]:
        """The jobs of files that wait in the journal only."""
        return [_job(record) for record in self._journal.records(jobs)]

    def _new_scan(self) -> tuple[str, threading.Event]:
        drop, stop = f"drop-{next(self._drops)}", threading.Event()
        with self._lock:
            if self._closed:
                raise RuntimeError("the line is closed")
            self._scans[drop] = stop
        return drop, stop

    def _identify(self) -> tuple[int, bool]:
        """The target's number in the journal, and whether it is known for certain.

        It is asked who it is only where the journal knows something about it.
        """
        url, identity = self.target.url, self.target.identity
        if identity is None and self._journal.knows(url):
            identity = self.target.identify()
        return self._journal.target(url, identity), identity is not None

    def _go_on(self) -> None:
        """Take up what an earlier run of this kind has left."""
        try:
            target, _ = self._identify()
            jobs, drops = self._journal.take_over(target, self.target.url, self._spool.is_over)
            for at in range(0, len(jobs), RESTORED):
                if self._closed:
                    return
                self._restore(self._journal.records(jobs[at : at + RESTORED]))
            for unwalked in drops:
                drop, stop = self._new_scan()
                roots = [Root(path, source) for path, source in unwalked.roots]
                self._bus.post(FilesDropped(drop, tuple(root.path for root in roots)))
                self._scanners.submit(self._walk, drop, unwalked.id, roots, stop, False)
            self._spool.sweep(self._journal.sources())
        except JournalError as error:
            self._bus.post(JournalTroubled("", str(error)))
        except RuntimeError:
            _log.info("closed before it went on")
        finally:
            with self._lock:
                self._going_on = False

    def _restore(self, records: Sequence[Record]) -> None:
        waiting = [record for record in records if record.state is State.WAITING]
        failed = [record for record in records if record.state is State.FAILED]
        held = {record.id for record in waiting if record.held}
        self.station.admit([_job(record) for record in waiting], held=held)
        self.station.admit_failed(map(_job, failed))
        for record in failed:
            self._bus.post(
                FileQueued(record.id, record.path, record.name, record.size),
                FileFailed(record.id, record.attempts, record.reason),
            )

    def _send_again(self, jobs: Collection[int]) -> None:
        self.station.admit([_job(record) for record in self._journal.again(jobs)])

    def _scan(self, drop: str, hold: Hold, stop: threading.Event, again: bool) -> None:
        roots = hold.rest(stop.is_set)
        try:
            target, _ = self._identify()
            number = self._journal.drop(target, [(root.path, root.source) for root in roots])
        except JournalError as error:
            self._bus.post(*(FileRefused(root.path, drop, str(error)) for root in roots))
            self._end_scan(drop, ScanFinished(drop, 0, 0, len(roots), stop.is_set()))
            return
        self._walk(drop, number, roots, stop, again)

    def _walk(
        self, drop: str, number: int, roots: Sequence[Root], stop: threading.Event, again: bool
    ) -> None:
        found = size = refused = 0
        began = self._clock()
        try:
            target, certain = self._identify()
            for taken in walk_in(
                roots,
                self._journal,
                target,
                known=certain and not again,
                here=self._walk_here,
                stop=stop.is_set,
                keep=lambda: self._closed,
                between=self._give_way,
            ):
                self._let_join(drop, taken)
                found += taken.found
                refused += len(taken.refused)
                size += taken.size
                self._bus.post(ScanProgressed(drop, found, size, refused))
                lasts = self._clock() - began
                self._hurry(drop, fast=found >= max(self._walk_here, FAST * lasts))
            if not self._closed:  # else it goes on in the next run
                self._journal.walked(number)
        except Exception as error:  # noqa: BLE001 - told as an event
            _log.exception("scan of %s failed", drop)
            self._bus.post(FileRefused("", drop, f"The scan broke off: {error!r}. Drop it again."))
        finally:
            self._end_scan(drop, ScanFinished(drop, found, size, refused, stop.is_set()))

    def _end_scan(self, drop: str, event: ScanFinished) -> None:
        with self._lock:
            del self._scans[drop]
        self._hurry(drop, fast=False)
        self._bus.post(event)

    def _hurry(self, drop: str, *, fast: bool) -> None:
        """Let a walk that is fast come to its end, and send what it finds the faster afterwards."""
        with self._lock:
            (self._fast.add if fast else self._fast.discard)(drop)
            if self._fast:
                self.station.ration.begin(BESIDE_WALK)
            else:
                self.station.ration.end()

    def _take_rested(self, paths: Sequence[str]) -> None:
        folder = self._watcher.folder_of(paths[0])
        if folder is not None:  # else it has just been given up
            found = [item for path in paths if (item := find(path, folder)) is not None]
            target, certain = self._identify()
            self._take_in(folder, Batch(found), target, known=certain)

    def _look_again(self, upload: Upload) -> None:
        """Take a file in once more if it is another than the one that was sent."""

        def look() -> None:
            with suppress(OSError):
                status = os.stat(upload.path)
                found = Found(
                    upload.path, upload.path, upload.name, status.st_size, status.st_mtime_ns
                )
                target, certain = self._identify()
                self._take_in("", Batch([found]), target, known=certain)

        self._command(look)

    def _is_sent(self, path: str, size: int, mtime_ns: int) -> bool:
        """Whether this content of a file in a watched folder is verifiably at the target."""
        folder = self._watcher.folder_of(path)
        item = None if folder is None else find(path, folder)
        if item is None:
            return False
        target, certain = self._identify()
        return certain and self._journal.is_sent(
            target, Record(path, path, item.name, size, mtime_ns)
        )

    def _take_in(self, drop: str, batch: Batch, target: int, *, known: bool) -> None:
        self._let_join(drop, take_in(batch, self._journal, target, known=known))

    def _let_join(self, drop: str, taken: Taken) -> None:
        """Let what is in the journal now join the line."""
        self._give_way()
        self._bus.post(*(FileRefused(item.path, drop, item.reason) for item in taken.refused))
        self._bus.post(
            *(
                FileSkipped(r.id, r.path, r.name, r.size, r.file_id, r.sha256)
                for r in taken.admission.sent
            )
        )
        self._announcer.look_again_at(taken.admission.changed)
        for record in self._journal.records(taken.admission.changed):
            if record.state is not State.WAITING:  # it ended in the meantime
                self._look_again(_upload(record))
        for source in taken.unneeded:
            self._spool.release(source)
        waiting = taken.admission.waiting
        for at in range(0, len(waiting), STEP):
            self._give_way()
            self.station.admit([_job(record) for record in waiting[at : at + STEP]])


def _job(record: Record) -> Job[Upload]:
    return Job(record.id, _upload(record), record.size, priority=record.priority)


def _upload(record: Record) -> Upload:
    return Upload(
        path=record.path,
        source=record.source,
        name=record.name,
        size=record.size,
        mtime_ns=record.mtime_ns,
        content=record.content,
        resume=record.resume,
    )
