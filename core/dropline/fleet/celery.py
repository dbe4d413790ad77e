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

from dropline.events import FleetRecovered, FleetTroubled
from dropline.fleet.clocks import Clocks
from dropline.fleet.doubts import Mark, doubts_between
from dropline.fleet.members import SOLO, Member, note
from dropline.fleet.order import HOLD, Event, Order
from dropline.fleet.quality import Doubt
from dropline.fleet.remote import ANSWER_WITHIN, FleetError, Remote
from dropline.fleet.sampling import BOUND, Scale, Share
from dropline.fleet.steering import Steering
from dropline.fleet.tasks import Place, Tasks
from dropline.fleet.troubles import BROKER, Troubles
from dropline.meter import Entry, Figures, LittlesLaw, Meter, figures, littles_law

#: Seconds between looks at the broker's counts, at the workers' sizes, at what they hold.
QUEUES_EVERY = 0.25
SIZES_EVERY = 2.0
HELD_EVERY = 5.0
#: A worker that answers this many times in a row not at all is gone.
MISSES = 3
#: A worker that is gone is asked for so many seconds, for it may have been cut off only.
MISSED = 600.0
#: Seconds between two looks at what has come, and between two at what may be wrong.
PUMP_EVERY, TROUBLES_EVERY = 0.05, 0.5
#: Celery's own name for a queue that nobody named.
DEFAULT_QUEUE = "celery"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Where the tasks are now, and who serves them."""

    ready: int
    """Waiting in the broker's queues, by its own count."""
    reserved: int
    """Prefetched by workers, and waiting there."""
    running: int
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
        bound: float = BOUND,
    ) -> None:
        """`queues`: besides those that workers serve. `enable_events`: switch on, until `close`,
        the events of workers that have them off. `record` gets every log entry. `bound`: task
        events a second above which only a share of the tasks is followed.

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
        self._troubles = Troubles()
        self._share, self._scale, self._shares = Share(bound), Scale(), 0
        self._lost: dict[str, float] = {}
        self._members: dict[str, Member] = {}
        self._heard: set[str] = set()
        self._queues: dict[str, int] = {}
        self._steering = Steering(self._members, self._lock)
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
            marks.append(self._mark(t))
            done.set()

        with self._lock:
            self._order.step(t + self.epoch, take)
        while not done.wait(HOLD):
            if self._stop.is_set():
                raise FleetError("watching has ended")
        return marks[0]

    def _mark(self, t: float) -> Mark:
        """The books as they are; the lock is held."""
        doubts, totals = replace(self._tasks.doubts), self._scale.totals(self.meter.totals(t))
        return Mark(
            t,
            totals,
            doubts,
            self._cuts,
            self._resized,
            factor=self._scale.factor,
            shares=self._shares,
            pushed=self._order.pushed,
            late=self._order.late,
        )

    def mark_now(self) -> Mark:
        """The books now, as far as they have been told."""
        with self._lock:
            return self._mark(self.now())

    def notes(self, first: Mark, last: Mark) -> tuple[str, ...]:
        """Why figures between the marks are approximate, and what workers refuse: sentences."""
        with self._lock:
            tuned = self._steering.wanted is not None
            members = self._members.values() if tuned else ()
            refusals = [f"{each.name}: {each.refusal}" for each in members if each.refusal]
        return (*(doubt.why for doubt in self._doubts(first, last)), *refusals)

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
            counts, factor = self._tasks.counts, self._scale.factor
            reserved, running = counts[Place.RESERVED] * factor, counts[Place.RUNNING] * factor
            return Snapshot(
                ready=sum(self._queues.values()),
                reserved=reserved,
                running=running,
                wanted=self._steering.wanted,
                workers=self._workers,
                members=tuple(replace(member) for member in self._members.values()),
                queues=dict(self._queues),
            )

    @property
    def factor(self) -> int:
        """One task in so many is followed: counts that the meter has are of those."""
        return self._scale.factor

    def events(self) -> list[FleetTroubled | FleetRecovered]:
        """What went wrong since the last call, and what is well again."""
        with self._lock:
            return self._troubles.take()

    def lanes(self) -> list[str]:
        """The names of the lanes, by the numbers that log entries give as `worker`."""
        with self._lock:
            return list(self._tasks.lanes.names)

    def _doubts(self, first: Mark, last: Mark) -> list[Doubt]:
        with self._lock:
            silent = sorted(member.name for member in self._members.values() if member.silent)
            nobody = not any(member.workers for member in self._members.values())
            off = self._clocks.out_of_step()
        return doubts_between(first, last, silent=silent, nobody=nobody, off=off)

    # ------------------------------------------------------------------ tuning

    def resize(self, workers: int) -> None:
        """Want this many workers in all, from now on: also of workers that start anew or join.

        Returns at once; `snapshot` says how many there are. Raises ValueError when that can't be.
        """
        with self._lock:
            self._steering.resize(workers)
        self._ask_now.set()

    def undo(self) -> bool:
        """Give each worker the size that it had before the last `resize`; False without one."""
        with self._lock:
            undone = self._steering.undo()
        self._ask_now.set()
        return undone

    # ------------------------------------------------------------------ the listener

    def _listen(self) -> None:
        self.remote.listen(self._take, self._hear, self._cut)

    def _take(self, event: Event) -> None:
        self._take_at(event, time.monotonic() + self.epoch)

    def _take_at(self, event: Event, received: float) -> None:
        """Take an event that came at `received`, by our clock of the day."""
        kind = event.get("type", "")
        name = event.get("hostname", "")
        with self._lock:
            if kind.startswith("task-") and "uuid" in event and "timestamp" in event:
                if kind != "task-sent" and (member := self._members.get(name)) is not None:
                    member.told += 1
                self._offer(received)
                if self._share.takes(str(event["uuid"])):
                    self._order.push(event, received)
            elif kind == "worker-offline":
                self._lose(name)
            elif kind.startswith("worker-") and name not in self._members:
                self._heard.add(name)

    def _offer(self, now: float) -> None:
        """A task event has come: follow another share of the tasks, if there are too many of them
        or room for more; the lock is held.
        """
        factor = self._share.offer(1, now)
        if factor == self._share.factor:
            return
        self._share.factor = factor
        self._shares += 1

        def change(t: float) -> None:
            t -= self.epoch
            before = self.meter.totals(t)
            self._tasks.keep(t + self.epoch, self._share.takes)
            self._observe(self._tasks.take())
            self._scale.change(before, factor, self.meter.totals(t))

        self._order.step(now, change)

    def _hear(self) -> None:
        self._listening.set()
        with self._lock:
            self._troubles.end("away", BROKER)

    def _cut(self) -> None:
        url = self.remote.url
        with self._lock:
            self._cuts += 1
            self._troubles.begin(
                "away",
                BROKER,
                f"The broker at {url} does not answer: check that it runs, and the network; what "
                "workers do meanwhile is not told",
                after=f"The broker at {url} answers again",
            )

    # ------------------------------------------------------------------ the pump

    def _pump(self) -> None:
        looked = 0.0
        while not self._stop.wait(PUMP_EVERY):
            until = time.monotonic() + self.epoch - HOLD
            with self._lock:
                self._release(until)
                if until - looked >= TROUBLES_EVERY:
                    looked = until
                    self._troubles.look(until, self._tasks, self._workers)

    def _release(self, until: float) -> None:
        """Let all before `until` happen; the lock is held."""
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
                self._step(lambda t, n=ready: self._tasks.ready(t, n // self._scale.factor), now)  # type: ignore[misc]
                with self._lock:
                    heard, self._heard = self._heard, set()
                if heard:
                    self._discover(heard)
                if heard or asked or now - sizes >= SIZES_EVERY:
                    sizes = now
                    self._ask_sizes()
                    if self._steering.apply(self.remote):
                        self._ask_sizes()
                if now - held >= HELD_EVERY:
                    held = now
                    self._ask_held()
                    self._seek(now)

    def _step(self, step: Callable[[float], None], t: float | None = None) -> None:
        with self._lock:
            self._order.step((time.monotonic() if t is None else t) + self.epoch, step)

    def _discover(self, names: Collection[str] | None) -> None:
        """Get to know workers, or everybody."""
        for name, queues in self.remote.ask("active_queues", names).items():
            if not isinstance(queues, list):
                continue
            with self._lock:
                self._lost.pop(name, None)
                self._troubles.end("gone", name)
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
                        self._miss(name)
                    continue
                note(member, stats)
                self._troubles.seen(time.monotonic(), name, int(stats.get("pid") or 0))
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

    def _seek(self, now: float) -> None:
        """Ask for workers that were there before."""
        with self._lock:
            self._lost = {name: at for name, at in self._lost.items() if now - at < MISSED}
            names = list(self._lost)
        if names:
            self._discover(names)

    def _miss(self, name: str) -> None:
        """A worker does not answer; the lock is held."""
        self._lost[name] = time.monotonic()
        self._troubles.begin(
            "gone",
            name,
            f"{name} does not answer: it hangs, was killed, or is cut off; restart it, or check "
            "its network. What it had comes to others once the broker gives it up: RabbitMQ when "
            "its connection ends, Redis after the visibility timeout",
            after=f"{name} answers again",
        )
        self._lose(name)

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
