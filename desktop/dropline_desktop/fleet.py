"""The window on workers of others: the instruments of a line and the event list, fed by a Celery
fleet.
"""

from __future__ import annotations

import argparse
import sys
import threading
from collections.abc import Callable

from PySide6.QtCore import QTimer, Signal
from PySide6.QtGui import QCloseEvent
from PySide6.QtWidgets import QLabel, QMainWindow

from dropline.events import Message, WorkersChanged
from dropline.extras import MissingExtraError
from dropline.fleet import CeleryFleet, FleetError, FleetNoted, FleetSampler
from dropline.home import Home
from dropline.meter import Entry
from dropline.station import Reading
from dropline_desktop.bus import QtBus
from dropline_desktop.docks import Dock, Side
from dropline_desktop.events import EventLog
from dropline_desktop.instruments import Instruments, column
from dropline_desktop.interpreter import Interpreter
from dropline_desktop.language import Translation, worded
from dropline_desktop.motion import DesktopMotion
from dropline_desktop.settings import Settings
from dropline_desktop.signals import StopSignals
from dropline_desktop.spoken import spoken
from dropline_desktop.theme import Size, Space, Theme

#: Milliseconds after which a number of workers that can't be is replaced by the one there is.
BACK_AFTER = 100


class FleetWindow(QMainWindow):
    """What a fleet shows of itself, and how many workers it shall have."""

    #: Everything is closed.
    finished = Signal()
    _failed = Signal(str)
    _closed = Signal()

    def __init__(
        self,
        theme: Theme,
        make: Callable[[Callable[[list[Entry]], None]], CeleryFleet],
    ) -> None:
        """`make` makes the fleet, given what its log entries go to."""
        super().__init__()
        self.setObjectName("FleetWindow")
        self.resize(1280, 800)
        self.instruments = parts = Instruments(theme, workers=0)
        self.note = QLabel()
        self.note.setWordWrap(True)
        self.note.setFont(theme.font(Size.BODY))
        self.note.setObjectName("fleetNote")
        # What a fleet has none of: bytes, a pause, an order of ours, a tuner's advice.
        parts.tuner.hide_limit()
        for part in (parts.tuner.pause, parts.order, parts.tune):
            part.hide()
        self.log = EventLog(theme, lambda _: "")
        self.setContentsMargins(Space.M, Space.M, Space.M, Space.M)
        self.setCentralWidget(column(self.note, parts))
        self._tuning = Dock(theme, self, "tuning", parts.panel, Side.RIGHT, closable=False)
        self._events = Dock(
            theme, self, "events", self.log, Side.BOTTOM, self.log.tools, closable=False
        )
        self.bus = QtBus("dropline/fleet", self)
        fleet = make(parts.charts.lanes.painter.observe)
        self._url = fleet.remote.url
        self._told: tuple[str, ...] | None = None
        self._workers = 0
        self._ending: threading.Thread | None = None
        self.sampler = FleetSampler(fleet, self.bus.post, self._failed.emit)
        self.interpreter = Interpreter(self)
        self.interpreter.listen(self.bus)
        parts.listen(self.bus)
        self.bus.subscribe(Reading, self._take_readings, batches=True)
        self.bus.subscribe(FleetNoted, self._take_notes)
        self.bus.subscribe("dropline.fleet.", self._list, batches=True)
        self.bus.subscribe(WorkersChanged, self.log.take, batches=True)
        parts.tuner.workersWanted.connect(self._resize)
        parts.charts.windowChanged.connect(self._measure_over)
        parts.charts.exportFailed.connect(self._say)
        self._failed.connect(self._say)
        self._closed.connect(self._finish)
        worded(self, self._word)

    def start(self) -> None:
        """Show the window, and begin to watch."""
        self.show()
        self.sampler.start()

    def closeEvent(self, event: QCloseEvent) -> None:
        event.accept()
        if self._ending is None:

            def end() -> None:  # takes a moment
                self.sampler.close()
                self._closed.emit()

            self._ending = threading.Thread(target=end, name="fleet close")
            self._ending.start()

    def _finish(self) -> None:
        assert self._ending is not None
        self._ending.join()
        self.bus.close()
        self.interpreter.close()
        self.finished.emit()

    def _resize(self, workers: int) -> None:
        try:
            self.sampler.resize(workers)
        except ValueError as error:
            self._say(spoken(str(error)))
            QTimer.singleShot(BACK_AFTER, self, self._show_workers)

    def _show_workers(self) -> None:
        self.instruments.tuner.spin.setValue(self._workers)

    def _measure_over(self, seconds: float) -> None:
        self.sampler.window = seconds

    def _take_readings(self, messages: list[Message]) -> None:
        reading = messages[-1].data
        assert isinstance(reading, Reading)
        self._workers = reading.wanted

    def _list(self, messages: list[Message]) -> None:
        self.log.take([each for each in messages if not isinstance(each.data, FleetNoted)])

    def _take_notes(self, message: Message) -> None:
        assert isinstance(message.data, FleetNoted)
        self._told = message.data.notes
        self._word()

    def _say(self, sentence: str) -> None:
        self.note.setText(sentence)

    def _word(self) -> None:
        self.setWindowTitle(f"Dropline · {self._url}")
        self._tuning.setWindowTitle(self.tr("Workers"))
        self._events.setWindowTitle(self.tr("Events"))
        if self._told is None:
            self.note.setText(self.tr("Asking the workers behind {0} …").format(self._url))
        elif self._told:
            self.note.setText("\n".join(f"≈ {spoken(each)}" for each in self._told))
        else:
            self.note.setText(self.tr("All figures are exact."))


def run_fleet(options: argparse.Namespace) -> int:
    """Open the window on a fleet; return the exit status when it is closed."""
    from dropline_desktop.app import log_to, make_qt, mode_of

    home = Home.default()
    log_to(home)
    qt = make_qt(sys.argv[:1])
    settings = Settings(home.root)
    translation = Translation(qt, settings.language, qt)
    theme = Theme(qt, mode_of(settings.theme), qt, settings.motion)
    desktop_motion = DesktopMotion(qt)
    desktop_motion.wished.connect(theme.motion.wish)
    desktop_motion.listen()

    def make(record: Callable[[list[Entry]], None]) -> CeleryFleet:
        return CeleryFleet(
            options.celery,
            queues=options.queue,
            enable_events=options.enable_events,
            record=record,
        )

    try:
        window = FleetWindow(theme, make)
    except (FleetError, MissingExtraError) as error:
        print(f"dropline attach: {error}", file=sys.stderr)
        return 1
    signals = StopSignals(qt)
    signals.received.connect(window.close)
    window.finished.connect(qt.quit)
    window.start()
    try:
        return qt.exec()
    finally:
        signals.close()
        translation.close()
