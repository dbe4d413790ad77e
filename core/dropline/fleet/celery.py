"""A Celery fleet under the line's instruments, without a word of the fleet's own code.

Three threads: one listens to the events, one asks broker and workers at intervals, one brings it
all into order and into the meter. Everything goes through the order, so that a count of the broker
meets the tasks as they were when it was taken.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass, replace
from typing import Any

from dropline.fleet.clocks import Clocks
from dropline.fleet.order import HOLD, Event, Order
from dropline.fleet.quality import (
    ARRIVALS,
    CAPACITY,
    ENDS,
    KEYS,
    LEVELS,
    SERVICE,
    TIMES,
    Doubt,
)
from dropline.fleet.remote import ANSWER_WITHIN, FleetError, Remote, capacity
from dropline.fleet.sizes import POOL_REMEDY, can_not, least, resize
from dropline.fleet.sizes import plan as planned
from dropline.fleet.tasks import Doubts, Place, Tasks
from dropline.meter import Entry, Figures, LittlesLaw, Meter, Totals, figures, littles_law

#: Seconds between looks at the broker's counts, at the workers' sizes, at what they hold.
QUEUES_EVERY = 0.25
SIZES_EVERY = 2.0
HELD_EVERY = 5.0
#: Seconds before a worker is told its size again: prefork forks and ends processes, some of them
#: every 5 s only, and until then counts those of before.
AGAIN_AFTER = 6.0
#: Pools of Celery's whose size is set when they start.
SOLO = "celery.concurrency.solo:"
SET_POOLS = ("celery.concurrency.thread:", SOLO)
#: A worker that answers this many times in a row not at all is gone.
MISSES = 3
#: Seconds between two looks at what has come.
PUMP_EVERY = 0.05
#: Celery's own name for a queue that nobody named.
DEFAULT_QUEUE = "celery"


@dataclass(slots=True)
class Member:
    """One worker process of the fleet, by what it last said."""

    name: str
    queues: tuple[str, ...] = ()
    pool: str = ""
    """Its pool's class, such as `celery.concurrency.prefork:TaskPool`."""
    workers: int = 0
    """How many tasks it can run at once."""
    total: int | None = None
    """Tasks that it says it has taken on."""
    told: int = 0
    """Task events that came from it since it was asked for `total`."""
    heard: bool = False
    """Task events came from it at some time."""
    quiet: bool = False
    """It took on tasks since it was asked before, and told of none."""
    autoscaled: bool = False
    """Celery's own autoscaler moves it."""
    told_size: int = 0
    next_try: float = 0.0
    """Until then it is on its way to the size that it was told, unless it refused."""
    refusal: str = ""
    """Why it has another size than it was told, as it says; empty while it obeys."""
    fixed: bool = False
    """Its pool can't change its size."""
    silent: bool = False
    """It takes on tasks and sends no events of them."""
    misses: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """The books at one moment."""

    t: float
    totals: Totals
    doubts: Doubts
    cuts: int
    resized: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where the tasks are now, and who serves them."""

    ready: int
    """Waiting in the broker's queues, by its own count."""
    reserved: int
    """Prefetched by workers, and waiting there."""
    running: int
    unacknowledged: int
    """Reserved and running."""
    wanted: int | None
    """The size that was asked for; None while nobody asked."""
    workers: int
    """The size that the workers say they have."""
    members: tuple[Member, ...]
    queues: dict[str, int]
    """The broker's count of each queue."""


class CeleryFleet:
    """Watches the Celery workers behind one broker; `meter` is fed with what their tasks do."""

    name = "celery"

    def __init__(
        self,
        url: str,
        *,
        queues: Collection[str] = (),
        enable_events: bool = False,
        record: Callable[[list[Entry]], None] | None = None,
    ) -> None:
        """`queues`: besides those that workers serve. `enable_events`: switch on, until `close`,
        the events of workers that have them off. `record` gets every log entry.

        Raises FleetError when the URL is none, MissingExtraError without Celery.
        """
        self.remote = Remote(url)
        self.epoch = time.time() - time.monotonic()
        """Our wall clock less our monotonic one: a time of day is t + epoch."""
        self.meter = Meter(time.monotonic())
        self._more_queues = tuple(queues)
        self._enable = enable_events
        self._enabled: set[str] = set()
        self._record = record
        self._lock = threading.Lock()
        self._clocks = Clocks()
        self._order = Order(self._clocks)
        self._tasks = Tasks()
        self._members: dict[str, Member] = {}
        self._heard: set[str] = set()
        self._queues: dict[str, int] = {}
        self._wanted: int | None = None
        self._before: list[dict[str, int]] = []
        self._plan: dict[str, int] | None = None
        self._ask_now = threading.Event()
        self._workers = self._cuts = self._resized = 0
        self._listening = threading.Event()
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=target, name=f"fleet {name}", daemon=True)
            for name, target in (
                ("listener", self._listen),
                ("poller", self._poll),
                ("pump", self._pump),
            )
        ]

    # ------------------------------------------------------------------ life

    def start(self) -> None:
        """Begin to watch; takes a second or two. Raises FleetError when no broker answers."""
        self.remote.check()
        listener, *others = self._threads
        listener.start()
        if not self._listening.wait(10 * ANSWER_WITHIN):
            raise FleetError(f"{self.remote.url} takes no consumer of events: see the broker's log")
        self._discover(None)
        self._ask_sizes()
        self._adopt()
        for thread in others:
            thread.start()

    def close(self) -> None:
        """Stop watching, and switch off the events that were switched on for it."""
        self._stop.set()
        self._ask_now.set()
        for thread in self._threads:
            if thread.ident is not None and thread is not self._threads[0]:
                thread.join()
        if self._enabled:
            with contextlib.suppress(FleetError):
                self.remote.ask("disable_events", self._enabled)
        self.remote.close()
        if self._threads[0].ident is not None:
            self._threads[0].join()

    # ------------------------------------------------------------------ reading

    def now(self) -> float:
        """The clock of the meter, in seconds."""
        return time.monotonic()

    def settled(self) -> bool:
        """Whether all that was there before the watch has left: times are whole from now on."""
        with self._lock:
            return self._tasks.settled

    def mark(self, t: float) -> Mark:
        """The books at the time `t`; waits until all that happened before has been told."""
        marks: list[Mark] = []
        done = threading.Event()

        def take(_: float) -> None:
            totals = self.meter.totals(t)
            doubts = replace(self._tasks.doubts)
            marks.append(Mark(t, totals, doubts, self._cuts, self._resized))
            done.set()

        with self._lock:
            self._order.step(t + self.epoch, take)
        while not done.wait(HOLD):
            if self._stop.is_set():
                raise FleetError("watching has ended")
        return marks[0]

    def figures(self, first: Mark, last: Mark) -> tuple[Figures, LittlesLaw, list[Doubt]]:
        """The figures from one mark to another, and why which of them are approximate."""
        return (
            figures(first.totals, last.totals),
            littles_law(first.totals, last.totals),
            self._doubts(first, last),
        )

    def snapshot(self) -> Snapshot:
        """Where the tasks are now; at most a second behind."""
        with self._lock:
            counts = self._tasks.counts
            reserved, running = counts[Place.RESERVED], counts[Place.RUNNING]
            return Snapshot(
                ready=sum(self._queues.values()),
                reserved=reserved,
                running=running,
                unacknowledged=reserved + running,
                wanted=self._wanted,
                workers=self._workers,
                members=tuple(replace(member) for member in self._members.values()),
                queues=dict(self._queues),
            )

    def lanes(self) -> list[str]:
        """The names of the lanes, by the numbers that log entries give as `worker`."""
        with self._lock:
            return list(self._tasks.lanes.names)

    def _doubts(self, first: Mark, last: Mark) -> list[Doubt]:
        def more(name: str) -> int:
            return int(getattr(last.doubts, name) - getattr(first.doubts, name))

        with self._lock:
            silent = [member.name for member in self._members.values() if member.silent]
            nobody = not any(member.workers for member in self._members.values())
            off = self._clocks.out_of_step()
        doubts = []

        def doubt(keys: tuple[str, ...], why: str) -> None:
            doubts.append(Doubt(keys, why))

        if silent:
            who = ", ".join(silent)
            doubt(
                KEYS,
                f"{who} sends no task events: start it with -E, set worker_send_task_events, "
                "or attach with --enable-events",
            )
        if nobody:
            doubt(CAPACITY, "no worker answers: start one, or check the broker's URL")
        if count := more("untold"):
            doubt(
                (*ARRIVALS, *LEVELS, *TIMES),
                f"nobody told when {count} tasks were sent: set task_send_sent_event = True where "
                "tasks are sent from; until then arrivals are taken from the queue's length",
            )
        if count := more("unaged"):
            doubt(TIMES, f"{count} tasks had been waiting since before the watch began")
        if count := more("missed"):
            doubt(KEYS, f"the beginning of {count} tasks was not told")
        if count := more("doubled"):
            doubt((*SERVICE, *CAPACITY), f"{count} tasks that were done were run again")
        if count := more("lost"):
            doubt((*LEVELS, "cancelled"), f"{count} tasks vanished: purged, expired or lost")
        if count := more("cut"):
            doubt((*LEVELS, *ENDS, *SERVICE), f"{count} tasks ran when their worker vanished")
        if off:
            hosts = ", ".join(f"{host} by {behind:+.3f} s" for host, behind in off.items())
            doubt((*LEVELS, *TIMES), f"clocks are behind ours: {hosts}; set them by NTP")
        if last.cuts > first.cuts:
            doubt(KEYS, "the connection to the broker was lost for a while, and events with it")
        if last.resized > first.resized:
            doubt(CAPACITY, f"the fleet changed its size; when is known to {SIZES_EVERY:g} s")
        return doubts

    # ------------------------------------------------------------------ tuning

    def resize(self, workers: int) -> None:
        """Want this many workers in all, from now on: also of workers that start anew or join.

        Returns at once; `snapshot` says how many there are. Raises ValueError when that can't be.
        """
        with self._lock:
            self._check_size(workers)
            self._before.append({name: each.workers for name, each in self._members.items()})
            self._want(workers, None)

    def undo(self) -> bool:
        """Give each worker the size that it had before the last `resize`; False without one."""
        with self._lock:
            if not self._before:
                return False
            plan = self._before.pop()
            self._want(sum(plan.get(n, m.workers) for n, m in self._members.items()), plan)
        return True

    def _want(self, workers: int, plan: dict[str, int] | None) -> None:
        self._wanted, self._plan = workers, plan
        self._ask_now.set()

    def least(self) -> int:
        """The fewest workers that can be wanted: one a process, and those that are fixed."""
        with self._lock:
            return self._least()

    def _least(self) -> int:
        return least(*self._sizes())

    def _check_size(self, workers: int) -> None:
        if not self._members:
            raise ValueError("no worker answers, so there is none to tune: start one")
        if workers < self._least():
            raise ValueError(
                f"{workers} workers: this fleet has {self._least()} at least, one a process; "
                "stop a process to have fewer"
            )
        fixed = [name for name, member in self._members.items() if member.fixed]
        if len(fixed) == len(self._members) and workers != self._workers:
            raise ValueError(f"{', '.join(fixed)} can't change its size: {POOL_REMEDY}")

    def _sizes(self) -> tuple[dict[str, int], set[str]]:
        sizes = {name: member.workers for name, member in self._members.items()}
        return sizes, {name for name, member in self._members.items() if member.fixed}

    def _apply(self) -> bool:
        """Tell workers that have another size than they shall; whether one was told."""
        with self._lock:
            if self._wanted is None:
                return False
            sizes, fixed = self._sizes()
            plan = {**sizes, **self._plan} if self._plan else planned(self._wanted, sizes, fixed)
            members = [m for n, m in self._members.items() if n not in fixed]
        told = False
        for member in members:
            now, wanted = sizes[member.name], plan[member.name]
            if time.monotonic() < member.next_try:
                if member.refusal:
                    continue
                now = member.told_size
            if now == wanted:
                continue
            member.told_size, member.next_try = wanted, time.monotonic() + AGAIN_AFTER
            refusal = resize(self.remote, member.name, now, wanted, autoscaled=member.autoscaled)
            with self._lock:
                member.fixed = can_not(refusal)
                member.refusal = refusal or ""
            told = True
        return told

    # ------------------------------------------------------------------ the listener

    def _listen(self) -> None:
        self.remote.listen(self._take, self._listening.set, self._cut)

    def _take(self, event: Event) -> None:
        received = time.monotonic() + self.epoch
        kind = event.get("type", "")
        name = event.get("hostname", "")
        with self._lock:
            if kind.startswith("task-") and "uuid" in event and "timestamp" in event:
                self._order.push(event, received)
                if kind != "task-sent" and (member := self._members.get(name)) is not None:
                    member.told += 1
            elif kind == "worker-offline":
                self._lose(name)
            elif kind.startswith("worker-") and name not in self._members:
                self._heard.add(name)

    def _cut(self) -> None:
        with self._lock:
            self._cuts += 1

    # ------------------------------------------------------------------ the pump

    def _pump(self) -> None:
        while not self._stop.wait(PUMP_EVERY):
            until = time.monotonic() + self.epoch - HOLD
            with self._lock:
                for t, what in self._order.release(until):
                    if callable(what):
                        what(t)
                    else:
                        self._tasks.event(t, what)
                    self._observe(self._tasks.take())

    def _observe(self, entries: list[Entry]) -> None:
        if not entries:
            return
        entries = [entry._replace(t=entry.t - self.epoch) for entry in entries]
        self.meter.observe_all(entries)
        if self._record is not None:
            self._record(entries)

    # ------------------------------------------------------------------ the poller

    def _poll(self) -> None:
        sizes = held = time.monotonic()
        while not self._stop.is_set():
            asked = self._ask_now.wait(QUEUES_EVERY)
            self._ask_now.clear()
            now = time.monotonic()
            with contextlib.suppress(FleetError):
                ready = self._ask_queues()
                self._step(lambda t, n=ready: self._tasks.ready(t, n), now)  # type: ignore[misc]
                with self._lock:
                    heard, self._heard = self._heard, set()
                if heard:
                    self._discover(heard)
                if heard or asked or now - sizes >= SIZES_EVERY:
                    sizes = now
                    self._ask_sizes()
                    if self._apply():
                        self._ask_sizes()
                if now - held >= HELD_EVERY:
                    held = now
                    self._ask_held()

    def _step(self, step: Callable[[float], None], t: float | None = None) -> None:
        with self._lock:
            self._order.step((time.monotonic() if t is None else t) + self.epoch, step)

    def _discover(self, names: Collection[str] | None) -> None:
        """Get to know workers, or everybody."""
        for name, queues in self.remote.ask("active_queues", names).items():
            if not isinstance(queues, list):
                continue
            with self._lock:
                member = self._members.setdefault(name, Member(name))
                member.queues = tuple(str(queue["name"]) for queue in queues)
            if self._enable:
                said = self.remote.ask("enable_events", [name]).get(name, {})
                if said.get("ok") == "task events enabled":
                    self._enabled.add(name)

    def _ask_queues(self) -> int:
        """How many tasks wait in the queues that workers serve."""
        with self._lock:
            names = {queue for member in self._members.values() for queue in member.queues}
        queues = self.remote.ready(sorted({*names, *self._more_queues} or {DEFAULT_QUEUE}))
        with self._lock:
            self._queues = queues
        return sum(queues.values())

    def _ask_sizes(self) -> None:
        with self._lock:
            names = list(self._members)
        answers = self.remote.ask("stats", names)
        with self._lock:
            for name in names:
                member, stats = self._members.get(name), answers.get(name)
                if member is None:
                    continue
                if stats is None:
                    member.misses += 1
                    # A pool that runs tasks in the process itself can't answer meanwhile.
                    if member.misses >= MISSES and not member.pool.startswith(SOLO):
                        self._lose(name)
                    continue
                _note(member, stats)
            self._resize()

    def _ask_held(self) -> None:
        t = time.monotonic()
        with self._lock:
            names = list(self._members)
        lists = [self.remote.ask(what, names) for what in ("active", "reserved", "scheduled")]
        for name in names:
            answers = [each.get(name) for each in lists]
            if all(isinstance(answer, list) for answer in answers):
                held = {_id(task) for answer in answers for task in answer or ()}
                self._step(lambda t, n=name, h=held: self._tasks.held(t, n, h), t)  # type: ignore[misc]

    def _adopt(self) -> None:
        """Take in what is there: from here on every change is told."""
        with self._lock:
            names = list(self._members)
        t = time.monotonic()
        running = _where(self.remote.ask("active", names))
        reserved = _where(self.remote.ask("reserved", names))
        self._step(lambda t: self._tasks.adopt(t, running, reserved), t)
        t = time.monotonic()
        ready = self._ask_queues()
        self._step(lambda t: self._tasks.begin(t, ready), t)

    def _lose(self, name: str) -> None:
        """A worker is gone; the lock is held."""
        if self._members.pop(name, None) is not None:
            now = time.monotonic() + self.epoch
            self._order.step(now, lambda t: self._tasks.gone(t, name))
            self._resize()

    def _resize(self) -> None:
        """Tell how many workers there are, if that changed; the lock is held."""
        workers = sum(member.workers for member in self._members.values())
        if workers != self._workers:
            self._workers = workers
            self._resized += 1
            now = time.monotonic() + self.epoch
            self._order.step(now, lambda t: self._tasks.workers(t, workers))


def _note(member: Member, stats: dict[str, Any]) -> None:
    member.misses = 0
    member.pool = str((stats.get("pool") or {}).get("implementation", ""))
    member.workers = capacity(stats)
    if member.pool.startswith(SET_POOLS):
        member.fixed, member.refusal = True, "its pool can't change its size"
    member.autoscaled = bool(stats.get("autoscaler"))
    total = sum((stats.get("total") or {}).values())
    if member.total is not None and total > member.total:
        # Once may be an event that is still on its way.
        quiet, member.quiet = member.quiet, not member.told
        member.heard |= member.told > 0
        member.silent = member.quiet and (quiet or not member.heard)
    member.total, member.told = total, 0


def _where(answers: dict[str, Any]) -> dict[str, str]:
    """Who has which task."""
    return {
        _id(task): name
        for name, tasks in answers.items()
        if isinstance(tasks, list)
        for task in tasks
    }


def _id(task: dict[str, Any]) -> str:
    """A task's id; those that are scheduled lie one deeper."""
    return str(task.get("id") or (task.get("request") or {}).get("id"))
