"""An attempt whose checkpoints a test can read."""

from __future__ import annotations

import copy

from dropline.station import Attempt
from dropline.targets import Upload


class Kept:
    """An attempt that keeps what the item says at each checkpoint, as a journal does.

    It is aborted once `abort_after` bytes were reported.
    """

    def __init__(self, item: Upload, abort_after: int | None = None) -> None:
        self.items: list[Upload] = []
        self.sent = 0
        self._abort_after = abort_after
        self.attempt = Attempt(self._report, lambda: self.items.append(copy.copy(item)))

    def _report(self, size: int) -> None:
        self.sent += size
        if self._abort_after is not None and self.sent >= self._abort_after:
            self.attempt.abort()
