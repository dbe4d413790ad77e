"""Which curves are drawn in which chart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from dropline_desktop import format
from dropline_desktop import quantities as q
from dropline_desktop.charts.axes import ValueAxis
from dropline_desktop.charts.lanes.axis import LaneAxis
from dropline_desktop.quantities import Quantity
from dropline_desktop.theme import Line


@dataclass(frozen=True)
class Chart:
    """One chart: its name for automation, texts in English, curves, axis, and share of height."""

    name: str
    english_title: object
    english_unit: object
    english_promise: object  # what will be seen here, shown while there is nothing to see
    curves: tuple[tuple[Quantity, Line], ...]
    axis: Callable[[], ValueAxis | LaneAxis]
    height: int
    steps: bool = False  # values hold until the next one
    marked: bool = False  # whether marks have their words here

    def title(self) -> str:
        """What the chart shows."""
        return _translated(self.english_title)

    def unit(self) -> str:
        """The unit of the values, "" where the scale and the legend say it all."""
        return _translated(self.english_unit)

    def promise(self) -> str:
        """What will be seen here."""
        return _translated(self.english_promise)


def _translated(text: object) -> str:
    return QCoreApplication.translate("Charts", str(text)) if text else ""


LANES = Chart(
    "chartLanes",
    QT_TRANSLATE_NOOP("Charts", "Who sends what"),
    "",
    QT_TRANSLATE_NOOP("Charts", "A lane for each worker: what it sends, and when."),
    (),
    LaneAxis,
    height=30,
)

CHARTS = (
    Chart(
        "chartRates",
        QT_TRANSLATE_NOOP("Charts", "Rates"),
        QT_TRANSLATE_NOOP("Charts", "files a second"),
        QT_TRANSLATE_NOOP("Charts", "Drop files: arrivals and completions a second appear here."),
        (
            (q.THROUGHPUT, Line.THROUGHPUT),
            (q.ARRIVAL_RATE, Line.ARRIVAL),
            (q.CAPACITY, Line.CAPACITY),
        ),
        lambda: ValueAxis(format.tick_rate),
        height=30,
        marked=True,
    ),
    Chart(
        "chartQueue",
        QT_TRANSLATE_NOOP("Charts", "Queue"),
        QT_TRANSLATE_NOOP("Charts", "files"),
        QT_TRANSLATE_NOOP("Charts", "How many files are in the line, and how many of them wait."),
        ((q.WAITING, Line.WAITING), (q.IN_SYSTEM, Line.IN_SYSTEM)),
        lambda: ValueAxis(format.tick, whole=True),
        height=22,
    ),
    Chart(
        "chartResponse",
        QT_TRANSLATE_NOOP("Charts", "Response time"),
        "",
        QT_TRANSLATE_NOOP("Charts", "How long a file takes from drop to done."),
        (
            (q.MEAN_RESPONSE, Line.MEAN),
            (q.P50, Line.P50),
            (q.P95, Line.P95),
            (q.P99, Line.P99),
            (q.OLDEST, Line.OLDEST),
        ),
        lambda: ValueAxis(format.tick_duration, time=True),
        height=34,
    ),
    Chart(
        "chartUtilisation",
        QT_TRANSLATE_NOOP("Charts", "Utilisation"),
        "",
        QT_TRANSLATE_NOOP("Charts", "How busy the workers are."),
        ((q.UTILISATION, Line.UTILISATION),),
        lambda: ValueAxis(format.tick_percent, top=1.0),
        height=15,
    ),
    LANES,
    Chart(
        "chartWorkers",
        QT_TRANSLATE_NOOP("Charts", "Workers"),
        "",
        QT_TRANSLATE_NOOP("Charts", "How many workers there are, and how many are busy."),
        ((q.BUSY, Line.BUSY), (q.RUNNING, Line.RUNNING), (q.WANTED, Line.WANTED)),
        lambda: ValueAxis(format.tick, whole=True),
        height=20,
        steps=True,
    ),
)

#: The columns that the charts keep and export, in order.
COLUMNS: tuple[Quantity, ...] = tuple(quantity for chart in CHARTS for quantity, _ in chart.curves)
