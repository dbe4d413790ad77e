"""How many tasks each worker of a fleet shall run at once, and how it is told."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Protocol

POOL_REMEDY = (
    "start it with CELERY_CUSTOM_WORKER_POOL=dropline.fleet.pool:TaskPool and -P custom, "
    "or with -P prefork"
)


#: Seconds that a worker may take to change: prefork answers when its processes are forked.
CHANGED_WITHIN = 10.0


class Asks(Protocol):
    """A `Remote`."""

    def ask(
        self,
        command: str,
        workers: Collection[str] | None = None,
        *,
        within: float = ...,
        **arguments: Any,
    ) -> dict[str, Any]:
        """See `Remote.ask`."""


def plan(wanted: int, sizes: Mapping[str, int], fixed: Collection[str]) -> dict[str, int]:
    """What each worker's size shall be so that all together are `wanted`, as evenly as can be.

    `sizes` are those of now; workers named in `fixed` keep theirs, and each has one at least. So
    the sum may differ from `wanted` by what cannot be changed; `bounds` says the least. Of workers
    that are equal, the larger ones of now get what is left over, then the first by name: little
    moves.
    """
    free = sorted(set(sizes).difference(fixed), key=lambda name: (-sizes[name], name))
    left = wanted - sum(sizes[name] for name in fixed if name in sizes)
    result = {name: size for name, size in sizes.items() if name in fixed}
    for place, name in enumerate(free):
        result[name] = max(1, left // len(free) + (place < left % len(free)))
    return result


def least(sizes: Mapping[str, int], fixed: Collection[str]) -> int:
    """The fewest workers that a fleet can have without stopping one of its processes."""
    return sum(size if name in fixed else 1 for name, size in sizes.items())


def resize(remote: Asks, name: str, now: int, wanted: int, *, autoscaled: bool) -> str | None:
    """Tell one worker to change from `now` to `wanted`; why it would not, as a sentence, or None.

    Prefork ends idle processes only, and where it can't end all that it is asked for it leaves its
    prefetch as it was: so one at a time, as many as can be now.
    """
    if autoscaled:  # its autoscaler would undo a change of the pool
        return _refusal(
            remote.ask("autoscale", [name], within=CHANGED_WITHIN, max=wanted, min=wanted), name
        )
    if wanted > now:
        return _refusal(
            remote.ask("pool_grow", [name], within=CHANGED_WITHIN, n=wanted - now), name
        )
    for _ in range(now - wanted):
        refusal = _refusal(remote.ask("pool_shrink", [name], within=CHANGED_WITHIN, n=1), name)
        if refusal is not None:
            return refusal
    return None


def can_not(refusal: str | None) -> bool:
    """Whether a worker's refusal is for good: its pool has no such thing as another size."""
    return refusal is not None and ("attribute" in refusal or "NotImplemented" in refusal)


def _refusal(answers: Mapping[str, Any], name: str) -> str | None:
    answer = answers.get(name)
    if answer is None:
        return f"{name} does not answer"
    return None if "ok" in answer else str(answer.get("error", answer))
