"""The station: c threads serve a queue, c changes while they run, and every step is metered.

Words used here. *Wanted* is the number of workers asked for, *target* is wanted or, while paused,
0. *Running* workers are threads that exist, *busy* ones serve a job, or a bundle of them. A thread
takes a job only while running ≤ target, so after a shrink's jobs end no more than `wanted` ever run
(c is exact).

One lock guards the queue, the counts and the order of the log; nothing slow happens under it. What
waits on the shelf is fetched by one thread at a time, under a lock of its own.
Hooks are called outside both, in an order that keeps each job's own story in order.
"""

from __future__ import annotations

import heapq
import itertools
import logging
import math
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic

from dropline.meter import Entry, Kind, ServiceFit
from dropline.station.breaker import Breaker
from dropline.station.counts import Counts
from dropline.station.hooks import Hooks
from dropline.station.limit import Limit
from dropline.station.queue import SMALL, Order, Queue
from dropline.station.ration import Ration
from dropline.station.retry import Backoff
from dropline.station.shelf import Shelf
from dropline.station.work import (
    Aborted,
    Attempt,
    BundleWorker,
    ItemT,
    Job,
    PermanentError,
    ResultT,
    Room,
    Spent,
    TransientError,
    Unreached,
    Worker,
)

_log = logging.getLogger(__name__)

#: Takes log entries in order of time.
Observer = Callable[[Sequence[Entry]], None]
#: More threads than this help nobody: it is where a slip of the hand ends.
MAX_WORKERS = 256
_ALONE = Room(1, 0)
#: Jobs that wait in memory; further ones wait on the shelf, where there is a way to fetch them.
IN_MEMORY = 5_000
#: Jobs that are fetched from the shelf at a time.
FETCHED = 1000


@dataclass(slots=True, eq=False)
class _Service(Generic[ItemT]):
    """A job in service: since when, in which attempt, by which worker."""

    began: float
    job: Job[ItemT]
    attempt: Attempt
    worker: int


class Station(Generic[ItemT, ResultT]):
    """A queue and the workers that serve it."""

    def __init__(
        self,
        name: str,
        make_worker: Callable[[], Worker[ItemT, ResultT]],
        hooks: Hooks[ItemT, ResultT],
        *,
        backoff: Backoff | None = None,
        breaker: Breaker | None = None,
        patience: float = math.inf,
        fetch: Callable[[Collection[int]], Sequence[Job[ItemT]]] | None = None,
        in_memory: int = IN_MEMORY,
        give_way: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins with no workers: `resize` starts them.

        `make_worker` is called once in each worker thread and must not fail. `patience`: when the
        target has been down for so many seconds, what waits for it fails. `fetch` gives jobs by
        their ids: with it, no more than about `in_memory` waiting jobs are kept as long as they go
        first come, first served; those that it does not give back are no more. `give_way` is called
        by workers between two steps of their work, and may keep them for a moment.
        """
        self.name = name
        #: On the bytes a second of all workers together; its rate may be set at any time.
        self.limit = Limit()
        #: On what workers use of the processor.
        self.ration = Ration()
        self._make_worker = make_worker
        self._hooks = hooks
        self._backoff = backoff or Backoff()
        self._breaker = breaker or Breaker()
        self._patience = patience
        self._fetch = fetch
        self._in_memory = in_memory
        self._give_way = give_way
        self._clock = clock

        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)  # workers wait here,
        self._emptied = threading.Condition(self._lock)  # and here who waits for the end
        # Whoever has waited for it finds in memory what another was fetching meanwhile.
        self._one_fetches = threading.Lock()
        self._ids = itertools.count(1)
        self._numbers = itertools.count(1)
        self._queue: Queue[ItemT] = Queue()
        self._shelf = Shelf()
        self._fetching = 0
        self._delayed: dict[int, tuple[float, Job[ItemT]]] = {}
        self._due: list[tuple[float, int]] = []
        self._told_to_wait: set[int] = set()
        self._observers: tuple[Observer, ...] = ()
        self._serving: dict[int, _Service[ItemT]] = {}
        self._large = 0
        self._failed: OrderedDict[int, Job[ItemT]] = OrderedDict()
        self._cancelling: set[int] = set()
        self._holding: set[int] = set()
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
        self._spent = Spent(0.0, 0.0, 0.0, 0.0)
        self._since_empty = [0, 0, 0]

    # --- for the user -----------------------------------------------------------------------

    def submit(self, items: Iterable[tuple[ItemT, int]]) -> list[int]:
        """Let items of a size in bytes join the queue; return their job ids."""
        jobs = [Job(next(self._ids), item, size) for item, size in items]
        self.admit(jobs)
        return [job.id for job in jobs]

    def admit(self, jobs: Sequence[Job[ItemT]], *, held: Collection[int] = ()) -> None:
        """Let jobs with ids of their own join the queue; failed ones of these ids are no more.

        Those that are `held` wait until they are released.
        """
        with self._lock:
            for job in jobs:
                self._failed.pop(job.id, None)
        self._arrive(jobs, held)

    def admit_failed(self, jobs: Iterable[Job[ItemT]]) -> None:
        """Keep jobs that failed in an earlier run, so that they can be tried again."""
        with self._lock:
            self._failed.update((job.id, job) for job in jobs)

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
        if jobs is None:
            while ids := self._unshelve(FETCHED):
                self._cancel(ids)
        else:
            self._pick(jobs)
        self._cancel(jobs)

    def _cancel(self, jobs: Collection[int] | None) -> None:
        with self._lock:
            waiting = self._waiting_ids() if jobs is None else jobs
            gone = [job for job in map(self._withdraw, waiting) if job is not None]
            running = self._in_service(jobs)
            self._cancelling.update(service.job.id for service in running)
            self._leave(Kind.CANCEL, gone)
            self._cancelled += len(gone)
            self._since_empty[2] += len(gone)
        for service in running:
            service.attempt.abort()
        if gone:
            self._hooks.cancelled(gone)
            self._tell_if_drained()

    def hold(self, jobs: Collection[int] | None = None) -> None:
        """Let these jobs, or all, wait until they are released; running attempts are stopped."""
        self._pick(jobs)
        with self._lock:
            chosen = self._waiting_ids() if jobs is None else jobs
            for job_id in chosen:
                if job_id in self._delayed:
                    self._queue.add(self._delayed.pop(job_id)[1])
            held = [self._queue.get(job_id) for job_id in chosen if self._queue.hold(job_id)]
            running = self._in_service(jobs)
            self._holding.update(service.job.id for service in running)
        for service in running:
            service.attempt.abort()
        if held:
            self._hooks.held(held, True)

    def release(self, jobs: Collection[int] | None = None) -> None:
        """Let held jobs, these or all, take their turn again."""
        with self._lock:
            self._holding.difference_update(list(self._holding) if jobs is None else jobs)
            chosen = self._waiting_ids() if jobs is None else jobs
            freed = [self._queue.get(job_id) for job_id in chosen if self._queue.release(job_id)]
            self._changed.notify(min(len(freed), self._idle))
        if freed:
            self._hooks.held(freed, False)

    def prioritise(self, jobs: Collection[int], priority: int) -> None:
        """Serve these waiting jobs before those of lower priority."""
        self._pick(jobs)
        with self._lock:
            changed = []
            for job_id in jobs:
                if job_id in self._delayed:
                    self._delayed[job_id][1].priority = priority
                    changed.append(self._delayed[job_id][1])
                elif self._queue.prioritise(job_id, priority):
                    changed.append(self._queue.get(job_id))
        if changed:
            self._hooks.prioritised(changed)

    def set_order(self, order: Order) -> None:
        """Serve what waits in another order. In any but the first all of it comes into memory."""
        with self._lock:
            if order is self._queue.order:
                return
            self._queue.order = order
            self._changed.notify_all()
        self._pick(None if order is not Order.FIFO else ())
        self._hooks.ordered(order)

    def probe_now(self) -> None:
        """If the target is down, try it at once instead of after the pause."""
        with self._lock:
            self._breaker.probe_now()
            self._end_waiting_for_target()

    def retry(self, jobs: Collection[int] | None = None) -> None:
        """Let these failed jobs, or all, join the queue again as new arrivals."""
        with self._lock:
            chosen = list(self._failed) if jobs is None else [i for i in jobs if i in self._failed]
            again = [self._failed.pop(i) for i in chosen]
            self._breaker.probe_now()
            self._end_waiting_for_target()
        for job in again:
            job.attempts = job.strikes = 0
        if again:
            self._hooks.rejoined(again)
        self._arrive(again)

    def close(self, timeout: float = 2.0) -> bool:
        """Stop running attempts and all workers; False if one did not stop in `timeout` seconds.

        Jobs that wait or ran stay unfinished: their end is not announced.
        """
        with self._lock:
            self._closed = True
            running = self._in_service(None)
            threads = list(self._threads)
            self._changed.notify_all()
        self.ration.end()
        for service in running:
            service.attempt.abort()
        deadline = time.monotonic() + timeout
        for thread in threads:
            thread.join(max(0.0, deadline - time.monotonic()))
        return not any(thread.is_alive() for thread in threads)

    def counts(self) -> Counts:
        """The state now."""
        with self._lock:
            serving = self._serving.values()
            sizes = [service.job.size for service in serving]
            done = [service.attempt.done for service in serving]
            left = [max(0, size - sent) for size, sent in zip(sizes, done, strict=True)]
            return Counts(
                paused=self._paused,
                wanted=self._wanted,
                running=self._running,
                busy=len({service.worker for service in serving}),
                serving=len(self._serving),
                waiting=self._waiting,
                finished=self._finished,
                failed=len(self._failed),
                cancelled=self._cancelled,
                bytes_done=self._bytes_done + sum(done),
                bytes_left=self._bytes_left - sum(sizes) + sum(left),
                squares_left=self._squares_left - _squares(sizes) + _squares(left),
                largest_left=max(left, default=0),
                service=self._service.fit(),
                spent=self._spent,
                next_try=self._breaker.next_try(self._clock()),
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
        waiting = itertools.chain(self._queue, (job for _, job in self._delayed.values()))
        entries = [Entry(job.arrived, Kind.ARRIVE, job.id) for job in waiting]
        entries += [Entry(arrived, Kind.ARRIVE, job) for job, arrived in self._shelf]
        for service in self._serving.values():
            job = service.job
            entries.append(Entry(job.arrived, Kind.ARRIVE, job.id))
            entries.append(Entry(service.began, Kind.START, job.id, None, service.worker, job.size))
        entries.append(Entry(self._clock(), Kind.WORKERS, workers=self._target))
        return sorted(entries, key=lambda entry: entry.t)

    @property
    def _waiting(self) -> int:
        return len(self._queue) + len(self._delayed) + len(self._shelf) + self._fetching

    @property
    def _target(self) -> int:
        return 0 if self._paused or self._closed else self._wanted

    def _waiting_ids(self) -> list[int]:
        return [job.id for job in self._queue] + list(self._delayed)

    def _in_service(self, jobs: Collection[int] | None) -> list[_Service[ItemT]]:
        if jobs is None:
            return list(self._serving.values())
        return [self._serving[job_id] for job_id in jobs if job_id in self._serving]

    def _is_empty(self) -> bool:
        return not (self._waiting or self._serving)

    def _arrive(self, jobs: Sequence[Job[ItemT]], held: Collection[int] = ()) -> None:
        if not jobs:
            return
        self._hooks.arrived(jobs)  # told before a worker can start one
        with self._lock:
            now = self._clock()
            self._observe([Entry(now, Kind.ARRIVE, job.id) for job in jobs])
            kept = len(jobs)
            if self._fetch is not None and self._queue.order is Order.FIFO:
                behind = len(self._shelf) + self._fetching  # whom nobody may overtake
                kept = 0 if behind else max(0, self._in_memory - self._queue.ready)
            in_turn = [job for job in jobs if job.priority or job.id in held]
            shelved = [job.id for job in jobs[kept:] if not (job.priority or job.id in held)]
            self._shelf.add(shelved, now)
            self._bytes_left += sum(job.size for job in jobs)
            for job in dict.fromkeys([*jobs[:kept], *in_turn]):
                self._queue.add(job)
            for job_id in held:
                self._queue.hold(job_id)
            for job in jobs:
                job.arrived = now
            self._squares_left += _squares(job.size for job in jobs)
            self._changed.notify(min(len(jobs), self._idle))
        if held:
            self._hooks.held([job for job in jobs if job.id in held], True)

    # --- the shelf --------------------------------------------------------------------------

    def _pick(self, jobs: Collection[int] | None) -> None:
        """Fetch these jobs, or all, from the shelf."""
        if jobs is None:
            while self._unshelve(FETCHED):
                pass
            return
        with self._one_fetches:
            with self._lock:
                ids = self._shelf.pick(jobs) if len(self._shelf) else {}
                self._fetching += len(ids)
            self._bring_in(ids)

    def _unshelve(self, count: int) -> Collection[int]:
        """Fetch the first jobs from the shelf; their ids, none when it is empty."""
        with self._one_fetches:
            with self._lock:
                ids = self._shelf.take(count)
                self._fetching += len(ids)
            self._bring_in(ids)
        return ids.keys()

    def _bring_in(self, ids: Mapping[int, float]) -> None:
        """Let fetched jobs join the queue, with the times of their arrivals."""
        if not ids or self._fetch is None:
            return
        jobs = self._fetch(ids.keys())
        with self._lock:
            for job in jobs:
                job.arrived = ids[job.id]
                self._queue.add(job)
            self._fetching -= len(ids)
            if gone := ids.keys() - {job.id for job in jobs}:  # somebody else has taken them away
                now = self._clock()
                self._observe([Entry(now, Kind.CANCEL, job_id) for job_id in sorted(gone)])
            self._changed.notify(min(len(jobs), self._idle))

    def _withdraw(self, job_id: int) -> Job[ItemT] | None:
        if job_id in self._delayed:
            return self._delayed.pop(job_id)[1]
        return self._queue.remove(job_id)

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
            while (taken := self._take(worker, number)) is not None:
                if taken:
                    self._give_way()
                    used = time.thread_time()
                    self._hooks.started([service.job for service in taken], number)
                    outcomes = self._serve(worker, taken)
                    self._give_way()
                    self._settle(taken, outcomes)
                    self.ration.rest(time.thread_time() - used, self._running)
                self._refill()
        finally:
            worker.close()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _refill(self) -> None:
        """Keep enough jobs in memory for everybody (lock not held: it waits for the disk)."""
        with self._lock:
            low = len(self._shelf) and self._queue.ready + self._fetching < self._in_memory // 2
        if low:
            self._unshelve(FETCHED)

    # --- taking jobs ------------------------------------------------------------------------

    def _take(self, worker: Worker[ItemT, ResultT], number: int) -> list[_Service[ItemT]] | None:
        """Wait for a job, or a bundle of them; none when there are only some on the shelf.

        None when this thread is one too many: it counts as gone from then.
        """
        with self._lock:
            while True:
                if self._running > self._target:
                    self._running -= 1
                    return None
                wake = self._release_due()
                if self._next() is not None:
                    pause = self._breaker.wait(self._clock())
                    if pause <= 0:
                        break
                    wake = min(wake, pause)
                elif len(self._shelf) and not self._fetching:
                    return []
                self._idle += 1
                self._changed.wait(None if wake == math.inf else wake)
                self._idle -= 1
            self._breaker.begin(number)
            now = self._clock()
            taken = [self._begin(job, now, number) for job in self._gather(worker)]
            self._observe(
                [Entry(now, Kind.START, s.job.id, None, number, s.job.size) for s in taken]
            )
            return taken

    def _gather(self, worker: Worker[ItemT, ResultT]) -> list[Job[ItemT]]:
        """The next job, and what may go with it (lock held).

        A bundle takes no more than this worker's share of what waits, so that no other worker
        stands idle for it; a large job, and one that failed before, goes alone.
        """
        alone = self._breaker.is_open or not isinstance(worker, BundleWorker)
        room = _ALONE if alone else worker.room()  # type: ignore[attr-defined]
        share = math.ceil(self._queue.ready / max(1, self._target))
        jobs: list[Job[ItemT]] = []
        size = 0
        while (job := self._next()) is not None:
            size += job.size
            single = job.size > SMALL or job.attempts > 0
            more = len(jobs) < min(room.items, share) and size <= room.size and not single
            if jobs and not more:
                break
            self._queue.pop(large=self._takes_large())
            jobs.append(job)
            if single:
                break
        return jobs

    def _next(self) -> Job[ItemT] | None:
        return self._queue.peek(large=self._takes_large())

    def _takes_large(self) -> bool:
        """Whether a large job may be taken: in the lane's order, not with the last worker."""
        if self._queue.order is not Order.SMALL_LANE or self._large < max(1, self._target - 1):
            return True
        return not self._queue.has_small()

    def _begin(self, job: Job[ItemT], now: float, number: int) -> _Service[ItemT]:
        job.attempts += 1
        attempt = Attempt(
            lambda size: self._progressed(job, size),
            lambda: self._hooks.checkpointed(job),
            self.limit,
            self._give_way,
        )
        self._large += job.size > SMALL
        service = self._serving[job.id] = _Service(now, job, attempt, number)
        return service

    def _release_due(self) -> float:
        """Queue the jobs whose back-off is over; return the seconds until the next one's is."""
        now = self._clock()
        while self._due:
            due, job_id = self._due[0]
            current = self._delayed.get(job_id, (None,))[0] == due  # else withdrawn meanwhile
            if current and due > now:
                return due - now
            heapq.heappop(self._due)
            if current:  # behind the others, whom it may have kept from being tried
                self._queue.add(self._delayed.pop(job_id)[1])
        return math.inf

    def _progressed(self, job: Job[ItemT], size: int) -> None:
        if size < job.size:  # else the whole of it went at once
            self._hooks.progressed(job, self._serving[job.id].attempt.done)

    # --- serving jobs -----------------------------------------------------------------------

    def _serve(
        self, worker: Worker[ItemT, ResultT], taken: Sequence[_Service[ItemT]]
    ) -> Sequence[ResultT | Exception]:
        """What became of each: its result, or the error in which the attempt ended."""
        try:
            if len(taken) == 1:
                return [worker.serve(taken[0].job.item, taken[0].attempt)]
            assert isinstance(worker, BundleWorker)
            return worker.serve_bundle([s.job.item for s in taken], [s.attempt for s in taken])
        except Exception as error:  # noqa: BLE001 - the worker goes on with the next job
            return [error] * len(taken)

    def _settle(
        self, taken: Sequence[_Service[ItemT]], outcomes: Sequence[ResultT | Exception]
    ) -> None:
        """Tell and log how the attempts ended."""
        is_down, served = self._judge_target(taken[0].worker, outcomes)
        self._add_up(taken)
        finished = [
            (service.job, outcome)
            for service, outcome in zip(taken, outcomes, strict=True)
            if not isinstance(outcome, Exception)
        ]
        if finished:
            seconds = (self._clock() - taken[0].began) / len(taken)
            self._hooks.finished(finished, seconds)
            self._give_way()
            with self._lock:
                self._service.add_all((job.size for job, _ in finished), seconds)
                self._depart([job for job, _ in finished], Kind.FINISH)
                self._finished += len(finished)
                self._since_empty[0] += len(finished)
        # From the last to the first: what goes back to the head of the queue keeps its order.
        for service, outcome in zip(reversed(taken), reversed(outcomes), strict=True):
            if isinstance(outcome, Exception):
                self._end_badly(service, outcome, is_down, served)
        self._tell_if_drained()

    def _add_up(self, taken: Sequence[_Service[ItemT]]) -> None:
        """Add what a worker has spent its time on."""
        took = self._clock() - taken[0].began
        reading = sending = limited = 0.0
        for service in taken:
            attempt = service.attempt
            reading += attempt.reading
            sending += attempt.sending
            limited += attempt.limited
        with self._lock:
            a, r, s, w = self._spent
            self._spent = Spent(a + took, r + reading, s + sending, w + limited)

    def _end_badly(
        self, service: _Service[ItemT], error: Exception, is_down: bool, served: int
    ) -> None:
        job = service.job
        match error:
            case Aborted():
                self._end_aborted(job)
            case TransientError() | Unreached() if service.attempt.aborted:
                self._end_aborted(job)  # what failed is what was stopped
            case TransientError():
                self._end_transient(job, error, is_down and error.target_down, served)
            case Unreached():
                self._put_back(job)
            case PermanentError():
                self._end_failed(job, str(error))
            case _:
                _log.error("attempt at job %s", job.id, exc_info=error)
                self._end_failed(job, f"An error inside Dropline ({error!r}): please report it.")

    def _judge_target(
        self, worker: int, outcomes: Sequence[ResultT | Exception]
    ) -> tuple[bool, int]:
        """Let the breaker know what a worker's outcomes say about the target.

        Whether it is down, and how many jobs it has served: it may be up again and serve by the
        next moment, for another worker.
        """
        bad = next((o for o in outcomes if isinstance(o, TransientError) and o.target_down), None)
        with self._lock:
            was_open = self._breaker.is_open
            if bad is not None:
                changed = self._breaker.failed(worker, self._clock(), bad.retry_after)
            elif all(map(_says_nothing, outcomes)):
                changed = False
                self._breaker.withdraw(worker)
            else:
                changed = self._breaker.succeeded()
            is_down, served = self._breaker.is_open, self._finished
            if changed and bad is None:
                self._end_waiting_for_target()
            elif was_open or changed:
                self._changed.notify_all()
        if changed:
            self._hooks.target_went(bad is not None, str(bad or ""))
        if bad is not None:
            self._lose_patience(str(bad))
        return is_down, served

    def _end_waiting_for_target(self) -> None:
        """Let those try that were told to wait because of the target (lock held)."""
        for job_id in sorted(self._told_to_wait, reverse=True):  # they were the first in the line
            if job_id in self._delayed:
                self._queue.add(self._delayed.pop(job_id)[1], first=True)
        self._told_to_wait.clear()
        self._changed.notify_all()

    def _lose_patience(self, reason: str) -> None:
        """Let all that waits fail when the target has been down for too long."""
        with self._lock:
            if not self._is_hopeless(self._clock()):
                return
        self._pick(None)
        with self._lock:
            jobs = [job for job in map(self._withdraw, self._waiting_ids()) if job is not None]
            # In the log they leave unserved: a `fail` there is the end of an attempt.
            self._leave(Kind.CANCEL, jobs)
            self._failed.update((job.id, job) for job in jobs)
            self._since_empty[1] += len(jobs)
        if jobs:
            self._hooks.failed([(job, self._hopeless(reason)) for job in jobs])

    def _is_hopeless(self, now: float) -> bool:
        since = self._breaker.failing_since
        return self._breaker.is_open and since is not None and now - since >= self._patience

    def _hopeless(self, reason: str) -> str:
        return f"{reason} Gave up after {self._patience:.0f} s."

    def _depart(self, jobs: Sequence[Job[ItemT]], kind: Kind) -> None:
        """Running jobs leave the line (lock held)."""
        for job in jobs:
            self._end(job)
        self._leave(kind, jobs)

    def _end(self, job: Job[ItemT]) -> None:
        """The attempt at a job is over (lock held)."""
        self._bytes_done += self._serving.pop(job.id).attempt.done
        self._large -= job.size > SMALL
        self._cancelling.discard(job.id)
        self._holding.discard(job.id)

    def _end_failed(self, job: Job[ItemT], reason: str) -> None:
        self._hooks.failed([(job, reason)])
        with self._lock:
            self._depart([job], Kind.FAIL)
            self._failed[job.id] = job
            self._since_empty[1] += 1

    def _end_transient(
        self, job: Job[ItemT], error: TransientError, is_down: bool, served: int
    ) -> None:
        # A target that served others since this job last failed so is not what is wrong.
        proven, job.seen = 0 <= job.seen < served, served
        with self._lock:
            now = self._clock()
            pause = self._breaker.wait(now)
            hopeless = is_down and self._is_hopeless(now)
        if hopeless:
            self._end_failed(job, self._hopeless(str(error)))
            return
        delay: float | None
        for_target = is_down and not proven
        if for_target:  # the target's fault: the next probe is another job's turn
            pause = 0.0 if pause == math.inf else pause
            delay = max(pause, error.retry_after or 0.0) + self._breaker.first
        else:
            job.strikes += 1
            delay = self._backoff.delay(job.strikes, error.retry_after)
        if delay is None:
            self._end_failed(job, f"{error} Gave up after {job.strikes} attempts.")
            return
        self._hooks.retried(job, str(error), delay)
        self._wait_again(job, now + delay, for_target=for_target)

    def _put_back(self, job: Job[ItemT]) -> None:
        """The job's turn did not come: it is next again."""
        job.attempts -= 1
        self._wait_again(job, None)

    def _end_aborted(self, job: Job[ItemT]) -> None:
        """It was cancelled or held; or the station closes, and the job stays unfinished."""
        if job.id not in self._cancelling:
            self._wait_again(job, None)
            return
        self._hooks.cancelled([job])
        with self._lock:
            self._depart([job], Kind.CANCEL)
            self._cancelled += 1
            self._since_empty[2] += 1

    def _wait_again(self, job: Job[ItemT], due: float | None, *, for_target: bool = False) -> None:
        """A running job waits again: until `due`, or as the first in turn.

        One that waits `for_target` does so no longer than the target is down.
        """
        with self._lock:
            cancelled, held = job.id in self._cancelling, job.id in self._holding
            self._end(job)
            self._observe([Entry(self._clock(), Kind.RETRY, job.id)])
            is_up = for_target and not self._breaker.is_open
            if cancelled or held or is_up or due is None:
                self._queue.add(job, first=True)
            else:
                if for_target:
                    self._told_to_wait.add(job.id)
                self._delayed[job.id] = (due, job)
                heapq.heappush(self._due, (due, job.id))
            if cancelled or held:  # asked for while it ran: no other worker may begin it now
                self._queue.hold(job.id)
            self._changed.notify()
        if cancelled:
            self.cancel([job.id])
        elif held:
            self._hooks.held([job], True)


def _says_nothing(outcome: object) -> bool:
    """Whether an attempt ended without the target having had a say."""
    if isinstance(outcome, TransientError | PermanentError):
        return outcome.at_source
    return isinstance(outcome, Aborted | Unreached)


def _squares(sizes: Iterable[int]) -> int:
    return sum(size * size for size in sizes)
