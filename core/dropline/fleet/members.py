"""The worker processes of a fleet, by what they say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

#: Pools of Celery's whose size is set when they start. The first runs its task in the process
#: itself, which answers nothing meanwhile.
SOLO = "celery.concurrency.solo:"
SET_POOLS = ("celery.concurrency.thread:", SOLO)


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


def note(member: Member, stats: dict[str, Any]) -> None:
    """Take in what a worker answers to `stats`."""
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


def capacity(stats: Mapping[str, Any]) -> int:
    """How many tasks a worker can run at once, by what it answers to `stats`.

    Its processes are counted where it names them: what prefork says of itself is stale after a
    change.
    """
    pool = stats.get("pool") or {}
    processes = pool.get("processes")
    return len(processes) if isinstance(processes, list) else int(pool.get("max-concurrency") or 0)
