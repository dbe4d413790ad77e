"""Hashing beside other threads."""

from __future__ import annotations

from typing import Protocol

#: For more bytes than these, hashlib lets go of the interpreter, and gets it back behind others.
_HELD = 2047
#: Up to so many bytes, that wait takes longer than the hash.
_SHORT = 16 * 1024


class Hash(Protocol):
    """One of hashlib's."""

    def update(self, data: bytes | memoryview, /) -> None: ...


def add(data: bytes, to: Hash) -> None:
    """Hash more bytes; other threads run meanwhile where they are many."""
    if len(data) > _SHORT:
        to.update(data)
        return
    view = memoryview(data)
    for at in range(0, len(data), _HELD):
        to.update(view[at : at + _HELD])
