"""What one line shows of itself, and where it is steered: tiles, charts and the tune panel.

The window has these for the send line. A simulated line has instruments of its own, so that no
figure of one is ever taken for the other's. Tiles and charts are one part; the tune panel is
another, for the window to put where the user likes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from PySide6.QtCore import Signal
from PySide6.QtWidgets import QVBoxLayout, QWidget

from dropline.bus import EventBus
from dropline.events import Message, OrderChanged
from dropline.station import Order, Reading
from dropline.tuning import Goal, GoalKind, LedgerWritten
from dropline_desktop.charts import Charts, mark_of
from dropline_desktop.charts.expected import Expectation
from dropline_desktop.figures import Figures
from dropline_desktop.order import OrderChoice
from dropline_desktop.parts import Card
from dropline_desktop.scrolled import Scrolled
from dropline_desktop.theme import Space, Theme
from dropline_desktop.tiles import Tiles
from dropline_desktop.tune.panel import TunePanel
from dropline_desktop.tuner import Tuner

if TYPE_CHECKING:
    from dropline.operation import Operation

#: Seconds between two readings that are shown as text: faster can't be read.
READING_EVERY = 0.25
_NO_GOAL = Goal()


class Instruments(QWidget):
    """Tiles and charts, and `panel` beside them. Fed from a bus by `listen`; its parts say what the
    user asks for.
    """

    #: A `Goal`, chosen in the tune panel or dragged in the chart of response times.
    goalWanted = Signal(object)

    def __init__(
        self,
        theme: Theme,
        *,
        workers: int,
        order: Order = Order.FIFO,
        limit: float | None = None,
        goal: Goal = _NO_GOAL,
    ) -> None:
        super().__init__()
        self._shown_at = 0.0
        self.tiles = Tiles(theme)
        self.charts = Charts(theme)
        self.tuner = Tuner(theme, workers, limit)
        self.tune = TunePanel(theme)
        self.order = OrderChoice(theme, order)
        self.figures = Figures(theme)
        self.panel = self._tune_panel()
        lay_out(self, self.tiles, self.charts)
        self.tune.goal.show_goal(goal)
        self._show_goal(goal)
        self.tune.adviceApplied.connect(self.tuner.spin.setValue)
        self.tune.goal.goalWanted.connect(self._want_goal)
        self.charts.goalChanged.connect(self._goal_dragged)

    def listen(self, bus: EventBus) -> None:
        """Show what a bus tells of one line."""
        for topic in ("dropline.station.", "dropline.target.", "dropline.network."):
            bus.subscribe(topic, self._take_marks, batches=True)
        bus.subscribe("dropline.tuning.", self.tune.take, batches=True)
        bus.subscribe(LedgerWritten, self._take_predictions, batches=True)
        bus.subscribe(Reading, self._take_readings, batches=True)

    def steer(self, do: Callable[[Callable[[Operation], object]], object]) -> None:
        """Have what the user asks of a tuner done by that of a line, and the lanes show its jobs.

        `do` hands a command to the line.
        """
        tune, observe = self.tune, self.charts.lanes.painter.observe
        self.goalWanted.connect(lambda goal: do(lambda line: line.tuner.set_goal(goal)))
        tune.autopilot.wanted.connect(
            lambda on, least, most: do(lambda line: line.tuner.set_autopilot(on, least, most))
        )
        tune.probe.wanted.connect(
            lambda on: do(lambda line: line.tuner.start_probe() if on else line.tuner.stop_probe())
        )
        do(lambda line: line.station.watch(observe))

    def _take_readings(self, messages: list[Message]) -> None:
        for message in messages:
            self.charts.add_reading(message.data)  # type: ignore[arg-type]
        reading = messages[-1].data
        assert isinstance(reading, Reading)
        self.tuner.show_reading(reading)
        self.order.show_reading(reading)
        self.tune.show_reading(reading)
        if reading.t - self._shown_at >= READING_EVERY:
            self._shown_at = reading.t
            self.tiles.show_reading(reading)
            self.figures.show_reading(reading)

    def _take_marks(self, messages: list[Message]) -> None:
        for message in messages:
            ago = (datetime.now(UTC) - message.time).total_seconds()
            at = time.monotonic() - ago
            if isinstance(message.data, OrderChanged):
                self.order.show_change(Order(message.data.order), at)
            if (look := mark_of(message.data)) is not None:
                self.charts.add_mark(at, *look)

    def _take_predictions(self, messages: list[Message]) -> None:
        """Draw what was predicted beside what comes."""
        for message in messages:
            assert isinstance(message.data, LedgerWritten)
            record = message.data.record
            ago = (datetime.now(UTC) - datetime.fromisoformat(record.time)).total_seconds()
            figures = {
                "chartRates": record.throughput.predicted,
                "chartQueue": record.in_system.predicted,
                "chartResponse": record.response.predicted,
            }
            self.charts.expect(record.number, Expectation(time.monotonic() - ago, figures))

    def _want_goal(self, goal: Goal) -> None:
        self._show_goal(goal)
        self.goalWanted.emit(goal)

    def _goal_dragged(self, seconds: float | None) -> None:
        goal = Goal() if seconds is None else Goal(GoalKind.RESPONSE, seconds)
        self.tune.goal.show_goal(goal)
        self.goalWanted.emit(goal)

    def _show_goal(self, goal: Goal) -> None:
        """The chart of response times shows a goal for these."""
        self.charts.set_goal(goal.limit if goal.kind == GoalKind.RESPONSE else None)

    def _tune_panel(self) -> QWidget:
        card = Card()
        card.setObjectName("tunePanel")
        layout = QVBoxLayout(card)
        layout.setContentsMargins(Space.M, Space.M, Space.M, Space.M)
        layout.setSpacing(Space.L)
        layout.addWidget(self.tuner)
        layout.addWidget(self.tune)
        layout.addWidget(self.order)
        layout.addWidget(self.figures, 1)
        return Scrolled(card)


def column(*parts: QWidget) -> QWidget:
    """Parts one below the other; the last gets the room that is left."""
    widget = QWidget()
    lay_out(widget, *parts)
    return widget


def lay_out(widget: QWidget, *parts: QWidget) -> None:
    """Lay out parts in a widget, one below the other; the last gets the room that is left."""
    layout = QVBoxLayout(widget)
    layout.setContentsMargins(0, 0, 0, 0)
    layout.setSpacing(Space.M)
    for part in parts:
        layout.addWidget(part, 0 if part is not parts[-1] else 1)
