"""Notes in an `Upload` of where an attempt left bytes of it at a target.

Half-sent ones are gone on with, wrong ones are thrown away. A note holds for one target and one
state of the file: after a change of either there is nothing to go on with.
"""

from __future__ import annotations

import json

from dropline.targets.target import Upload


def note(item: Upload, target: str, where: str) -> None:
    """Note that what `item` is now lies at `where`, in the words of `target`."""
    item.resume = json.dumps([target, item.size, item.mtime_ns, where])


def noted(item: Upload, target: str) -> str:
    """Where the bytes of `item` lie at `target`; "" when nothing of what it is now does."""
    return _read(item, [target, item.size, item.mtime_ns])


def outdated(item: Upload, target: str) -> str:
    """Where bytes of an older state of `item` lie at `target`, to be thrown away; "" for none."""
    return "" if noted(item, target) else _read(item, [target])


def _read(item: Upload, wanted: list[object]) -> str:
    if not item.resume:  # as nearly always
        return ""
    try:
        *state, where = json.loads(item.resume)
    except (ValueError, TypeError):
        return ""
    return where if isinstance(where, str) and state[: len(wanted)] == wanted else ""
