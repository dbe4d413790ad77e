"""What goes wrong in a fleet, told once, and told again when it is over."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from statistics import fmean
from typing import NamedTuple

from dropline.events import FleetRecovered, FleetTroubled
from dropline.fleet.tasks import Place, Task, Tasks

#: A task runs too long after so many seconds, and so many times the longest of the last ones.
LONG_AFTER, LONG_TIMES = 10.0, 5
#: A worker is slow when its tasks take so many times as long as others'; until half of that.
SLOW_TIMES = 4
#: Tasks that must have been done before anything is said of how long they take.
ENOUGH = 20
#: Of these, by a worker itself.
ENOUGH_OWN = 5
#: Seconds that prefetched tasks wait beside idle workers before that is told.
HOARDED_AFTER = 5.0

#: Times that a worker is started anew within so many seconds before that is told.
RESTARTS, RESTARTED_WITHIN = 3, 300.0

BROKER = "broker"


class Trouble(NamedTuple):
    """What is wrong, with the remedy, and what is said when it is over."""

    reason: str
    after: str


class Troubles:
    """The troubles of a fleet; not thread-safe. `take` returns what is new, oldest first."""

    def __init__(self) -> None:
        self._open: dict[tuple[str, str], str] = {}
        self._news: list[FleetTroubled | FleetRecovered] = []
        self._idle_since: float | None = None
        self._pids: dict[str, dict[int, float]] = {}

    def take(self) -> list[FleetTroubled | FleetRecovered]:
        """What was told since the last call."""
        news, self._news = self._news, []
        return news

    def begin(self, kind: str, about: str, reason: str, *, after: str = "") -> None:
        """There is a trouble, unless it is known; `after` is the sentence for when it is over."""
        if (kind, about) not in self._open:
            self._open[kind, about] = after
            self._news.append(FleetTroubled(about, reason))

    def end(self, kind: str, about: str) -> None:
        """A trouble is over, if there was one."""
        if (kind, about) in self._open:
            self._news.append(FleetRecovered(about, self._open.pop((kind, about))))

    def seen(self, t: float, worker: str, pid: int) -> None:
        """A worker answered at the time `t` as the process `pid`."""
        pids = self._pids.setdefault(worker, {})
        pids.setdefault(pid, t)
        for known, at in list(pids.items()):
            if known != pid and t - at > RESTARTED_WITHIN:
                del pids[known]
        if len(pids) <= RESTARTS:
            self.end("restarts", worker)
            return
        self.begin(
            "restarts",
            worker,
            f"{worker} was started anew {len(pids) - 1} times within {RESTARTED_WITHIN / 60:.0f} "
            "minutes: see its log; a task that kills it comes again and again, unless its queue "
            "has an x-delivery-limit and a dead-letter exchange",
            after=f"{worker} stays up",
        )

    def look(self, t: float, tasks: Tasks, workers: int) -> None:
        """Look through the books at the time `t`; the fleet has so many workers."""
        self._are("long", dict(_long(t, tasks)), keep=set(tasks.running))
        self._are("poison", {name: _poison(name, task) for name, task in tasks.tried.items()})
        self._are("slow", dict(_slow(tasks, SLOW_TIMES)), keep=dict(_slow(tasks, SLOW_TIMES / 2)))
        self._look_for_hoarding(t, tasks, workers)

    def _are(self, kind: str, found: dict[str, Trouble], keep: Collection[str] = ()) -> None:
        """The troubles of a kind are these, and of those that are known also `keep`."""
        for about, trouble in found.items():
            self.begin(kind, about, trouble.reason, after=trouble.after)
        for known, about in list(self._open):
            if known == kind and about not in found and about not in keep:
                self.end(kind, about)

    def _look_for_hoarding(self, t: float, tasks: Tasks, workers: int) -> None:
        held, idle = tasks.counts[Place.RESERVED], workers - tasks.counts[Place.RUNNING]
        if held < 1 or idle < 1 or tasks.counts[Place.READY]:
            self._idle_since = None
            self.end("hoarding", "prefetch")
            return
        self._idle_since = t if self._idle_since is None else self._idle_since
        if t - self._idle_since >= HOARDED_AFTER:
            self.begin(
                "hoarding",
                "prefetch",
                f"Busy workers have prefetched {held} tasks and {idle} others are idle: set "
                "worker_prefetch_multiplier = 1, and task_acks_late = True",
                after="No prefetched task waits beside idle workers any more",
            )


def label(name: str, task: Task) -> str:
    """What a task is called in sentences."""
    return f"Task {task.kind} {name}" if task.kind else f"Task {name}"


def _long(t: float, tasks: Tasks) -> Iterator[tuple[str, Trouble]]:
    if len(tasks.served) < ENOUGH:
        return
    longest = max(seconds for _, seconds in tasks.served)
    for name, task in tasks.running.items():
        seconds = t - task.since
        if seconds > max(LONG_AFTER, LONG_TIMES * longest):
            reason = (
                f"{label(name, task)} has run for {seconds:.0f} s at {task.process}, where the "
                f"last {len(tasks.served)} took {longest:.2g} s at most: see what it waits for, or "
                "set task_time_limit"
            )
            yield name, Trouble(reason, f"{label(name, task)} does not run any more")


def _poison(name: str, task: Task) -> Trouble:
    reason = (
        f"{label(name, task)} was begun {task.begun} times and never done, the last time at "
        f"{task.tried_by}: it fails, or kills its worker; see the worker's log, and revoke it, or "
        "give its queue an x-delivery-limit and a dead-letter exchange"
    )
    return Trouble(reason, f"{label(name, task)}, begun again and again, is done or given up")


def _slow(tasks: Tasks, times: float) -> Iterator[tuple[str, Trouble]]:
    if len(tasks.served) < ENOUGH:
        return
    for process in {process for process, _ in tasks.served}:
        own = [seconds for each, seconds in tasks.served if each == process]
        rest = [seconds for each, seconds in tasks.served if each != process]
        if min(len(own), len(rest)) >= ENOUGH_OWN and fmean(own) > times * fmean(rest):
            reason = (
                f"{process} takes {fmean(own):.2g} s for a task, the others {fmean(rest):.2g} s: "
                "see what else its host does, or give it fewer tasks at once"
            )
            yield process, Trouble(reason, f"{process} keeps up with the others again")
