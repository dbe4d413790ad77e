"""Files of what the charts show: a picture, or a table of the readings."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import QObject, QThreadPool, Signal
from PySide6.QtGui import QImage

from dropline_desktop.charts.history import Floats


class Writer(QObject):
    """Writes files off the GUI thread, one after the other."""

    written = Signal(str)  # the path
    failed = Signal(str)  # a sentence

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)

    def write(self, path: Path, write: Callable[[Path], None]) -> None:
        """Have `write` fill a file beside `path`, which takes its place only when it is whole."""

        def run() -> None:
            partial = path.with_name(path.name + ".part")
            try:
                write(partial)
                os.replace(partial, path)
            except OSError as error:
                partial.unlink(missing_ok=True)
                reason = error.strerror or str(error)
                self.failed.emit(
                    self.tr("{} was not written: {}. Choose another folder.").format(path, reason)
                )
            else:
                self.written.emit(str(path))

        self._pool.start(run)

    def wait(self) -> None:
        """Return when everything is written."""
        self._pool.waitForDone()


def write_picture(path: Path, image: QImage) -> None:
    """Write a PNG."""
    with path.open("wb"):  # for the system's own reason, which Qt does not tell
        pass
    if not image.save(str(path), "PNG"):  # type: ignore[call-overload]
        raise OSError(f"the picture does not fit at {path}")


def write_table(
    path: Path, names: Sequence[str], wall: datetime, times: Floats, values: Floats
) -> None:
    """Write a CSV: a row a reading, with its time in UTC and in seconds after the first.

    `wall` is the time of day at time 0. What is undefined is an empty cell.
    """
    start = wall.timestamp()
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["time", "seconds", *names])
        for t, row in zip(times.tolist(), values.T.tolist(), strict=True):
            at = datetime.fromtimestamp(start + t, UTC).isoformat(timespec="milliseconds")
            cells = ("" if math.isnan(value) else f"{value:.9g}" for value in row)
            rows.writerow([at.replace("+00:00", "Z"), f"{t - times[0]:.3f}", *cells])
