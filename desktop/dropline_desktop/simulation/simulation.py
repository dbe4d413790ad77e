"""The simulated line, from its start to its end; one runs at a time."""

from __future__ import annotations

import random
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, Signal

from dropline.events import Message, StationDrained
from dropline.load import Batch, Load, LoadLine, SimulatedTarget
from dropline.tuning import By
from dropline_desktop.bus import QtBus
from dropline_desktop.right_of_way import RightOfWay
from dropline_desktop.simulation.dialog import SimulationDialog
from dropline_desktop.simulation.page import SimulationPage
from dropline_desktop.simulation.plan import Plan
from dropline_desktop.theme import Theme

if TYPE_CHECKING:
    from dropline_desktop.window import MainWindow


@dataclass(frozen=True)
class _Run:
    """What runs: a line, the bus that it alone posts to, and the page that shows it."""

    plan: Plan
    line: LoadLine
    bus: QtBus
    page: SimulationPage


class Simulation(QObject):
    """Asks for a plan, and shows its line in the window in place of the send line until stopped.

    The simulated line has a bus and instruments of its own: nothing of it reaches the transfers,
    the event log, the history or the notifications, and the send line goes on meanwhile.
    """

    _ended = Signal(object)

    def __init__(
        self, window: MainWindow, theme: Theme, right_of_way: RightOfWay, parent: QObject
    ) -> None:
        super().__init__(parent)
        self._window = window
        self._theme = theme
        self._right_of_way = right_of_way
        self._run: _Run | None = None
        self._closing: list[threading.Thread] = []
        self.dialog = SimulationDialog(theme, window)
        self.dialog.startAsked.connect(self.start)
        self.dialog.stopAsked.connect(self.stop)
        self._ended.connect(self._dispose)

    @property
    def line(self) -> LoadLine | None:
        """The line that is simulated now."""
        return self._run.line if self._run is not None else None

    @property
    def page(self) -> SimulationPage | None:
        """What the window shows of it."""
        return self._run.page if self._run is not None else None

    def ask(self) -> None:
        """Show the dialog."""
        self.dialog.ask()

    def start(self, plan: Plan) -> None:
        """Simulate this from now on; what was simulated so far ends."""
        self.stop()
        bus = QtBus("dropline/simulation", self)
        page = SimulationPage(self._theme, plan)
        seed = random.getrandbits(32)  # another one each time
        line = LoadLine(
            Load(plan.arrivals, seed=seed),
            SimulatedTarget(plan.service, seed=seed),
            bus,
            workers=plan.workers,
            give_way=self._right_of_way.give_way,
        )
        self._run = _Run(plan, line, bus, page)
        self._connect(self._run)
        self._window.show_simulation(page)
        self.dialog.show_running(True)
        line.start()
        line.tuner.start()

    def stop(self) -> None:
        """End what is simulated, and show the send line again."""
        run, self._run = self._run, None
        if run is None:
            return
        self._window.hide_simulation(run.page)
        self.dialog.show_running(False)

        def close() -> None:  # takes a moment
            run.line.close()
            self._ended.emit(run)

        self._closing = [thread for thread in self._closing if thread.is_alive()]
        self._closing.append(threading.Thread(target=close, name="simulation close"))
        self._closing[-1].start()

    def close(self) -> None:
        """Stop, and ask for no more."""
        self.stop()
        self.dialog.close()

    def wait(self) -> None:
        """Return when all that was stopped has ended; not for the GUI thread."""
        for thread in self._closing:
            thread.join()

    def _connect(self, run: _Run) -> None:
        page, line, window = run.page, run.line, self._window
        parts = page.instruments
        page.listen(run.bus)
        page.stopAsked.connect(self.stop)
        run.bus.delivering.connect(self._right_of_way.take)
        run.bus.subscribe(StationDrained, lambda message: self._tell_end(run, message))
        parts.charts.drawing.connect(self._right_of_way.take)
        parts.tuner.workersWanted.connect(line.resize)
        parts.tune.workersChosen.connect(lambda workers: line.resize(workers, by=By.CURVE))
        parts.tune.exportFailed.connect(window.show_notice)
        parts.tune.exported.connect(window.tell_saved)
        parts.steer(lambda command: command(line))
        parts.tuner.pauseWanted.connect(lambda paused: line.pause() if paused else line.resume())
        parts.order.orderWanted.connect(line.set_order)
        parts.charts.windowChanged.connect(line.measure_over)
        parts.charts.exportFailed.connect(window.show_notice)
        parts.charts.exported.connect(window.tell_saved)

    def _tell_end(self, run: _Run, message: Message) -> None:
        if isinstance(run.plan.arrivals, Batch) and run.line.began is not None:
            ago = (datetime.now(UTC) - message.time).total_seconds()
            run.page.banner.show_end(time.monotonic() - ago - run.line.began)

    def _dispose(self, run: _Run) -> None:
        run.bus.close()
        run.bus.deleteLater()
        run.page.deleteLater()
