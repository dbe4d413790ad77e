"""The live charts: drawn by a clock, followed, frozen, panned, pointed at and saved."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QObject, QPointF, Qt
from PySide6.QtGui import QColor, QImage
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from dropline.station import Reading
from dropline.tuning import Figure
from dropline_desktop.charts import Charts, MarkKind
from dropline_desktop.charts.axes import TimeAxis, ValueAxis
from dropline_desktop.charts.contents import CHARTS, COLUMNS
from dropline_desktop.charts.expected import Expectation
from dropline_desktop.charts.marks import MarksItem
from dropline_desktop.charts.overlay import Overlay
from dropline_desktop.charts.plot import Plot
from dropline_desktop.motion import MotionMode
from dropline_desktop.theme import DARK, LIGHT, Mode, Theme

from .readings import IDLE, busy


class Clock:
    """Time that the test moves."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def charts(theme: Theme, clock: Clock, qtbot: QtBot) -> Charts:
    widget = Charts(theme, clock=clock)
    qtbot.addWidget(widget, before_close_func=lambda charts: charts.wait_for_files())
    widget.resize(560, 480)
    return widget


@pytest.fixture
def shown(charts: Charts, qtbot: QtBot) -> Charts:
    with qtbot.waitExposed(charts):
        charts.show()
    return charts


def feed(charts: Charts, clock: Clock, seconds: float, make: Callable[[float], Reading]) -> None:
    """Readings ten times a second, up to now."""
    start = clock.now
    for i in range(round(seconds * 10)):
        clock.now = start + (i + 1) / 10
        charts.add_reading(make(clock.now))


def values(charts: Charts) -> dict[str, str]:
    """The legends: figure → value."""
    return {
        readout.quantity.key: readout.accessibleDescription()
        for readout in charts.findChildren(QWidget)
        if hasattr(readout, "quantity")
    }


def test_the_charts_are_found_by_their_names(charts: Charts) -> None:
    for chart in CHARTS:
        plot = charts.findChild(QWidget, chart.name)
        assert plot is not None
        assert plot.accessibleName()
        assert plot.accessibleDescription()


def test_nothing_is_drawn_when_a_reading_arrives(shown: Charts, clock: Clock, qtbot: QtBot) -> None:
    feed(shown, clock, 5.0, busy)
    assert values(shown)["arrival_rate"] == ""
    qtbot.waitUntil(lambda: values(shown)["arrival_rate"] == "8.0/s")


def test_the_clock_stands_still_while_hidden(shown: Charts) -> None:
    assert shown.ticking
    shown.hide()
    assert not shown.ticking


def test_with_reduced_motion_they_step_once_a_second(shown: Charts, clock: Clock) -> None:
    for mode, moves in ((MotionMode.FULL, True), (MotionMode.REDUCED, False)):
        shown._theme.motion.mode = mode
        shown.draw()
        drawn = shown._drawn
        clock.now += 0.5  # 60 s are shown: more than a pixel
        shown._tick()
        assert (shown._drawn > drawn) is moves
    clock.now += 0.5
    shown._tick()
    assert shown._drawn > drawn
    shown._theme.motion.mode = MotionMode.SYSTEM


def test_beside_much_other_work_they_are_drawn_seldom(
    shown: Charts, clock: Clock, monkeypatch: pytest.MonkeyPatch, qtbot: QtBot
) -> None:
    worked = 0.0
    monkeypatch.setattr("time.thread_time", lambda: worked)
    shown.draw()
    drawn = shown._drawn
    for passed, work, draws in ((0.5, 0.3, False), (0.3, 0.0, True), (0.5, 5.0, False)):
        clock.now += passed
        worked += work
        shown._tick()
        assert (shown._drawn > drawn) is draws
        drawn = shown._drawn
        qtbot.waitUntil(lambda: not shown._stack.is_drawing)
    clock.now += 0.5  # a second since the last
    shown._tick()
    assert shown._drawn > drawn


def test_the_legends_show_the_latest_values_with_units(charts: Charts, clock: Clock) -> None:
    feed(charts, clock, 1.0, busy)
    charts.draw()
    shown = values(charts)
    assert shown["capacity"] == "8.0/s"
    assert shown["utilisation"] == "75 %"
    assert shown["p95"] == "900 ms"
    assert shown["waiting"] == "5"
    assert set(shown) == {quantity.key for quantity in COLUMNS}


def test_what_is_undefined_is_a_dash(charts: Charts, clock: Clock) -> None:
    feed(charts, clock, 1.0, busy)
    charts.draw()
    feed(charts, clock, 1.0, lambda t: replace(IDLE, t=t))
    charts.draw()
    assert values(charts)["mean_response"] == "–"
    assert values(charts)["arrival_rate"] == "0/s"


def test_when_readings_stop_no_old_value_is_shown_as_new(charts: Charts, clock: Clock) -> None:
    feed(charts, clock, 1.0, busy)
    charts.draw()
    clock.now += 5.0
    charts.draw()
    assert values(charts)["arrival_rate"] == "–"


def test_an_empty_chart_says_what_it_will_show(shown: Charts, clock: Clock) -> None:
    def promised() -> set[str]:
        return {
            chart.name
            for chart in CHARTS
            if any(
                label.isVisible() and label.text() == chart.promise()
                for label in shown.findChild(QWidget, chart.name).findChildren(QWidget)
                if hasattr(label, "text")
            )
        }

    feed(shown, clock, 1.0, lambda t: replace(IDLE, t=t))
    shown.draw()
    assert promised() == {chart.name for chart in CHARTS} - {"chartWorkers"}
    feed(shown, clock, 1.0, busy)
    shown.draw()
    assert promised() == {"chartLanes"}  # of which readings tell nothing


def test_it_follows_until_the_view_is_moved_and_again_when_asked(
    charts: Charts, clock: Clock
) -> None:
    assert charts.following
    clock.now += 30.0
    charts.draw()
    assert charts.view == pytest.approx((clock.now - 60.0, clock.now))
    charts.look_at(900.0, 950.0)
    clock.now += 30.0
    charts.draw()
    assert not charts.following
    assert charts.view == pytest.approx((900.0, 950.0))
    charts.follow(300.0)
    charts.draw()
    assert charts.view == pytest.approx((clock.now - 300.0, clock.now))


def test_the_mouse_wheel_zooms_time_and_ends_following(shown: Charts, qtbot: QtBot) -> None:
    before = shown.view
    plot = shown.findChild(QWidget, "chartQueue")
    view = plot.getViewBox()
    view.scaleBy(x=0.5)
    view.sigRangeChangedManually.emit(view.state["mouseEnabled"])
    assert not shown.following
    assert shown.view[1] - shown.view[0] == pytest.approx((before[1] - before[0]) / 2)


@pytest.mark.parametrize(
    ("key", "start", "end"),
    [
        (Qt.Key.Key_Left, -67.5, -7.5),
        (Qt.Key.Key_Right, -52.5, 7.5),
        (Qt.Key.Key_Plus, -52.5, -7.5),
        (Qt.Key.Key_Minus, -67.5, 7.5),
    ],
)
def test_the_keyboard_pans_and_zooms(
    shown: Charts, clock: Clock, qtbot: QtBot, key: Qt.Key, start: float, end: float
) -> None:
    qtbot.keyClick(shown, key)
    assert shown.view == pytest.approx((clock.now + start, clock.now + end))
    assert not shown.following
    qtbot.keyClick(shown, Qt.Key.Key_Home)
    assert shown.following


def test_frozen_charts_hold_still_and_miss_nothing(
    shown: Charts, clock: Clock, qtbot: QtBot
) -> None:
    feed(shown, clock, 1.0, busy)
    qtbot.keyClick(shown, Qt.Key.Key_Space)
    assert shown.frozen
    assert not shown.ticking
    view = shown.view
    feed(shown, clock, 10.0, lambda t: busy(t, arrival_rate=80.0))
    shown.draw()
    assert shown.view == view
    assert values(shown)["arrival_rate"] == "8.0/s"
    shown.set_frozen(False)
    shown.draw()
    assert values(shown)["arrival_rate"] == "80.0/s"


def test_a_frozen_chart_is_drawn_when_it_is_panned(
    shown: Charts, clock: Clock, qtbot: QtBot
) -> None:
    feed(shown, clock, 90.0, busy)
    shown.draw()
    shown.set_frozen(True)
    shown.look_at(clock.now - 90.0, clock.now - 60.0)
    qtbot.waitUntil(lambda: bool((drawn(shown, "chartRates") < -60.0).any()))


def drawn(charts: Charts, name: str) -> np.ndarray:
    """The times, relative to the origin, at which the first stroke of a chart has points."""
    plot = charts.findChild(QWidget, name)
    curves = [item for item in plot.getPlotItem().curves if item.xData is not None]
    return np.concatenate([curve.xData for curve in curves])


def test_the_values_under_the_mouse_are_shown(shown: Charts, clock: Clock) -> None:
    feed(shown, clock, 30.0, lambda t: busy(t, arrival_rate=5.0 if t < 1015.0 else 50.0))
    shown.draw()
    plot = shown.findChild(QWidget, "chartQueue")
    view = plot.getViewBox()
    plot.scene().sigMouseMoved.emit(view.mapViewToScene(QPointF(-20.0, 0.0)))
    assert values(shown)["arrival_rate"] == "5.0/s"
    plot.scene().sigMouseMoved.emit(QPointF(-5.0, -5.0))
    assert values(shown)["arrival_rate"] == "50.0/s"


def test_a_curve_is_hidden_by_its_legend(shown: Charts, clock: Clock, qtbot: QtBot) -> None:
    feed(shown, clock, 2.0, busy)
    shown.draw()
    readout = next(
        child
        for child in shown.findChildren(QWidget)
        if getattr(child, "quantity", None) is COLUMNS[1]
    )
    assert ink(shown, "arrival") > 20
    qtbot.mouseClick(readout, Qt.MouseButton.LeftButton)
    shown.draw()
    assert ink(shown, "arrival") == 0


def test_the_window_of_the_figures_is_the_users_choice(charts: Charts, qtbot: QtBot) -> None:
    box = charts.findChild(QWidget, "figuresWindow")
    index = box.findData(60.0)
    with qtbot.waitSignal(charts.windowChanged) as chosen:
        box.setCurrentIndex(index)
        box.activated.emit(index)
    assert chosen.args == [60.0]
    charts.set_window(7.0)
    assert box.currentText() == "7.0 s"


def test_marks_are_drawn_in_every_chart(shown: Charts, clock: Clock) -> None:
    feed(shown, clock, 30.0, lambda t: replace(IDLE, t=t))
    feed(shown, clock, 1.0, busy)
    shown.draw()
    assert ink(shown, "failed") == 0
    shown.add_mark(1010.0, MarkKind.TARGET_DOWN, "target down")
    shown.draw()
    for chart in (chart for chart in CHARTS if chart.curves):
        assert ink(shown.findChild(QWidget, chart.name), "failed", close=80) > 5, chart.name


def test_the_goal_is_drawn_set_and_dropped(shown: Charts, clock: Clock, qtbot: QtBot) -> None:
    feed(shown, clock, 2.0, busy)
    shown.draw()
    button = next(
        child
        for child in shown.findChildren(QWidget)
        if getattr(child, "text", lambda: "")() == "goal"
    )
    with qtbot.waitSignal(shown.goalChanged) as changed:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert changed.args == [0.9]
    with qtbot.waitSignal(shown.goalChanged) as changed:
        qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    assert changed.args == [None]


def test_the_goal_line_is_dragged(shown: Charts, clock: Clock, qtbot: QtBot) -> None:
    feed(shown, clock, 2.0, busy)
    shown.set_goal(1.0)
    shown.draw()
    line = shown.findChild(QWidget, "chartResponse").getPlotItem().items[-1]
    with qtbot.waitSignal(shown.goalChanged) as changed:
        line.setValue(0.5)
        line.sigDragged.emit(line)
        line.sigPositionChangeFinished.emit(line)
    assert changed.args == [0.5]


def test_the_scale_is_logarithmic_when_asked(shown: Charts, clock: Clock, qtbot: QtBot) -> None:
    feed(shown, clock, 2.0, busy)
    button = next(
        child
        for child in shown.findChildren(QWidget)
        if getattr(child, "text", lambda: "")() == "log"
    )
    qtbot.mouseClick(button, Qt.MouseButton.LeftButton)
    shown.draw()
    low, high = shown.findChild(QWidget, "chartResponse").getViewBox().viewRange()[1]
    assert (round(low), round(high)) == (-1, 1)  # from 100 ms to 10 s


def test_the_charts_change_with_the_theme(shown: Charts, theme: Theme) -> None:
    assert image_of(shown).pixelColor(70, 60) == QColor(LIGHT.surface)
    theme.set_mode(Mode.DARK)
    QApplication.processEvents()  # Qt tells the widgets of their palette then
    assert image_of(shown).pixelColor(70, 60) == QColor(DARK.surface)


def test_a_table_is_saved_with_gaps(
    charts: Charts, clock: Clock, qtbot: QtBot, tmp_path: Path
) -> None:
    feed(charts, clock, 1.0, busy)
    feed(charts, clock, 1.0, lambda t: replace(IDLE, t=t))
    charts.draw()
    with qtbot.waitSignal(charts.exported) as saved:
        charts.export_table(tmp_path / "readings.csv")
    assert saved.args == [str(tmp_path / "readings.csv")]
    with (tmp_path / "readings.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 20
    assert rows[0]["time"].endswith("Z")
    assert [rows[i]["seconds"] for i in (0, 19)] == ["0.000", "1.900"]
    assert rows[0]["p95"] == "0.9"
    assert rows[19]["p95"] == ""
    assert list(tmp_path.glob("*.part")) == []


def test_a_picture_is_saved(shown: Charts, clock: Clock, qtbot: QtBot, tmp_path: Path) -> None:
    feed(shown, clock, 2.0, busy)
    shown.draw()
    with qtbot.waitSignal(shown.exported):
        shown.export_picture(tmp_path / "charts.png")
    picture = QImage(str(tmp_path / "charts.png"))
    assert picture.width() >= 500
    assert picture.pixelColor(2, 30) == QColor(LIGHT.surface)  # where no line of the grid can be


def test_a_file_that_cannot_be_written_is_named_with_the_remedy(
    charts: Charts, qtbot: QtBot, tmp_path: Path
) -> None:
    missing = tmp_path / "missing" / "charts.csv"
    with qtbot.waitSignal(charts.exportFailed) as failed:
        charts.export_table(missing)
    assert str(missing) in failed.args[0]
    assert "folder" in failed.args[0]


def test_times_are_labelled_by_age_or_by_the_clock(clock: Clock) -> None:
    axis = TimeAxis(60.0)
    ((step, ticks),) = axis.tickValues(-60.0, 0.0, 300.0)
    assert step == 15
    assert axis.tickStrings(ticks, 1.0, step) == ["−1 min", "−45 s", "−30 s", "−15 s", "now"]
    axis.show_clock(datetime(2026, 1, 2, 14, 3, 7, tzinfo=UTC))
    ((step, ticks),) = axis.tickValues(-60.0, 0.0, 300.0)
    assert axis.tickStrings(ticks, 1.0, step)[-1] == "14:03:00"
    ((step, ticks),) = axis.tickValues(-3600.0, 0.0, 300.0)
    assert axis.tickStrings(ticks, 1.0, step)[-1] == "14:00"


@pytest.mark.parametrize(
    ("greatest", "top", "whole"),
    [(12.7, 15.0, False), (0.43, 0.6, False), (3, 4, True), (0, 1, True), (990, 1500, True)],
)
def test_scales_end_at_round_numbers(greatest: float, top: float, whole: bool) -> None:
    axis = ValueAxis(lambda value, _: str(value), whole=whole)
    axis.resize(50, 70)  # room for three ticks
    assert axis.fit(greatest) == pytest.approx(top)


def test_a_scale_does_not_fall_for_a_little_less() -> None:
    axis = ValueAxis(lambda value, _: str(value))
    axis.resize(50, 70)
    assert axis.fit(12.7) == 15.0
    assert axis.fit(9.5) == 15.0
    assert axis.fit(4.0) < 15.0


def image_of(widget: QWidget) -> QImage:
    return widget.grab().toImage()


# --- what was predicted ---------------------------------------------------------------------------


def test_what_was_predicted_is_a_band_until_the_next_change(shown: Charts, clock: Clock) -> None:
    feed(shown, clock, 30.0, busy)
    shown.draw()
    plot = shown.findChild(QWidget, "chartQueue")
    before = ink(plot, "text")
    start = clock.now - 20.0
    shown.expect(1, Expectation(start, {"chartQueue": Figure(1.0, 2.0, 3.0)}))
    shown.expect(2, Expectation(start + 10.0, {"chartQueue": Figure(), "chartRates": Figure()}))
    shown.draw()
    drawn = ink(plot, "text")
    assert drawn > before + 20  # the dashes
    shown.expect(2, Expectation(start + 10.0, {"chartQueue": Figure(4.0, 5.0, None)}))
    shown.draw()
    assert ink(plot, "text") > drawn + 20


def test_the_words_of_a_mark_stand_over_what_was_predicted(shown: Charts) -> None:
    for plot in shown.findChildren(Plot):
        overlays = [item for item in plot.plotItem.items if isinstance(item, Overlay)]
        marks = [item.zValue() for item in overlays if isinstance(item, MarksItem)]
        others = [item.zValue() for item in overlays if not isinstance(item, MarksItem)]
        assert min(marks) > max(others, default=0.0)


def ink(widget: QWidget, name: str, close: int = 40) -> int:
    """How many pixels are about of this colour; the lanes and their legend have all of them."""
    if isinstance(widget, Charts):
        widget.lanes.hide()
    image = image_of(widget).convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint8).reshape(image.height(), image.width(), 4)
    colour = QColor(getattr(LIGHT, name))
    wanted = np.array([colour.blue(), colour.green(), colour.red()])
    return int((np.abs(pixels[..., :3].astype(int) - wanted).max(axis=2) < close).sum())


class Paintings(QObject):
    """How often each plot was painted."""

    def __init__(self, charts: Charts) -> None:
        super().__init__()
        self.of: Counter[str] = Counter()
        self._plots = {plot.viewport(): plot.objectName() for plot in charts.findChildren(Plot)}
        for viewport in self._plots:
            viewport.installEventFilter(self)

    def eventFilter(self, watched: QObject, event: QEvent) -> bool:
        if event.type() == QEvent.Type.Paint:
            self.of[self._plots[watched]] += 1
        return False


@pytest.mark.parametrize("at_once", [True, False])
def test_a_plot_is_painted_once_for_a_drawing(
    shown: Charts, clock: Clock, qtbot: QtBot, at_once: bool
) -> None:
    shown.set_frozen(True)  # nothing else draws
    feed(shown, clock, 30, busy)
    qtbot.waitUntil(lambda: not shown._once.isActive())
    for _ in range(3):  # until the scales have settled
        shown.draw()
        QApplication.processEvents()
    painted = Paintings(shown)
    shown.draw(at_once=at_once)
    qtbot.waitUntil(lambda: not shown._stack.is_drawing and len(painted.of) >= 4)
    QApplication.processEvents()
    assert set(painted.of.values()) == {1}


def test_a_chart_that_waits_for_its_drawing_is_painted_all_the_same(charts: Charts) -> None:
    """A window that is uncovered, or a picture that is taken, does not wait for a turn."""
    charts.add_reading(busy(0.0))
    charts.draw()
    before = charts.grab().toImage()
    charts.draw(at_once=False)
    assert charts.grab().toImage() == before
