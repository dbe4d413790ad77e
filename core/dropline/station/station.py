"""The station: c threads serve a queue, c changes while they run, and every step is metered.

Words used here. *Wanted* is the number of workers asked for, *target* is wanted or, while paused,
0. *Running* workers are threads that exist, *busy* ones serve a job. A thread takes a job only
while running ≤ target, so after a shrink's jobs end no more than `wanted` ever run (c is exact).

One lock guards the queue, the counts and the order of the log; nothing slow happens under it.
Hooks are called outside it, in an order that keeps each job's own story in order.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Protocol

from dropline.meter import Entry, Kind, ServiceFit, ServiceTime
from dropline.station.limit import Limit
from dropline.station.retry import Backoff
from dropline.station.work import (
    Aborted,
    Attempt,
    ItemT,
    Job,
    PermanentError,
    ResultT,
    ResultT_contra,
    TransientError,
    Worker,
)

_log = logging.getLogger(__name__)

#: Takes log entries in order of time.
Observer = Callable[[Sequence[Entry]], None]
#: More threads than this help nobody: it is where a slip of the hand ends.
MAX_WORKERS = 256


class Hooks(Protocol[ItemT, ResultT_contra]):
    """Who is told what happens to the jobs. Called in worker threads; must be quick."""

    def arrived(self, jobs: Sequence[Job[ItemT]]) -> None:
        """Jobs are about to join the queue."""

    def started(self, job: Job[ItemT], worker: int) -> None:
        """A worker begins an attempt."""

    def progressed(self, job: Job[ItemT], done: int) -> None:
        """`done` bytes of the running attempt are through."""

    def checkpointed(self, job: Job[ItemT]) -> None:
        """The item of the running attempt says how a later attempt can go on from there."""

    def finished(self, job: Job[ItemT], result: ResultT_contra, seconds: float) -> None:
        """An attempt of `seconds` succeeded."""

    def retried(self, job: Job[ItemT], reason: str, delay: float) -> None:
        """An attempt failed in passing; the job waits `delay` seconds."""

    def failed(self, job: Job[ItemT], reason: str) -> None:
        """The job failed for good."""

    def cancelled(self, jobs: Sequence[Job[ItemT]]) -> None:
        """Jobs were taken out of the line."""

    def resized(self, before: int, wanted: int) -> None:
        """The wanted number of workers changed."""

    def paused(self, paused: bool) -> None:
        """The station was paused or resumed."""

    def drained(self, finished: int, failed: int, cancelled: int) -> None:
        """Nothing waits or runs any more; counts since the line last was empty."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The station's state at one moment; see `Reading`.

    `squares_left` is the sum of the squares of the bytes left of each job, `largest_left` the most
    that is left of a running one. `service` is how long jobs of a size take.
    """

    paused: bool
    wanted: int
    running: int
    busy: int
    waiting: int
    finished: int
    failed: int
    cancelled: int
    bytes_done: int
    bytes_left: int
    squares_left: int
    largest_left: int
    service: ServiceTime | None


class Station(Generic[ItemT, ResultT]):
    """A queue and the workers that serve it, first come, first served."""

    def __init__(
        self,
        name: str,
        make_worker: Callable[[], Worker[ItemT, ResultT]],
        hooks: Hooks[ItemT, ResultT],
        *,
        backoff: Backoff | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins with no workers: `resize` starts them.

        `make_worker` is called once in each worker thread and must not fail.
        """
        self.name = name
        #: On the bytes a second of all workers together; its rate may be set at any time.
        self.limit = Limit()
        self._make_worker = make_worker
        self._hooks = hooks
        self._backoff = backoff or Backoff()
        self._clock = clock

        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # workers wait here,
        self._emptied = threading.Condition(self._lock)  # and here who waits for the end
        self._ids = itertools.count(1)
        self._numbers = itertools.count(1)
        self._queue: OrderedDict[int, Job[ItemT]] = OrderedDict()
        self._delayed: dict[int, tuple[float, Job[ItemT]]] = {}
        self._due: list[tuple[float, int]] = []
        self._observers: tuple[Observer, ...] = ()
        self._serving: dict[int, tuple[float, Job[ItemT], Attempt]] = {}
        self._progress: dict[int, int] = {}
        self._failed: OrderedDict[int, Job[ItemT]] = OrderedDict()
        self._cancelling: set[int] = set()
        self._threads: set[threading.Thread] = set()
        self._wanted = 0
        self._paused = False
        self._closed = False
        self._running = 0
        self._idle = 0
        self._finished = 0
        self._cancelled = 0
        self._bytes_done = 0
        self._bytes_left = 0
        self._squares_left = 0
        self._service = ServiceFit()
        self._since_empty = [0, 0, 0]

    # --- for the user -----------------------------------------------------------------------

    def submit(self, items: Iterable[tuple[ItemT, int]]) -> list[int]:
        """Let items of a size in bytes join the queue; return their job ids."""
        jobs = [Job(next(self._ids), item, size) for item, size in items]
        self._arrive(jobs)
        return [job.id for job in jobs]

    def resize(self, workers: int) -> None:
        """Want this many workers: more start at once, fewer once their jobs end; 0 pauses."""
        if not 0 <= workers <= MAX_WORKERS:
            raise ValueError(f"{workers} workers: choose 0 to {MAX_WORKERS}")
        with self._lock:
            if self._closed:
                return
            if workers == self._wanted:
                return
            before, self._wanted = self._wanted, workers
            self._retarget()
        self._hooks.resized(before, workers)

    def pause(self) -> None:
        """Take no more jobs; running ones end."""
        self._set_paused(True)

    def resume(self) -> None:
        """Take jobs again."""
        self._set_paused(False)

    def cancel(self, jobs: Collection[int] | None = None) -> None:
        """Take these jobs, or all, out of the line; running attempts are stopped."""
        with self._lock:
            waiting = list(itertools.chain(self._queue, self._delayed)) if jobs is None else jobs
            gone = [job for job in map(self._withdraw, waiting) if job is not None]
            running = [i for i in self._serving if jobs is None or i in jobs]
            self._cancelling.update(running)
            attempts = [self._serving[i][2] for i in running]
            self._leave(Kind.CANCEL, gone)
            self._cancelled += len(gone)
            self._since_empty[2] += len(gone)
        for attempt in attempts:
            attempt.abort()
        if gone:
            self._hooks.cancelled(gone)
            self._tell_if_drained()

    def retry(self, jobs: Collection[int] | None = None) -> None:
        """Let these failed jobs, or all, join the queue again as new arrivals."""
        with self._lock:
            chosen = list(self._failed) if jobs is None else [i for i in jobs if i in self._failed]
            again = [self._failed.pop(i) for i in chosen]
        for job in again:
            job.attempts = 0
        self._arrive(again)

    def close(self, timeout: float = 2.0) -> bool:
        """Stop running attempts and all workers; False if one did not stop in `timeout` seconds.

        Jobs that wait or ran stay unfinished: their end is not announced.
        """
        with self._lock:
            self._closed = True
            attempts = [attempt for _, _, attempt in self._serving.values()]
            threads = list(self._threads)
            self._changed.notify_all()
        for attempt in attempts:
            attempt.abort()
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def counts(self) -> Counts:
        """The state now."""
        with self._lock:
            sizes = [job.size for _, job, _ in self._serving.values()]
            left = [job.size - self._progress.get(i, 0) for i, (_, job, _) in self._serving.items()]
            return Counts(
                paused=self._paused,
                wanted=self._wanted,
                running=self._running,
                busy=len(self._serving),
                waiting=self._waiting,
                finished=self._finished,
                failed=len(self._failed),
                cancelled=self._cancelled,
                bytes_done=self._bytes_done,
                bytes_left=self._bytes_left - sum(self._progress.values()),
                squares_left=self._squares_left - _squares(sizes) + _squares(left),
                largest_left=max(left, default=0),
                service=self._service.fit(),
            )

    def wait_drained(self, timeout: float | None = None) -> bool:
        """Wait until nothing waits or runs; False when that took longer than `timeout`."""
        with self._emptied:
            return self._emptied.wait_for(self._is_empty, timeout)

    def watch(self, observer: Observer) -> None:
        """Give every log entry to `observer` from now on, in order of time; it must be quick.

        It first gets the entries that tell of the jobs and workers that are here already.
        """
        with self._lock:
            observer(self._present())
            self._observers = (*self._observers, observer)

    def unwatch(self, observer: Observer) -> None:
        """Give no more entries to `observer`."""
        with self._lock:
            self._observers = tuple(known for known in self._observers if known != observer)

    # --- arrivals and departures ------------------------------------------------------------

    def _observe(self, entries: Sequence[Entry]) -> None:
        """Log entries (lock held)."""
        for observer in self._observers:
            observer(entries)

    def _present(self) -> list[Entry]:
        """The log entries that lead to the present state; earlier attempts are left out."""
        waiting = itertools.chain(self._queue.values(), (job for _, job in self._delayed.values()))
        entries = [Entry(job.arrived, Kind.ARRIVE, job.id) for job in waiting]
        for began, job, _ in self._serving.values():
            entries.append(Entry(job.arrived, Kind.ARRIVE, job.id))
            entries.append(Entry(began, Kind.START, job.id))
        entries.append(Entry(self._clock(), Kind.WORKERS, workers=self._target))
        return sorted(entries, key=lambda entry: entry.t)

    @property
    def _waiting(self) -> int:
        return len(self._queue) + len(self._delayed)

    @property
    def _target(self) -> int:
        return 0 if self._paused or self._closed else self._wanted

    def _is_empty(self) -> bool:
        return not (self._queue or self._delayed or self._serving)

    def _arrive(self, jobs: Sequence[Job[ItemT]]) -> None:
        if not jobs:
            return
        self._hooks.arrived(jobs)  # told before a worker can start one
        with self._lock:
            now = self._clock()
            self._observe([Entry(now, Kind.ARRIVE, job.id) for job in jobs])
            for job in jobs:
                job.arrived = now
                self._queue[job.id] = job
                self._bytes_left += job.size
            self._squares_left += _squares(job.size for job in jobs)
            self._changed.notify(min(len(jobs), self._idle))

    def _withdraw(self, job_id: int) -> Job[ItemT] | None:
        if job_id in self._delayed:
            return self._delayed.pop(job_id)[1]
        return self._queue.pop(job_id, None)

    def _leave(self, kind: Kind, jobs: Iterable[Job[ItemT]]) -> None:
        """Log that jobs left, and that their bytes are no longer ahead (lock held)."""
        jobs = list(jobs)
        now = self._clock()
        self._observe([Entry(now, kind, job.id) for job in jobs])
        self._bytes_left -= sum(job.size for job in jobs)
        self._squares_left -= _squares(job.size for job in jobs)

    def _tell_if_drained(self) -> None:
        with self._lock:
            if not self._is_empty() or not any(self._since_empty):
                return
            finished, failed, cancelled = self._since_empty
            self._since_empty = [0, 0, 0]
            self._emptied.notify_all()
        self._hooks.drained(finished, failed, cancelled)

    # --- workers ----------------------------------------------------------------------------

    def _set_paused(self, paused: bool) -> None:
        with self._lock:
            if self._paused == paused or self._closed:
                return
            self._paused = paused
            self._retarget()
        self._hooks.paused(paused)

    def _retarget(self) -> None:
        """Log the target and start the threads that are missing; surplus ones end themselves.

        The lock is held: no job may start between a change of the target and its log entry.
        """
        target = self._target
        self._observe([Entry(self._clock(), Kind.WORKERS, workers=target)])
        for _ in range(target - self._running):
            number = next(self._numbers)
            thread = threading.Thread(
                target=self._run, args=(number,), name=f"{self.name} worker {number}", daemon=True
            )
            self._running += 1
            self._threads.add(thread)
            thread.start()
        self._changed.notify_all()

    def _run(self, number: int) -> None:
        worker = self._make_worker()
        try:
            while (taken := self._take()) is not None:
                self._serve(*taken, worker, number)
        finally:
            worker.close()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _take(self) -> tuple[Job[ItemT], Attempt] | None:
        """Wait for a job; None when this thread is one too many (it counts as gone from then)."""
        with self._lock:
            while True:
                if self._running > self._target:
                    self._running -= 1
                    return None
                wake = self._release_due()
                if self._queue:
                    break
                self._idle += 1
                self._changed.wait(wake)
                self._idle -= 1
            _, job = self._queue.popitem(last=False)
            job.attempts += 1
            attempt = Attempt(
                self._reporter(job), lambda: self._hooks.checkpointed(job), self.limit
            )
            now = self._clock()
            self._serving[job.id] = (now, job, attempt)
            self._observe([Entry(now, Kind.START, job.id)])
            return job, attempt

    def _release_due(self) -> float | None:
        """Queue the jobs whose back-off is over; return the seconds until the next one's is."""
        now = self._clock()
        while self._due:
            due, job_id = self._due[0]
            current = self._delayed.get(job_id, (None,))[0] == due  # else withdrawn meanwhile
            if current and due > now:
                return due - now
            heapq.heappop(self._due)
            if current:
                self._queue[job_id] = self._delayed.pop(job_id)[1]
        return None

    def _reporter(self, job: Job[ItemT]) -> Callable[[int], None]:
        done = 0

        def report(size: int) -> None:
            nonlocal done
            done += size
            with self._lock:
                self._bytes_done += size
                self._progress[job.id] = min(done, job.size)
            self._hooks.progressed(job, done)

        return report

    def _serve(
        self, job: Job[ItemT], attempt: Attempt, worker: Worker[ItemT, ResultT], number: int
    ) -> None:
        self._hooks.started(job, number)
        began = self._clock()
        try:
            result = worker.serve(job.item, attempt)
        except Aborted:
            self._end_aborted(job)
        except TransientError as error:
            self._end_transient(job, attempt, error)
        except PermanentError as error:
            self._end_failed(job, str(error))
        except Exception as error:  # noqa: BLE001 - the worker goes on with the next job
            _log.exception("attempt at job %s", job.id)
            self._end_failed(job, f"An error inside Dropline ({error!r}): please report it.")
        else:
            self._hooks.finished(job, result, self._clock() - began)
            with self._lock:
                self._service.add(job.size, self._clock() - self._serving[job.id][0])
                self._depart(job, Kind.FINISH)
                self._finished += 1
                self._since_empty[0] += 1
        self._tell_if_drained()

    def _depart(self, job: Job[ItemT], kind: Kind) -> None:
        """A running job leaves the line (lock held)."""
        self._end(job)
        self._cancelling.discard(job.id)
        self._leave(kind, [job])

    def _end(self, job: Job[ItemT]) -> None:
        """The attempt at a job is over (lock held)."""
        del self._serving[job.id]
        self._progress.pop(job.id, None)

    def _end_failed(self, job: Job[ItemT], reason: str) -> None:
        self._hooks.failed(job, reason)
        with self._lock:
            self._depart(job, Kind.FAIL)
            self._failed[job.id] = job
            self._since_empty[1] += 1

    def _end_transient(self, job: Job[ItemT], attempt: Attempt, error: TransientError) -> None:
        if attempt.aborted:  # what failed is what was stopped
            self._end_aborted(job)
            return
        delay = self._backoff.delay(job.attempts, error.retry_after)
        if delay is None:
            self._end_failed(job, f"{error} Gave up after {job.attempts} attempts.")
            return
        self._hooks.retried(job, str(error), delay)
        with self._lock:
            self._end(job)
            now = self._clock()
            self._observe([Entry(now, Kind.RETRY, job.id)])
            self._delayed[job.id] = (now + delay, job)
            heapq.heappush(self._due, (now + delay, job.id))
            cancelled = job.id in self._cancelling
            self._changed.notify()
        if cancelled:  # asked for while the attempt was failing by itself
            self._cancelling.discard(job.id)
            self.cancel([job.id])

    def _end_aborted(self, job: Job[ItemT]) -> None:
        with self._lock:
            if job.id not in self._cancelling:  # the station closes: the job stays unfinished
                self._end(job)
                self._observe([Entry(self._clock(), Kind.RETRY, job.id)])
                self._queue[job.id] = job
                self._queue.move_to_end(job.id, last=False)
                return
        self._hooks.cancelled([job])
        with self._lock:
            self._depart(job, Kind.CANCEL)
            self._cancelled += 1
            self._since_empty[2] += 1


def _squares(sizes: Iterable[int]) -> int:
    return sum(size * size for size in sizes)
