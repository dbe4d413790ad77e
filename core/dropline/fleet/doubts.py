"""Why which figures of a fleet are approximate, from what was guessed and what was found."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from dropline.fleet.order import HOLD
from dropline.fleet.quality import ARRIVALS, CAPACITY, ENDS, KEYS, LEVELS, SERVICE, TIMES, Doubt
from dropline.fleet.tasks import Doubts
from dropline.meter import Totals

#: The share of events that may come too late before it is told.
LATE = 0.01


@dataclass(frozen=True, slots=True)
class Mark:
    """The books at one moment."""

    t: float
    totals: Totals
    doubts: Doubts
    cuts: int
    resized: int
    factor: int = 1
    """One task in so many was followed."""
    shares: int = 0
    """How often that was changed."""
    pushed: int = 0
    late: int = 0
    """Events that came, and those of them that came too late to be put in order."""


def doubts_between(
    first: Mark, last: Mark, *, silent: Collection[str], nobody: bool, off: Mapping[str, float]
) -> list[Doubt]:
    """The doubts about the figures from one mark to another, each with its remedy.

    `silent`: workers that tell nothing. `nobody`: no worker answers. `off`: hosts whose clocks are
    behind, by seconds.
    """

    def more(name: str) -> int:
        return int(getattr(last.doubts, name) - getattr(first.doubts, name))

    doubts = []

    def tasks(count: int) -> str:
        return "1 task" if count == 1 else f"{count} tasks"

    def doubt(keys: tuple[str, ...], why: str) -> None:
        doubts.append(Doubt(keys, why))

    if (factor := max(first.factor, last.factor)) > 1 or last.shares > first.shares:
        doubt(
            KEYS,
            f"more is told than one monitor takes in: one task in {factor} was followed, and "
            "counts are scaled up from those; times are of those alone",
        )
    if last.late - first.late > LATE * (last.pushed - first.pushed):
        doubt(
            KEYS,
            f"events come more than {HOLD:g} s late, and some were not counted in their time: the "
            "broker, its network or a host is overloaded",
        )
    if silent:
        who = ", ".join(silent)
        doubt(
            KEYS,
            f"no task events come from {who}: start with -E, set worker_send_task_events, "
            "or attach with --enable-events",
        )
    if nobody:
        doubt(CAPACITY, "no worker answers: start one, or check the broker's URL")
    if count := more("untold"):
        doubt(
            (*ARRIVALS, *LEVELS, *TIMES),
            f"nobody told when {tasks(count)} came: set task_send_sent_event = True where "
            "tasks are sent from; until then arrivals are taken from the queue's length",
        )
    if count := more("unaged"):
        doubt(TIMES, f"{tasks(count)} had come before the watch began")
    if count := more("missed"):
        doubt(KEYS, f"nobody told of the beginning of {tasks(count)}")
    if count := more("doubled"):
        doubt((*SERVICE, *CAPACITY), f"what had been done was run again: {tasks(count)}")
    if count := more("lost"):
        doubt((*LEVELS, "cancelled"), f"{tasks(count)} vanished: purged, expired or lost")
    if count := more("cut"):
        doubt((*LEVELS, *ENDS, *SERVICE), f"a worker vanished with {tasks(count)}")
    if off:
        hosts = ", ".join(f"{host} {behind:+.3f} s" for host, behind in off.items())
        doubt((*LEVELS, *TIMES), f"clocks are behind ours: {hosts}; set them by NTP")
    if last.cuts > first.cuts:
        doubt(KEYS, "the connection to the broker was lost for a while, and events with it")
    if last.resized > first.resized:
        doubt(CAPACITY, "the fleet changed its size; when is known to 2 s")
    return doubts
