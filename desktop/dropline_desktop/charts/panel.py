"""The live charts: strips on one time axis, drawn by a clock and never by what arrives.

Words used here. The *timeline* holds what there is to show. The *origin* is the time at x = 0.
While the charts *follow*, the origin is now and the view is the last *span* of seconds; a pan or a
zoom ends that, and the origin stays. *Frozen* charts hold still, while the timeline goes on.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, cast

import numpy as np
from PySide6.QtCore import Qt, QTimer, Signal
from PySide6.QtGui import QHideEvent, QKeyEvent, QResizeEvent, QShowEvent
from PySide6.QtWidgets import QVBoxLayout, QWidget

from dropline.report import Run
from dropline.station.reading import Reading
from dropline_desktop import format
from dropline_desktop.charts.contents import COLUMNS, LANES
from dropline_desktop.charts.expected import Expectation, Expected
from dropline_desktop.charts.export import (
    Writer,
    ask_for_file,
    write_drawing,
    write_picture,
    write_report,
    write_table,
)
from dropline_desktop.charts.goal import Goal
from dropline_desktop.charts.history import Floats
from dropline_desktop.charts.keys import moved
from dropline_desktop.charts.lanes.strip import LaneStrip
from dropline_desktop.charts.marks import Mark, MarkKind
from dropline_desktop.charts.stack import Stack
from dropline_desktop.charts.timeline import Timeline
from dropline_desktop.charts.toolbar import Toolbar
from dropline_desktop.language import worded
from dropline_desktop.parts import Card, ToolButton
from dropline_desktop.quantities import P95
from dropline_desktop.scrolled import Scrolled
from dropline_desktop.theme import Size, Theme

if TYPE_CHECKING:
    from dropline.history import Past

LEAST_HEIGHT = 200  # pixels of the charts; what is higher scrolls
_PERIOD_MS = 80
_SLOWEST = 1.0  # seconds between drawings, however slowly the curves move
#: Drawings wait until the window's thread has worked no more than this share of the time since the
#: last: on a slow machine the rest is for who sends.
_SHARE = 0.4
_VALUES_EVERY = 0.25  # seconds; figures that change faster can't be read
_FIRST_GOAL = 1.0  # seconds, when nothing is known yet


class Charts(Card):
    """Give it readings and marks; it draws them. All methods are for the GUI thread."""

    windowChanged = Signal(float)  # seconds that figures are to be taken over
    goalChanged = Signal(object)  # seconds, or None: no goal
    exported = Signal(str)  # the path of the file written
    exportFailed = Signal(str)  # a sentence
    drawing = Signal()  # a chart is to be drawn now
    pastFailed = Signal(str)  # a sentence

    def __init__(
        self,
        theme: Theme,
        parent: QWidget | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` gives the time now on the readings' scale."""
        super().__init__(parent)
        self._theme = theme
        self._now = clock
        self._timeline = Timeline(clock, self)
        self._following = True
        self._frozen = False
        self._span = 60.0
        self._origin = clock()
        self._drawn = self._told = -math.inf
        self._worked = 0.0  # what the window's thread had worked by then, in seconds
        self._pointed: float | None = None
        self._due = True
        self._clock = QTimer(self)
        self._clock.setInterval(_PERIOD_MS)
        self._clock.timeout.connect(self._tick)
        self._once = QTimer(self)  # draws while the clock stands still
        self._once.setSingleShot(True)
        self._once.timeout.connect(lambda: self.draw())
        self._writer = Writer(self)
        self._toolbar = Toolbar()
        self._stack = Stack(theme, clock)
        #: Is told log entries: `lanes.painter.observe`.
        self.lanes = cast(LaneStrip, self._stack.named(LANES.name))
        self._decades_button, self._goal_button = self._new_response_tools()
        self._expected = Expected(theme, self._stack.strips, self)
        self._goal = Goal(theme, self._stack.named("chartResponse"))
        self._lay_out()
        self._connect()
        self.set_window(10.0)
        self.follow()
        worded(self, self._word)

    # --- what the window tells the charts -------------------------------------------------------

    def add_reading(self, reading: Reading) -> None:
        """Keep a reading. Takes microseconds; it is drawn when the clock ticks."""
        self._timeline.add_reading(reading)
        self.lanes.painter.digest()

    def add_mark(self, t: float, kind: MarkKind, text: str) -> None:
        """Mark time `t` on all charts; `text` is a word or two ("c 2→8")."""
        self._timeline.add_mark(Mark(t, kind, text))
        self._soon()

    def expect(self, number: int, expectation: Expectation) -> None:
        """Draw what was predicted at a change of the workers, the `number`th of all."""
        self._expected.expect(number, expectation)
        self._soon()

    def set_past(self, past: Past) -> None:
        """Show what was before the first reading, too."""
        self._timeline.set_past(past)
        self._toolbar.report.setEnabled(True)

    @property
    def past(self) -> Past | None:
        """What was before the first reading, once there is where to read it."""
        return self._timeline.past

    def set_window(self, seconds: float) -> None:
        """Show that figures are now taken over this long."""
        box = self._toolbar.window_box
        index = box.findData(seconds)
        if index < 0:
            box.addItem(format.duration(seconds), seconds)
            index = box.count() - 1
        box.setCurrentIndex(index)

    def set_goal(self, seconds: float | None) -> None:
        """Draw the goal for response times, or none."""
        self._goal.seconds = seconds
        self._goal_button.setChecked(seconds is not None)
        self._soon()

    # --- how they are looked at -----------------------------------------------------------------

    @property
    def following(self) -> bool:
        """Whether the view moves with time."""
        return self._following and not self._frozen

    @property
    def frozen(self) -> bool:
        """Whether the charts hold still."""
        return self._frozen

    @property
    def ticking(self) -> bool:
        """Whether the clock runs that draws: not while hidden or frozen."""
        return self._clock.isActive()

    def follow(self, span: float | None = None) -> None:
        """Show the last `span` seconds (as many as before with None) and move with time."""
        self._span = span or self._span
        self._following = True
        self._frozen = False
        self._stack.view = (-self._span, 0.0)
        self._state_changed()

    def set_frozen(self, frozen: bool) -> None:
        """Hold still, or go on."""
        self._frozen = frozen
        self._state_changed()

    def look_at(self, start: float, end: float) -> None:
        """Show the time from `start` to `end` and follow no longer."""
        self._stop_following()
        self._stack.view = (start - self._origin, end - self._origin)

    @property
    def view(self) -> tuple[float, float]:
        """The times at the left and right end of the charts."""
        start, end = self._stack.view
        return self._origin + start, self._origin + end

    def draw(self, *, at_once: bool = True) -> None:
        """Draw what there is now: all charts `at_once`, or one after the other."""
        now, worked = self._now(), time.thread_time()
        if self.following:
            self._origin = now
        start, end = self.view
        times, values = self._points(start, end)
        marks = [(mark.t - self._origin, mark) for mark in self._timeline.marks(start, end)]
        self._stack.draw(times - self._origin, values, marks, at_once=at_once)
        self._expected.show(start, end, self._origin, now)
        self.lanes.look_at(start, end, self._origin)
        self._drawn, self._worked = now, worked
        self._due = False
        if now - self._told >= _VALUES_EVERY or not self.ticking:
            self._told = now
            self._tell()

    # --- files ----------------------------------------------------------------------------------

    def export_picture(self, path: Path) -> None:
        """Save the charts as they look, with times of day; `exported` or `exportFailed` follows."""
        self._stack.label_times(self._wall(self._origin))
        image = self._stack.grab().toImage()
        self._label_times()
        self._writer.write(path, lambda part: write_picture(part, image))

    def export_table(self, path: Path) -> None:
        """Save the readings in view as CSV; `exported` or `exportFailed` follows."""
        times, values = self._timeline.table(*self.view)
        names = [quantity.key for quantity in COLUMNS]
        wall = self._wall(0.0)
        self._writer.write(path, lambda part: write_table(part, names, wall, times, values))

    def export_drawing(self, path: Path) -> None:
        """Save the charts as SVG; `exported` or `exportFailed` follows."""
        start, end = self.view
        zero = self._wall(0.0).timestamp()
        times, values = self._points(start, end)
        marks = [(mark.t + zero, mark.text) for mark in self._timeline.marks(start, end)]
        span = start + zero, end + zero
        self._writer.write(
            path, lambda part: write_drawing(part, times + zero, values, marks, span)
        )

    def export_report(self, path: Path) -> None:
        """Save a report of the time in view, from the past; `exported` or `exportFailed` follows.

        Without a past there is nothing to report of.
        """
        past = self.past
        if past is not None:
            start, end = (self._wall(t).timestamp() for t in self.view)
            run = Run(self.tr("history"), past, start, end, wall=True)
            self._writer.write(path, lambda part: write_report(part, [run]))

    def wait_for_files(self) -> None:
        """Return when all that was asked for is written or read."""
        self._writer.wait()
        self._timeline.wait()
        self.lanes.painter.wait()

    # --- Qt -------------------------------------------------------------------------------------

    def showEvent(self, event: QShowEvent) -> None:
        """Draw from now on."""
        super().showEvent(event)
        self._start_or_stop()
        self._soon()

    def resizeEvent(self, event: QResizeEvent) -> None:
        """Rather than have the charts scroll, the lanes give way."""
        super().resizeEvent(event)
        self._fit()

    def _fit(self) -> None:
        self._stack.fit(self.contentsRect().height() - self._toolbar.sizeHint().height() - 2)

    def hideEvent(self, event: QHideEvent) -> None:
        """Draw no more."""
        super().hideEvent(event)
        self._start_or_stop()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Arrows pan, + and - zoom, F or Home follows, Space freezes."""
        key = event.key()
        if (view := moved(self.view, key)) is not None:
            self.look_at(*view)
        elif key in (Qt.Key.Key_F, Qt.Key.Key_Home):
            self.follow()
        elif key == Qt.Key.Key_Space:
            self.set_frozen(not self._frozen)
        else:
            super().keyPressEvent(event)

    # --- inside ---------------------------------------------------------------------------------

    def _new_response_tools(self) -> tuple[ToolButton, ToolButton]:
        decades, goal = _small_button(self._theme), _small_button(self._theme)
        strip = self._stack.named("chartResponse")
        strip.add_tool(decades)
        strip.add_tool(goal)
        decades.toggled.connect(lambda on: setattr(strip, "decades", on))
        goal.clicked.connect(self._goal_clicked)
        return decades, goal

    def _lay_out(self) -> None:
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(0)
        column.addWidget(self._toolbar)
        column.addWidget(Scrolled(self._stack, LEAST_HEIGHT), 1)

    def _connect(self) -> None:
        bar = self._toolbar
        bar.windowChosen.connect(self.windowChanged)
        bar.spanChosen.connect(self.follow)
        bar.followAsked.connect(self.follow)
        bar.freezeAsked.connect(self.set_frozen)
        bar.pictureAsked.connect(lambda: ask_for_file(self, "png", self.export_picture))
        bar.drawingAsked.connect(lambda: ask_for_file(self, "svg", self.export_drawing))
        bar.tableAsked.connect(lambda: ask_for_file(self, "csv", self.export_table))
        bar.reportAsked.connect(lambda: ask_for_file(self, "html", self.export_report))
        self._stack.pointed.connect(self._point)
        self._stack.moved.connect(self._stop_following)
        self._stack.drawing.connect(self.drawing)
        self._stack.changed.connect(self._soon)
        self._goal.changed.connect(self.goalChanged.emit)
        self._writer.written.connect(self.exported)
        self._writer.failed.connect(self.exportFailed)
        self._timeline.changed.connect(self._soon)
        self._timeline.failed.connect(self.pastFailed)

    def _word(self) -> None:
        self.setAccessibleName(self.tr("Live charts"))
        for button, text, tip in (
            (
                self._decades_button,
                self.tr("log"),
                self.tr("Logarithmic scale: short and long times side by side."),
            ),
            (
                self._goal_button,
                self.tr("goal"),
                self.tr("A line for the response time you want. Drag it."),
            ),
        ):
            button.setText(text)
            button.setToolTip(tip)
        self._label_times()
        self._goal.say()
        self._tell()
        self._fit()

    def _points(self, start: float, end: float) -> tuple[Floats, Floats]:
        window = self._toolbar.window_box.currentData()
        return self._timeline.points(start, end, self._stack.runs, window)

    def _tick(self) -> None:
        start, end = self._stack.view
        pixel = (end - start) / self._stack.pixels  # in seconds: sooner, nothing would move
        step = _SLOWEST if self._theme.motion.reduced else min(pixel, _SLOWEST)
        since = self._now() - self._drawn
        if not self._stack.is_drawing and (self._due or since >= step) and self._may_draw(since):
            self.draw(at_once=False)

    def _may_draw(self, since: float) -> bool:
        """Whether the window's thread has worked little enough since the last drawing began."""
        return since >= _SLOWEST or time.thread_time() - self._worked <= _SHARE * since

    def _soon(self) -> None:
        """Draw at the next tick; or where the clock stands still, after this event."""
        self._due = True
        if self.isVisible() and not self.ticking:
            self._once.start()

    def _start_or_stop(self) -> None:
        if self.isVisible() and not self._frozen:
            self._clock.start()
        else:
            self._clock.stop()
            self._stack.rest()
        if not self.isVisible():
            self._once.stop()

    def _state_changed(self) -> None:
        self._toolbar.show_state(span=self._span, following=self._following, frozen=self._frozen)
        self._start_or_stop()
        self._label_times()
        self._told = -math.inf
        self._soon()

    def _stop_following(self) -> None:
        if self._following:
            self._following = False
            self._state_changed()

    def _label_times(self) -> None:
        self._stack.label_times(None if self.following else self._wall(self._origin))

    def _point(self, x: float | None) -> None:
        self._pointed = x
        self._tell()

    def _tell(self) -> None:
        """Fill the legends: with the values under the mouse, else with those of now."""
        at = self._now() if not self._frozen else self._origin
        if self._pointed is not None:
            at = self._origin + self._pointed
        values = self._timeline.at(at)
        if values is None:
            values = np.full(len(COLUMNS), np.nan)
        self._stack.show_values(self._moment_text(at), values)

    def _moment_text(self, at: float) -> str:
        if self._pointed is not None:
            ago = format.duration(max(0.0, round(self._now() - at)))
            return self.tr("{time}, {ago} ago").format(time=format.clock(self._wall(at)), ago=ago)
        if self._frozen:
            return self.tr("frozen at {}").format(format.clock(self._wall(at)))
        return self.tr("live")

    def _wall(self, t: float) -> datetime:
        """The local time of day at `t`."""
        return datetime.now().astimezone() - timedelta(seconds=self._now() - t)

    def _goal_clicked(self, on: bool) -> None:
        seconds = None
        if on:
            latest = self._timeline.at(self._now())
            p95 = np.nan if latest is None else latest[COLUMNS.index(P95)]
            seconds = _FIRST_GOAL if np.isnan(p95) else float(p95)
        self.set_goal(seconds)
        self.goalChanged.emit(seconds)


def _small_button(theme: Theme) -> ToolButton:
    button = ToolButton(small=True, outlined=True)
    button.setFont(theme.font(Size.CAPTION))
    button.setCheckable(True)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
