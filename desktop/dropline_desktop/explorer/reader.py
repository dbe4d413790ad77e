"""Reads logs and sums up spans, off the GUI thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PySide6.QtCore import QObject, QThreadPool, Signal

from dropline.history import Past, replay, summary
from dropline.report import Run
from dropline_desktop.spoken import spoken


class Reader(QObject):
    """One thing after the other; of spans only the latest asked for is summed up."""

    opened = Signal(object)  # the whole `Run` that was asked for
    summed = Signal(object)  # the `Summary` of the latest span, or None when it holds nothing
    noticed = Signal(str)  # a sentence about the log
    failed = Signal(str)  # a sentence: why it can't be read

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._closing = threading.Event()
        self._latest = 0
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)

    def open(self, path: Path) -> None:
        """Read a log; `opened` or `failed` follows."""

        def read() -> None:
            past = replay(path, self._note, self._closing.is_set)
            extent = past.extent()
            if extent is None:
                raise ValueError(self.tr("{} is empty: record a log first.").format(path))
            if past.ignored:
                text = self.tr(
                    "%Ln entries of {} cannot follow from those before; left out.", "", past.ignored
                )
                self.noticed.emit(text.format(path.name))
            self.opened.emit(Run(path.name, past, *extent, wall=False))

        self._run(read)

    def look(self, past: Past) -> None:
        """Look how far the history reaches; `opened` or `failed` follows."""

        def read() -> None:
            extent = past.extent()
            if extent is None:
                raise ValueError(self.tr("There is no history yet: send something first."))
            self.opened.emit(Run(self.tr("history"), past, *extent, wall=True))

        self._run(read)

    def sum_up(self, past: Past, start: float, end: float) -> None:
        """Sum up a span; `summed` follows, unless another is asked for before."""
        self._latest += 1
        number = self._latest

        def read() -> None:
            if number == self._latest:
                self.summed.emit(summary(past.rows(start, end)))

        self._run(read)

    def close(self) -> None:
        """Give up what is being read."""
        self._closing.set()
        self._latest += 1
        self._pool.clear()
        self._pool.waitForDone()

    def _note(self, text: str) -> None:
        self.noticed.emit(spoken(text))

    def _run(self, read: Callable[[], Any]) -> None:
        def run() -> None:
            try:
                read()
            except InterruptedError:
                pass
            except (OSError, ValueError) as error:
                self.failed.emit(spoken(str(error)))

        self._pool.start(run)
