"""What is measured: the symbol, name, definition and value of every figure the window shows.

One table for the tiles, the charts and the export, so that a figure is called and defined the same
everywhere. `article` says what the article that Dropline follows calls it, where that differs from
the field's name or needs a caution.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication

from dropline.station.reading import Reading
from dropline_desktop import format


@dataclass(frozen=True)
class Quantity:
    """One figure. The texts are in English; the methods give them translated.

    (Qt's types call a text that is marked for translation an `object`.)
    """

    key: str  # the heading of its column in an export
    symbol: str
    english_name: object
    english_definition: object
    value: Callable[[Reading], float | None]
    text: Callable[[float | None], str]
    english_article: object = ""
    #: Between what the value lies, where that is told.
    bounds: Callable[[Reading], tuple[float | None, float | None]] | None = None

    def name(self) -> str:
        """The plain name: "arrival rate"."""
        return _translated(self.english_name)

    def definition(self) -> str:
        """What it is, in a sentence or two."""
        return _translated(self.english_definition)

    def range(self, reading: Reading) -> str:
        """Between what the value lies, "10–15 s"; empty where that is not told, not known or 0."""
        low, high = self.bounds(reading) if self.bounds is not None else (None, None)
        return format.duration_range(low, high) if low is not None and high else ""

    def help(self) -> str:
        """The tooltip, as rich text: symbol, name, definition, the article's name."""
        text = f"<b>{escape(self.symbol)} {escape(self.name())}</b><br>{escape(self.definition())}"
        if self.english_article:
            text += f"<br><i>{escape(_translated(self.english_article))}</i>"
        return text


def capacity(reading: Reading) -> float | None:
    """cμ, what all wanted workers together could finish a second; 0 while paused."""
    if reading.paused or reading.wanted == 0:
        return 0.0
    pace = reading.figures.service_rate
    return None if pace is None else reading.wanted * pace


def unstable(reading: Reading) -> bool:
    """Whether files arrive at least as fast as the workers could send them: λ ≥ cμ > 0."""
    arrivals, most = reading.figures.arrival_rate, capacity(reading)
    return arrivals is not None and most is not None and arrivals >= most > 0


def _translated(text: object) -> str:
    return QCoreApplication.translate("Quantity", str(text))


ARRIVAL_RATE = Quantity(
    "arrival_rate",
    "λ",
    QT_TRANSLATE_NOOP("Quantity", "arrival rate"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "Files that joined the line in the window, divided by the window's length. "
        "A retry is not a new arrival.",
    ),
    lambda reading: reading.figures.arrival_rate,
    format.rate,
    QT_TRANSLATE_NOOP("Quantity", "The article: event generation rate, λ = E/T. The same."),
)
THROUGHPUT = Quantity(
    "throughput",
    "X",
    QT_TRANSLATE_NOOP("Quantity", "throughput"),
    QT_TRANSLATE_NOOP("Quantity", "Files finished in the window, divided by the window's length."),
    lambda reading: reading.figures.throughput,
    format.rate,
    QT_TRANSLATE_NOOP(
        "Quantity",
        "The article: event handling rate, μ = D/T. That is X; it equals what the workers "
        "can do only while the line is never empty.",
    ),
)
SERVICE_RATE = Quantity(
    "service_rate",
    "μ",
    QT_TRANSLATE_NOOP("Quantity", "service rate"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "Attempts that ended in the window, divided by the time that workers were busy: "
        "the pace of one worker while it works.",
    ),
    lambda reading: reading.figures.service_rate,
    format.rate,
    QT_TRANSLATE_NOOP("Quantity", "The article: the μ of its formulas, for one worker."),
)
CAPACITY = Quantity(
    "capacity",
    "cμ",
    QT_TRANSLATE_NOOP("Quantity", "capacity"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "What all c workers together could finish at the pace of one, μ. "
        "When λ reaches it, the line is unstable: the queue grows without end.",
    ),
    capacity,
    format.rate,
)
UTILISATION = Quantity(
    "utilisation",
    "ρ",
    QT_TRANSLATE_NOOP("Quantity", "utilisation"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "The time that workers were busy in the window, divided by the time that they were there.",
    ),
    lambda reading: reading.figures.utilisation,
    format.percent,
    QT_TRANSLATE_NOOP(
        "Quantity",
        "The article: X = λ/μ, called throughput there. It is ρ = λ/(cμ): a share, not a rate.",
    ),
)
MEAN_IN_SYSTEM = Quantity(
    "mean_in_system",
    "L",
    QT_TRANSLATE_NOOP("Quantity", "in the line"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "How many files were in the line, waiting or being sent, on average over the window.",
    ),
    lambda reading: reading.figures.mean_in_system,
    format.number,
    QT_TRANSLATE_NOOP(
        "Quantity",
        "The article: queue length, L = λ²/(μ(μ − λ)). That formula gives Lq, the files that "
        "wait, for one worker and random arrivals.",
    ),
)
IN_SYSTEM = Quantity(
    "in_system",
    "L",
    QT_TRANSLATE_NOOP("Quantity", "in the line"),
    QT_TRANSLATE_NOOP("Quantity", "Files in the line at this moment, waiting or being sent."),
    lambda reading: reading.in_system,
    format.count,
)
WAITING = Quantity(
    "waiting",
    "Lq",
    QT_TRANSLATE_NOOP("Quantity", "waiting"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "Files that wait for a worker at this moment, those that wait to be tried again included.",
    ),
    lambda reading: reading.waiting,
    format.count,
    QT_TRANSLATE_NOOP("Quantity", "The article: queue length, L."),
)
MEAN_WAITING = Quantity(
    "mean_waiting",
    "Lq",
    QT_TRANSLATE_NOOP("Quantity", "waiting"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "How many files waited for a worker, those that waited to be tried again included, "
        "on average over the window.",
    ),
    lambda reading: reading.figures.mean_waiting,
    format.number,
    QT_TRANSLATE_NOOP("Quantity", "The article: queue length, L."),
)
MEAN_WORKERS = Quantity(
    "mean_workers",
    "c",
    QT_TRANSLATE_NOOP("Quantity", "workers"),
    QT_TRANSLATE_NOOP("Quantity", "How many workers there were, on average over the window."),
    lambda reading: reading.figures.mean_workers,
    format.number,
)
MEAN_WAIT = Quantity(
    "mean_wait",
    "Wq",
    QT_TRANSLATE_NOOP("Quantity", "mean wait"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "From joining the line to the first start, on average over the files that finished in the "
        "window.",
    ),
    lambda reading: reading.figures.mean_wait,
    format.duration,
)
MEAN_RESPONSE = Quantity(
    "mean_response",
    "τ",
    QT_TRANSLATE_NOOP("Quantity", "mean"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "From joining the line to finished, on average over the files that finished in the window.",
    ),
    lambda reading: reading.figures.mean_response,
    format.duration,
    QT_TRANSLATE_NOOP("Quantity", "The article: response time, τ = L/μ. Little's law is τ = L/λ."),
)
P50 = Quantity(
    "p50",
    "τ",
    QT_TRANSLATE_NOOP("Quantity", "p50"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "Half of the files that finished in the window took at most this long, "
        "from joining the line to finished.",
    ),
    lambda reading: reading.p50,
    format.duration,
)
P95 = Quantity(
    "p95",
    "τ",
    QT_TRANSLATE_NOOP("Quantity", "p95"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "Of 100 files that finished in the window, 95 took at most this long, "
        "from joining the line to finished.",
    ),
    lambda reading: reading.p95,
    format.duration,
    QT_TRANSLATE_NOOP(
        "Quantity", "The article: response time, τ = L/μ, a mean. Little's law is τ = L/λ."
    ),
)
P99 = Quantity(
    "p99",
    "τ",
    QT_TRANSLATE_NOOP("Quantity", "p99"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "Of 100 files that finished in the window, 99 took at most this long, "
        "from joining the line to finished.",
    ),
    lambda reading: reading.p99,
    format.duration,
)
OLDEST = Quantity(
    "oldest",
    "",
    QT_TRANSLATE_NOOP("Quantity", "oldest now"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "How long the oldest file in the line has been there. "
        "When there is too much to do it rises first: the other times know finished files only.",
    ),
    lambda reading: reading.oldest,
    format.duration,
)
WANTED = Quantity(
    "wanted",
    "c",
    QT_TRANSLATE_NOOP("Quantity", "wanted"),
    QT_TRANSLATE_NOOP("Quantity", "The number of workers that you asked for."),
    lambda reading: reading.wanted,
    format.count,
)
RUNNING = Quantity(
    "running",
    "",
    QT_TRANSLATE_NOOP("Quantity", "running"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "Workers alive. After you ask for fewer, those too many end when their file is sent.",
    ),
    lambda reading: reading.running,
    format.count,
)
BUSY = Quantity(
    "busy",
    "",
    QT_TRANSLATE_NOOP("Quantity", "busy"),
    QT_TRANSLATE_NOOP("Quantity", "Workers that are sending a file at this moment."),
    lambda reading: reading.busy,
    format.count,
)
ETA = Quantity(
    "eta",
    "",
    QT_TRANSLATE_NOOP("Quantity", "time left"),
    QT_TRANSLATE_NOOP(
        "Quantity",
        "How long it takes to send what is in the line now: the work left, a for each file and b "
        "for each byte, shared by the workers. a and b are fitted to the files just sent; the "
        "range holds the truth about 9 times in 10, as long as the line goes on as it does. "
        "Without a range: at the pace of the window, as too few files were sent yet.",
    ),
    lambda reading: reading.eta,
    format.duration,
    QT_TRANSLATE_NOOP("Quantity", "The article: the useful meaning of its L/μ."),
    lambda reading: (reading.eta_low, reading.eta_high),
)
BYTES_RATE = Quantity(
    "bytes_rate",
    "",
    QT_TRANSLATE_NOOP("Quantity", "bytes a second"),
    QT_TRANSLATE_NOOP(
        "Quantity", "Bytes handed to the network in the window, divided by the window's length."
    ),
    lambda reading: reading.bytes_rate,
    format.size_rate,
)
