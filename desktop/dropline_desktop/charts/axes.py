"""The axes: times and values at round numbers, with their units."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

import pyqtgraph as pg
from PySide6.QtCore import QCoreApplication, QRectF
from PySide6.QtGui import QFontMetricsF

from dropline_desktop import format

_DAY = 86_400
#: Distances between time ticks in seconds.
_TIME_STEPS = (
    *(1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21600, 43200),
    *(days * _DAY for days in (1, 2, 7, 14)),
)
#: Distances between value ticks within a decade.
_STEPS = (1.0, 2.0, 5.0, 10.0)
#: Ticks of a value axis, and the heights from which on there are so many, in lines of text.
_TICKS = ((4, 6.5), (3, 4.3), (2, 2.6), (1, 0.0))
#: How far labels may stand out over the ends of an axis, in pixels: the plot leaves this room.
OVERHANG_LEFT, OVERHANG_RIGHT, OVERHANG_ABOVE = 30, 18, 7


class TimeAxis(pg.AxisItem):
    """Seconds from an origin: as "−30 s … now", as clock time, or as time elapsed."""

    def __init__(self, label_width: float) -> None:
        """`label_width`: pixels that a label like "14:03:45" needs."""
        super().__init__("bottom")
        self._label_width = label_width
        self._clock_at_origin: datetime | None = None
        self._elapsed = False

    def show_clock(self, at_origin: datetime | None) -> None:
        """Label with the time of day, given that at x = 0; with None, by how long ago."""
        self._clock_at_origin, self._elapsed = at_origin, False
        self._relabel()

    def show_elapsed(self) -> None:
        """Label with the time since x = 0."""
        self._clock_at_origin, self._elapsed = None, True
        self._relabel()

    def _relabel(self) -> None:
        self.picture = None  # pyqtgraph's cache of what it drew
        self.update()

    def boundingRect(self) -> QRectF:
        """Room for the labels at the ends, which pyqtgraph would leave out."""
        return QRectF(super().boundingRect()).adjusted(-OVERHANG_LEFT, 0, OVERHANG_RIGHT, 0)

    def tickValues(
        self, start: float, end: float, length: float
    ) -> list[tuple[float, list[float]]]:
        """Round times, as many as fit."""
        fewest = (end - start) * self._label_width / max(length, 1.0)
        step = next((step for step in _TIME_STEPS if step >= fewest), _TIME_STEPS[-1])
        offset = 0.0
        if self._clock_at_origin is not None:
            midnight = self._clock_at_origin.replace(hour=0, minute=0, second=0, microsecond=0)
            offset = -(self._clock_at_origin - midnight).total_seconds() % step
        first = math.ceil((start - offset) / step)
        last = math.floor((end - offset) / step)
        return [(step, [i * step + offset for i in range(first, last + 1)])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """The times as text."""
        if self._elapsed:
            return [format.duration(value) for value in values]
        if self._clock_at_origin is None:
            return [self._ago(value) for value in values]
        times = [self._clock_at_origin + timedelta(seconds=value) for value in values]
        return [self._clock(at, spacing) for at in times]

    @staticmethod
    def _clock(at: datetime, spacing: float) -> str:
        if spacing < 60:
            return format.clock(at)
        midnight = at.hour == at.minute == 0
        return format.day(at) if spacing >= _DAY or midnight else format.clock(at)[:5]

    def _ago(self, x: float) -> str:
        if abs(x) < 1e-6:
            return QCoreApplication.translate("Charts", "now")
        return ("−" if x < 0 else "+") + format.duration(abs(x))


class ValueAxis(pg.AxisItem):
    """From nought to a round top over what is shown; or decades."""

    def __init__(
        self,
        text: Callable[[float, float], str],
        *,
        whole: bool = False,
        time: bool = False,
        top: float | None = None,
    ) -> None:
        """`text` writes a value, given the top too. `whole`: ticks at whole numbers only.
        `time`: seconds, round in the unit in which they are read. `top`: always ends there.
        """
        super().__init__("left")
        self._text = text
        self._whole = whole
        self._time = time
        self._fixed = top
        self._top = 0.0
        self._step = 1.0
        self.decades = False

    def fit(self, greatest: float) -> float:
        """Choose top and ticks for values up to `greatest`; returns the top.

        The top rises at once and falls only when it is far too high: a scale that moves all the
        time can't be read.
        """
        if self._fixed is not None:
            self._top = self._fixed
            self._step = self._round_step(self._fixed)
        else:
            rises = greatest * 1.04 > self._top
            falls = greatest > 0 and self._round_top(greatest * 1.25)[0] < self._top
            if rises or falls or not self._top:
                self._top, self._step = self._round_top(greatest * 1.04 or 1.0)
        return self._top

    def boundingRect(self) -> QRectF:
        """Room for the labels at the ends, which pyqtgraph would leave out."""
        return QRectF(super().boundingRect()).adjusted(0, -OVERHANG_ABOVE, 0, OVERHANG_ABOVE)

    def tickValues(self, low: float, high: float, length: float) -> list[tuple[float, list[float]]]:
        """Nought, the top and what is round between; in decades, powers of ten."""
        if self.decades:
            every = math.ceil((high - low) / self._most_ticks(length))
            return [(1.0, [float(i) for i in range(math.ceil(low), math.floor(high) + 1, every)])]
        return [(self._step, [self._step * i for i in range(round(self._top / self._step) + 1)])]

    def tickStrings(self, values: Sequence[float], scale: float, spacing: float) -> list[str]:
        """The values as text."""
        if self.decades:
            return [self._text(10.0**value, 10.0**value) for value in values]
        return [self._text(value, self._top) for value in values]

    def _round_top(self, least: float) -> tuple[float, float]:
        """The first tick at or over `least`, and the distance of the ticks."""
        least = max(least, 1.0 if self._whole else 1e-9)
        step = self._round_step(least)
        return math.ceil(least / step - 1e-9) * step, step

    def _round_step(self, top: float) -> float:
        """A round distance of ticks such that they fit the axis."""
        unit = format.time_unit(top) if self._time else 1.0
        fewest = top / unit / self._most_ticks(self.size().height())
        if self._whole:
            fewest = max(fewest, 1.0)
        decade = 10.0 ** math.floor(math.log10(fewest) + 1e-9)
        return next(s * decade for s in _STEPS if s * decade >= fewest * (1 - 1e-9)) * unit

    def _most_ticks(self, length: float) -> int:
        """As many as there is room for the labels of, besides the one at nought."""
        metrics = QFontMetricsF(self.style["tickFont"] or self.font())
        line = max(metrics.height(), metrics.boundingRect(self._text(1.0, 1.0)).height())
        return next(ticks for ticks, lines in _TICKS if length >= lines * line)
