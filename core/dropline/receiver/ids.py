"""File ids: UUIDs of version 7, each greater than the one before."""

from __future__ import annotations

import secrets
import time
import uuid
from collections.abc import Iterator

_TICKS_PER_MS = 4096
#: Ids whose random bits are asked for in one go. Each time that they are asked for lets go of the
#: interpreter, and waits for it behind other threads.
_AHEAD = 256


class FileIds:
    """A generator of ids that ascend, whatever the clock does (RFC 9562 §5.7, §6.2 method 3).

    Not safe for several threads at once.
    """

    def __init__(self, last: str | None = None) -> None:
        """Go on after the id `last`."""
        self._tick = 0 if last is None else _tick(uuid.UUID(last))
        self._bits = _random_bits()

    def __call__(self) -> str:
        """The next id. Its 62 random bits cannot be guessed."""
        now = time.time_ns() * _TICKS_PER_MS // 1_000_000
        self._tick = max(now, self._tick + 1)
        milliseconds, fraction = divmod(self._tick, _TICKS_PER_MS)
        value = milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | next(self._bits)
        digits = f"{value:032x}"  # a UUID to make a text of would take twice as long
        return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _random_bits() -> Iterator[int]:
    """62 bits each time, for ever."""
    while True:
        data = memoryview(secrets.token_bytes(8 * _AHEAD)).cast("Q")
        yield from (number >> 2 for number in data)


def _tick(file_id: uuid.UUID) -> int:
    return (file_id.int >> 80) * _TICKS_PER_MS + (file_id.int >> 64 & 0xFFF)
