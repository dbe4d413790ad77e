"""What the window shows of a simulated line: a banner that nobody overlooks, and instruments."""

from __future__ import annotations

from PySide6.QtCore import Signal
from PySide6.QtGui import QPalette
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from dropline.bus import EventBus
from dropline.events import Message
from dropline.station import Reading
from dropline_desktop import format
from dropline_desktop.icons import icon
from dropline_desktop.instruments import Instruments
from dropline_desktop.language import worded
from dropline_desktop.parts import Card
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.text import unbroken
from dropline_desktop.theme import Size, Space, Theme


class Banner(Card):
    """Says that nothing here is real, and what theory expects of it."""

    def __init__(self, theme: Theme, plan: Plan) -> None:
        super().__init__()
        self._theme = theme
        self._plan = plan
        self._took: float | None = None
        self._title = QLabel()
        self.words = QLabel()
        self.stop = QPushButton(icon("stop", theme), "")
        self.setObjectName("simulationBanner")
        for label in (self._title, self.words):
            label.setWordWrap(True)
            label.setForegroundRole(QPalette.ColorRole.HighlightedText)
        self._title.setFont(theme.font(Size.FIGURE))
        self.words.setFont(theme.font(Size.BODY))
        text = QVBoxLayout()
        text.setSpacing(Space.XS)
        text.addWidget(self._title)
        text.addWidget(self.words)
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.L, Space.M, Space.L, Space.M)
        row.addLayout(text, 1)
        row.addWidget(self.stop)
        theme.changed.connect(self._dress)
        self._dress()
        self._workers = plan.workers
        worded(self, self._word)

    def show_workers(self, workers: int) -> None:
        """Say what theory expects with so many."""
        if workers != self._workers:
            self._workers, self._took = workers, None
            self._tell()

    def show_end(self, seconds: float) -> None:
        """A batch is done after so long; beside it stays what was expected at last."""
        self._took = seconds
        self._tell()

    def _word(self) -> None:
        self._title.setText(self.tr("Simulated load – no files are sent"))
        self.setAccessibleName(self._title.text())
        self.stop.setText(self.tr("Stop the simulation"))
        self._tell()

    def _tell(self) -> None:
        text = self._plan.expectation(self._workers)
        if self._took is not None:
            text = self.tr("It took {0}. {1}").format(format.duration(self._took), text)
        self.words.setText(unbroken(f"{self._plan.describe()} {text}"))

    def _dress(self) -> None:
        palette, colour = QPalette(), self._theme.colour("waiting")
        for role in (QPalette.ColorRole.Base, QPalette.ColorRole.Mid):
            palette.setColor(role, colour)
        self.setPalette(palette)


class SimulationPage(QWidget):
    """The banner above instruments of its own."""

    stopAsked = Signal()

    def __init__(self, theme: Theme, plan: Plan) -> None:
        super().__init__()
        self.banner = Banner(theme, plan)
        self.instruments = Instruments(theme, workers=plan.workers)
        self.instruments.tuner.hide_limit()  # of bytes, of which there are none
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(Space.M)
        layout.addWidget(self.banner)
        layout.addWidget(self.instruments, 1)
        self.banner.stop.clicked.connect(self.stopAsked)

    def listen(self, bus: EventBus) -> None:
        """Show what the bus of the simulated line tells."""
        self.instruments.listen(bus)
        bus.subscribe(Reading, self._take_readings, batches=True)

    def _take_readings(self, messages: list[Message]) -> None:
        reading = messages[-1].data
        assert isinstance(reading, Reading)
        self.banner.show_workers(0 if reading.paused else reading.wanted)
