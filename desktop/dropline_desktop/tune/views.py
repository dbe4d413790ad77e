"""What the curve may show: each a figure of a prediction, in plain words first."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from dropline.station import Reading
from dropline.tuning import Expected, Figure, Prediction, Record
from dropline_desktop import format
from dropline_desktop import quantities as q
from dropline_desktop.quantities import Quantity
from dropline_desktop.sentences import counted


@dataclass(frozen=True)
class View:
    """One figure against the number of workers."""

    key: str
    english_name: object  # of the figure, for a choice
    words: Callable[[int], str]  # for so many workers; {0} is the figure, {1} its range
    quantity: Quantity  # defines it
    predicted: Callable[[Prediction], Figure]
    measured: Callable[[Record], Expected] | None  # None: the ledger has none of it
    now: Callable[[Reading], float | None]
    text: Callable[[float | None], str]
    tick: Callable[[float, float], str]

    def name(self) -> str:
        """What the figure is: "time a file takes"."""
        return _translated(self.english_name)

    def sentence(self, prediction: Prediction, workers: int) -> str:
        """What is predicted for so many workers, in words."""
        figure = self.predicted(prediction)
        return self.words(workers).format(self.text(figure.expected), range_text(figure, self.text))


RESPONSE = View(
    "response",
    QT_TRANSLATE_NOOP("Tune", "Time a file takes (τ)"),
    lambda n: counted.tr(
        "With %Ln worker(s): a file takes {0} from drop to done, on average ({1}).", "", n
    ),
    q.MEAN_RESPONSE,
    lambda p: p.response,
    lambda record: record.response,
    lambda reading: reading.figures.mean_response,
    format.duration,
    format.tick_duration,
)
IN_SYSTEM = View(
    "in_system",
    QT_TRANSLATE_NOOP("Tune", "Files in the line (L)"),
    lambda n: counted.tr("With %Ln worker(s): {0} files are in the line, on average ({1}).", "", n),
    q.MEAN_IN_SYSTEM,
    lambda p: p.in_system,
    lambda record: record.in_system,
    lambda reading: reading.figures.mean_in_system,
    format.number,
    format.tick,
)
FINISH = View(
    "finish",
    QT_TRANSLATE_NOOP("Tune", "Time until all is sent"),
    lambda n: counted.tr(
        "With %Ln worker(s): what is in the line now is sent in {0} ({1}).", "", n
    ),
    q.ETA,
    lambda p: p.finish,
    None,
    lambda reading: reading.eta if reading.in_system else None,
    format.duration,
    format.tick_duration,
)
VIEWS = (RESPONSE, IN_SYSTEM, FINISH)


def range_text(figure: Figure, text: Callable[[float | None], str]) -> str:
    """Between what a figure lies: "0.9 s to 1.6 s", "at least 0.9 s", "–"."""
    low, high = figure.low, figure.high
    if low is not None and high is not None:
        if text is format.duration:
            return format.duration_range(low, high)
        first, last = text(low), text(high)
        return first if first == last else f"{first}–{last}"
    if low is not None:
        return _translated(QT_TRANSLATE_NOOP("Tune", "at least {}")).format(text(low))
    return format.UNDEFINED


def _translated(text: object) -> str:
    return QCoreApplication.translate("Tune", str(text))
