"""Takes in log entries and draws pictures of the lanes, off the GUI thread."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
from PySide6.QtCore import QObject, QThreadPool, Signal
from PySide6.QtGui import QImage

from dropline.meter import Entry
from dropline_desktop.charts.lanes.bars import Bars, Rows
from dropline_desktop.charts.lanes.raster import Ground, Pixels, draw, lane_edges


@dataclass(frozen=True)
class Frame:
    """A picture of [start, end], and the bars in it."""

    start: float
    end: float
    ground: Ground
    lanes: int
    rows: Rows
    pixels: Pixels  # kept, for the image shares its memory
    image: QImage

    def bar_at(self, t: float, y: float, slack: float) -> np.void | None:
        """The bar at time `t`, `slack` seconds more or less, `y` pixels from the top, if any."""
        lane = self._lane_at(y)
        rows = self.rows[self.rows["lane"] == lane]
        if lane is None or not len(rows):
            return None
        away = np.maximum(np.maximum(rows["start"] - t, t - rows["end"]), 0.0)
        nearest = int(np.argmin(away))
        if away[nearest] <= slack:
            return rows[nearest]
        waited = rows[(rows["waited_from"] <= t) & (t <= rows["start"])]
        return waited[0] if len(waited) else None

    def _lane_at(self, y: float) -> int | None:
        edges = lane_edges(self.lanes, self.ground.height, self.ground.ratio)
        lane = int(np.searchsorted(edges, y * self.ground.ratio, side="right")) - 1
        return lane if 0 <= lane < self.lanes else None


class Painter(QObject):
    """Any thread may tell it log entries; all else is for the GUI thread."""

    drawn = Signal(object)  # a Frame
    _done = Signal(object)

    def __init__(self, parent: QObject, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives the time now on the entries' scale."""
        super().__init__(parent)
        self._now = clock
        self._bars = Bars()  # the pool's one thread alone touches it
        self._untaken: deque[Sequence[Entry]] = deque()
        self._asked: tuple[float, float, Ground] | None = None
        self._busy = False
        self._pool = QThreadPool(self)
        self._pool.setMaxThreadCount(1)
        self._done.connect(self._finish)

    def observe(self, entries: Sequence[Entry]) -> None:
        """Take log entries of a station, in order of time. As quick as can be, in any thread."""
        self._untaken.append(entries)

    def ask(self, start: float, end: float, ground: Ground) -> None:
        """Have [start, end] drawn on this ground; `drawn` follows. Only the latest wish counts."""
        self._asked = start, end, ground
        self.digest()

    def digest(self) -> None:
        """Have what was observed taken in, so that it does not pile up."""
        if not self._busy and (self._asked is not None or self._untaken):
            self._busy = True
            asked, self._asked = self._asked, None
            self._pool.start(lambda: self._work(asked))

    def wait(self) -> None:
        """Return when what was begun is done; needed before the painter is deleted by itself."""
        self._pool.waitForDone()

    def _work(self, asked: tuple[float, float, Ground] | None) -> None:
        frame = None
        try:
            while self._untaken:
                self._bars.take(self._untaken.popleft())
            if asked is not None:
                frame = self._frame(*asked)
        finally:
            with suppress(RuntimeError):  # the chart is gone
                self._done.emit(frame)

    def _frame(self, start: float, end: float, ground: Ground) -> Frame:
        rows = self._bars.between(start, end, self._now())
        lanes = max(self._bars.workers, int(rows["lane"].max(initial=-1)) + 1)
        pixels = np.ascontiguousarray(draw(rows, lanes, start, end, ground))
        image = QImage(
            pixels.data, ground.width, ground.height, 4 * ground.width, QImage.Format.Format_RGB32
        )
        image.setDevicePixelRatio(ground.ratio)
        return Frame(start, end, ground, lanes, rows, pixels, image)

    def _finish(self, frame: Frame | None) -> None:
        self._busy = False
        if frame is not None:
            self.drawn.emit(frame)
        if self._asked is not None:
            self.digest()
