"""The axis of the lanes: their numbers, from 1 at the top, as many as fit."""

from __future__ import annotations

from collections.abc import Sequence

import pyqtgraph as pg
from PySide6.QtCore import QRectF

from dropline_desktop import format
from dropline_desktop.charts.axes import OVERHANG_ABOVE

_STEPS = (1, 2, 5, 10, 20, 50, 100)
_ROOM = 15.0  # pixels that a label needs


class LaneAxis(pg.AxisItem):
    """Pixels from the top of the chart, labelled by the lanes that lie there."""

    def __init__(self) -> None:
        super().__init__("left")
        self._middles: Sequence[float] = ()

    def show_lanes(self, middles: Sequence[float]) -> None:
        """Label lanes with these middles, in pixels from the top."""
        if list(middles) != list(self._middles):
            self._middles = middles
            self.picture = None  # pyqtgraph's cache of what it drew
            self.update()

    def boundingRect(self) -> QRectF:
        """Room for the labels at the ends, which pyqtgraph would leave out."""
        return QRectF(super().boundingRect()).adjusted(0, -OVERHANG_ABOVE, 0, OVERHANG_ABOVE)

    def tickValues(self, low: float, high: float, length: float) -> list[tuple[float, list[float]]]:
        """The first lane, and others at round numbers."""
        middles = self._middles
        if len(middles) < 2:
            return [(1.0, list(middles))]
        each = middles[1] - middles[0]
        step = next((step for step in _STEPS if step * each >= _ROOM), _STEPS[-1])
        lanes = [1, *range(step, len(middles) + 1, step)] if step > 1 else range(len(middles) + 1)
        return [(1.0, [middles[lane - 1] for lane in lanes if lane > 0])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """The numbers of the lanes."""
        middles = list(self._middles)
        return [format.count(middles.index(value) + 1) for value in values]
