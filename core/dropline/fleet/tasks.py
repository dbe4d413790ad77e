"""What a fleet's tasks do, as entries of a log: from Celery's events and the broker's counts.

Events name tasks. Where a publisher's are off (`task_send_sent_event`, off by default), and for
what waited before we looked, only the broker's count tells that tasks wait: those are *unnamed*,
and a worker that receives a task nobody told of takes the oldest of them, as the queue gives them.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from dropline.fleet.lanes import Lanes
from dropline.meter import Entry, Kind

#: How many tasks that left are remembered, to tell one that is run again from a new one.
REMEMBERED = 100_000
#: A task that was begun so often and never done is watched; and how many services are remembered.
TRIES, SERVED = 3, 200
#: A task whose sending was told and that no queue holds is lost after this many seconds.
PATIENCE = 5.0


class Place(Enum):
    """Where a task is: in its queue, prefetched by a worker, or in service."""

    READY = "ready"
    RESERVED = "reserved"
    RUNNING = "running"


@dataclass(slots=True)
class Task:
    """One that is present."""

    job: str | int
    place: Place
    since: float
    told: bool
    """Its arrival is known: its sending was told."""
    adopted: bool = False
    """It was there before we looked."""
    kind: str = ""
    """The name of its function."""
    begun: int = 0
    tried_by: str = ""
    """Who began it last."""
    process: str = ""
    lane: tuple[str, int] | None = None


@dataclass(slots=True)
class Doubts:
    """How often something had to be guessed, since the start; see `dropline.fleet.quality`."""

    untold: int = 0
    """Tasks that left and whose sending nobody told."""
    unaged: int = 0
    """Tasks that finished and were there before we looked."""
    missed: int = 0
    """Ends of tasks whose beginning was missed."""
    doubled: int = 0
    """Runs of tasks that had been done already."""
    lost: int = 0
    """Tasks that vanished without a word: killed, purged or expired."""
    cut: int = 0
    """Tasks whose worker vanished while they ran."""


class Tasks:
    """The tasks present and where they are; not thread-safe. `take` returns what is new."""

    def __init__(self) -> None:
        self.lanes = Lanes()
        self.doubts = Doubts()
        self.counts = dict.fromkeys(Place, 0)
        """How many tasks are where; the unnamed are counted as ready."""
        self.estimating = False
        """Arrivals are taken from the broker's counts, for not all are told."""
        self.running: dict[str, Task] = {}
        self.tried: dict[str, Task] = {}
        """Those present that were begun `TRIES` times or more."""
        self.served: deque[tuple[str, float]] = deque(maxlen=SERVED)
        """By whom the last ones that finished were run, and for how many seconds."""
        self._tasks: dict[str, Task] = {}
        self._unnamed: deque[int] = deque()
        self._number = 0
        # Those that left, and whether their sending had been told.
        self._left: OrderedDict[str, bool] = OrderedDict()
        self._suspects: dict[str, set[str]] = {}
        self._begun = self._empty_before = self._untold_before = False
        self._entries: list[Entry] = []

    def take(self) -> list[Entry]:
        """The entries since the last call."""
        entries, self._entries = self._entries, []
        return entries

    @property
    def settled(self) -> bool:
        """Whether nothing is left of what was there before we looked."""
        adopted = any(task.adopted for task in self._tasks.values())
        return self._begun and not adopted and not self._unnamed

    # ------------------------------------------------------------------ what workers tell

    def event(self, t: float, event: Mapping[str, Any]) -> None:
        """Take in a task event of Celery's."""
        name, process = str(event["uuid"]), str(event.get("hostname", ""))
        match event["type"]:
            case "task-sent":
                self._sent(t, name)
            case "task-received":
                self._received(t, name, process)
            case "task-started":
                self._started(t, name, process)
            case "task-succeeded":
                self._ended(t, name, process, Kind.FINISH)
            case "task-failed":
                self._ended(t, name, process, Kind.FAIL)
            case "task-retried" | "task-cancelled":
                self._again(t, name)
            case "task-rejected" if event.get("requeue"):
                self._again(t, name)
            case "task-rejected" | "task-revoked":
                if name in self._tasks:
                    self._leave(t, name, Kind.CANCEL)
        if event.get("name") and (task := self._tasks.get(name)) is not None:
            task.kind = str(event["name"])

    def _sent(self, t: float, name: str) -> None:
        task = self._tasks.get(name)
        if task is not None:  # told after it was received, or sent again by itself to be retried
            task.told = True
            return
        if self._left.pop(name, True):
            self._arrive(t, name, told=True)
        else:  # it was done before its publisher came to tell
            self.doubts.untold -= 1
            self._left[name] = True

    def _received(self, t: float, name: str, process: str) -> None:
        if name in self._left:
            return
        task = self._tasks.get(name) or self._untold(t, name)
        if task.place is Place.READY:
            self._move(task, Place.RESERVED, t)
        if task.place is Place.RESERVED:
            task.process = process

    def _started(self, t: float, name: str, process: str) -> None:
        if name in self._left:
            self.doubts.doubled += 1
            return
        task = self._tasks.get(name) or self._untold(t, name)
        if task.place is Place.RUNNING:  # delivered anew, because its worker was thought dead
            if task.process == process:
                return
            self._again(t, name)
        task.process = task.tried_by = process
        task.lane = self.lanes.take(process)
        task.begun += 1
        self.running[name] = task
        if task.begun >= TRIES:
            self.tried[name] = task
        self._move(task, Place.RUNNING, t)
        number = self.lanes.number(task.lane)
        self._entries.append(Entry(t, Kind.START, task.job, worker=number))

    def _ended(self, t: float, name: str, process: str, how: Kind) -> None:
        if name in self._left:
            return
        task = self._tasks.get(name)
        if task is None or task.place is not Place.RUNNING:
            self.doubts.missed += 1
            self._started(t, name, process)
        self._leave(t, name, how)

    def _again(self, t: float, name: str) -> None:
        """The attempt is over, and the task waits in its queue again."""
        task = self._tasks.get(name)
        if task is None:
            return
        if task.place is Place.RUNNING:
            self._entries.append(Entry(t, Kind.RETRY, task.job))
        self.running.pop(name, None)
        self._free(task)
        self._move(task, Place.READY, t)

    # ------------------------------------------------------------------ what else is seen

    def adopt(self, t: float, running: Mapping[str, str], reserved: Mapping[str, str]) -> None:
        """Take in the tasks that workers had before: their process, by their names."""
        for name, process in running.items():
            self._adopt(t, name)
            self._started(t, name, process)
        for name, process in reserved.items():
            self._adopt(t, name)
            self._received(t, name, process)

    def begin(self, t: float, ready: int) -> None:
        """This many tasks wait in queues, named or not; from here on every arrival is told of.

        Where fewer wait than were told of, the oldest of those went before their workers told.
        """
        waiting = [name for name, task in self._tasks.items() if task.place is Place.READY]
        for name in waiting[: max(0, self.counts[Place.READY] - ready)]:
            self._leave(t, name, Kind.CANCEL)
        self._add_unnamed(t, ready - self.counts[Place.READY])
        self._begun = True

    def ready(self, t: float, ready: int) -> None:
        """The broker says how many tasks wait in its queues.

        Where arrivals are not told, those above what is known have arrived. When the queues were
        empty twice, what is thought to wait there does not.
        """
        untold = self.doubts.untold > 0
        self.estimating |= untold and self._untold_before
        self._untold_before = untold
        if self.estimating:
            self._add_unnamed(t, ready - self.counts[Place.READY])
        if not ready and self._empty_before:
            while self._unnamed:
                self._entries.append(Entry(t, Kind.CANCEL, self._unnamed.popleft()))
                self.counts[Place.READY] -= 1
                self.doubts.lost += 1
            if self.counts[Place.READY]:
                self._lose(t, {name for name, task in self._tasks.items() if _is_lost(task, t)})
        self._empty_before = not ready

    def held(self, t: float, process: str, names: Collection[str]) -> None:
        """A worker says which tasks it has; what it lacked twice, it has lost."""
        own = {name for name, task in self._tasks.items() if task.process == process}
        lacking = own.difference(names)
        self._lose(t, lacking & self._suspects.get(process, set()))
        self._suspects[process] = lacking

    def gone(self, t: float, process: str) -> None:
        """A worker is no more: what it had goes back to the queue, if it is delivered again."""
        for name, task in self._tasks.items():
            if task.process == process:
                self.doubts.cut += task.place is Place.RUNNING
                self._again(t, name)

    def keep(self, t: float, kept: Callable[[str], bool]) -> None:
        """Forget the tasks that are not to be followed any more."""
        for name in [name for name in self._tasks if not kept(name)]:
            self._leave(t, name, Kind.CANCEL)
            del self._left[name]
        while self._unnamed:
            self._entries.append(Entry(t, Kind.CANCEL, self._unnamed.pop()))
            self.counts[Place.READY] -= 1

    def workers(self, t: float, workers: int) -> None:
        """The fleet has this many workers now."""
        self._entries.append(Entry(t, Kind.WORKERS, workers=workers))

    # ------------------------------------------------------------------ the books

    def _adopt(self, t: float, name: str) -> None:
        if name not in self._tasks and name not in self._left:
            self._arrive(t, name, told=False).adopted = True

    def _arrive(self, t: float, name: str, *, told: bool) -> Task:
        self._entries.append(Entry(t, Kind.ARRIVE, name))
        self.counts[Place.READY] += 1
        task = self._tasks[name] = Task(name, Place.READY, t, told)
        return task

    def _untold(self, t: float, name: str) -> Task:
        """A task that nobody told of: the oldest of the unnamed, or one that arrives now."""
        if self._unnamed:
            job = self._unnamed.popleft()
            task = self._tasks[name] = Task(job, Place.READY, t, told=False)
            task.adopted = not self.estimating
        else:
            task = self._arrive(t, name, told=False)
            task.adopted = not self._begun
        return task

    def _add_unnamed(self, t: float, count: int) -> None:
        for _ in range(count):
            self._number += 1
            self._unnamed.append(self._number)
            self._entries.append(Entry(t, Kind.ARRIVE, self._number))
        self.counts[Place.READY] += max(0, count)

    def _move(self, task: Task, place: Place, t: float) -> None:
        self.counts[task.place] -= 1
        self.counts[place] += 1
        task.place, task.since = place, t

    def _free(self, task: Task) -> None:
        if task.lane is not None:
            self.lanes.give(task.lane)
        task.lane, task.process = None, ""

    def _leave(self, t: float, name: str, how: Kind) -> None:
        task = self._tasks.pop(name)
        self.tried.pop(name, None)
        if self.running.pop(name, None) is not None and how is Kind.FINISH:
            self.served.append((task.process, t - task.since))
        self._free(task)
        self.counts[task.place] -= 1
        self._entries.append(Entry(t, how, task.job))
        if task.adopted:
            self.doubts.unaged += how is Kind.FINISH
        elif not task.told:
            self.doubts.untold += 1
        self._left[name] = task.told or task.adopted
        if len(self._left) > REMEMBERED:
            self._left.popitem(last=False)

    def _lose(self, t: float, names: Collection[str]) -> None:
        for name in names:
            self.doubts.lost += 1
            self._leave(t, name, Kind.CANCEL)


def _is_lost(task: Task, t: float) -> bool:
    return task.place is Place.READY and t - task.since > PATIENCE
