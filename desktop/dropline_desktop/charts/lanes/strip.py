"""The chart of the lanes: shows what the painter has drawn, and tells of the bar pointed at."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QPointF, QRectF, Qt
from PySide6.QtGui import QPainter
from PySide6.QtWidgets import QLabel, QStyleOptionGraphicsItem, QWidget

from dropline_desktop import format
from dropline_desktop.charts.axes import TimeAxis
from dropline_desktop.charts.contents import LANES
from dropline_desktop.charts.history import Floats
from dropline_desktop.charts.lanes.bars import Outcome
from dropline_desktop.charts.lanes.painter import Frame, Painter
from dropline_desktop.charts.lanes.raster import Ground, Look, lane_edges
from dropline_desktop.charts.overlay import Overlay
from dropline_desktop.charts.strip import Strip
from dropline_desktop.language import worded
from dropline_desktop.parts import mute
from dropline_desktop.theme import Size, Space, Theme

#: The colour of each look, by its name in the theme, and what it stands for.
_LOOKS = {
    Look.SERVICE: ("in_service", QT_TRANSLATE_NOOP("Charts", "sends one file")),
    Look.BUNDLE: ("bundle", QT_TRANSLATE_NOOP("Charts", "sends several in one request")),
    Look.WAIT: ("waiting", QT_TRANSLATE_NOOP("Charts", "line below: these files waited")),
    Look.RETRIED: ("retried", QT_TRANSLATE_NOOP("Charts", "half high: tried again later")),
    Look.FAILED: ("failed", QT_TRANSLATE_NOOP("Charts", "full height: failed for good")),
    Look.CANCELLED: ("disabled", QT_TRANSLATE_NOOP("Charts", "cancelled")),
}
_NEAR = 2.0  # pixels beside a bar that still point at it


class LaneStrip(Strip):
    """A lane a worker, a bar a request."""

    def __init__(self, theme: Theme, times: TimeAxis, clock: Callable[[], float]) -> None:
        super().__init__(theme, LANES, times, bottom=False)
        #: Tells the name of a file.
        self.name_of: Callable[[int], str] = str
        self.painter = Painter(self, clock)
        self._frame: Frame | None = None
        self._origin = 0.0
        self._mouse: QPointF | None = None
        self._picture = _Picture()
        self._picture.setZValue(-0.5)  # over the grid, below marks and cross
        self.plot.addItem(self._picture, ignoreBounds=True)
        self.plot.getViewBox().invertY(True)
        self._scale.setGrid(False)
        self._words = QLabel()
        self._key = ""  # what the colours mean
        self._words.setAlignment(Qt.AlignmentFlag.AlignTop)
        self._words.setContentsMargins(Space.S, 0, 0, 0)
        self._legend_column.insertWidget(1, self._words, 1)
        self.painter.drawn.connect(self._show)
        self.plot.scene().sigMouseMoved.connect(self._point)
        self.plot.pointed.connect(lambda t: self._point(None) if t is None else None)
        self.dressed.connect(self._dress_words)
        worded(self, self._dress_words)

    def look_at(self, start: float, end: float, origin: float) -> None:
        """Show the bars of [start, end], where x = 0 is the time `origin`."""
        self._origin = origin
        self._picture.move_to(origin)
        view = self.plot.getViewBox()
        ratio = self.devicePixelRatioF()
        width, height = round(view.width() * ratio), round(view.height() * ratio)
        if width < 1 or height < 1 or not start < end:
            return
        colour = self._theme.colour
        self.painter.ask(
            start,
            end,
            Ground(
                width,
                height,
                ratio,
                colour("surface").rgb() & 0xFFFFFF,
                tuple(colour(_LOOKS[look][0]).rgb() & 0xFFFFFF for look in Look),
            ),
        )

    def draw(self, times: Floats, values: Floats) -> None:
        """Nothing: the painter is asked by `look_at`."""

    def _show(self, frame: Frame) -> None:
        self._frame = frame
        if len(frame.rows):
            self._promise.hide()
        height = frame.ground.height / frame.ground.ratio
        view = self.plot.getViewBox()
        if view.viewRange()[1] != [0.0, height]:
            view.setYRange(0.0, height, padding=0)
        edges = lane_edges(frame.lanes, frame.ground.height, frame.ground.ratio)
        self._scale.show_lanes(((edges[:-1] + edges[1:]) / 2 / frame.ground.ratio).tolist())
        self._picture.show(frame)
        self._tell()

    def _point(self, position: QPointF | None) -> None:
        self._mouse = position
        self._tell()

    def _tell(self) -> None:
        """Tell of the bar under the mouse; of none, what the colours mean."""
        bar = self._bar_at_mouse()
        text = self._key if bar is None else self._story(bar)
        if text != self._words.text():
            self._words.setText(text)

    def _bar_at_mouse(self) -> np.void | None:
        view, frame = self.plot.getViewBox(), self._frame
        if self._mouse is None or frame is None:
            return None
        if not view.sceneBoundingRect().contains(self._mouse):
            return None
        place = view.mapSceneToView(self._mouse)
        slack = _NEAR * (frame.end - frame.start) * frame.ground.ratio / frame.ground.width
        return frame.bar_at(self._origin + place.x(), place.y(), slack)

    def _story(self, bar: np.void) -> str:
        """What a bar tells: which file, its wait, its service, its attempt and end."""
        files, job = int(bar["files"]), int(bar["job"])
        name = self.name_of(job) if job >= 0 else ""
        metrics = self._words.fontMetrics()
        room = self._words.width() - 2 * Space.S
        lines = [metrics.elidedText(name, Qt.TextElideMode.ElideMiddle, room)]
        if files > 1:
            lines.append(self.tr("and %Ln more in one request", "", files - 1))
        wait = bar["start"] - bar["waited_from"]
        waited = format.duration(None if math.isnan(wait) else float(wait))
        lines.append(
            self.tr("waited up to {}").format(waited)
            if files > 1
            else self.tr("waited {}").format(waited)
        )
        took = format.duration(float(bar["end"] - bar["start"]))
        lines.append(
            self.tr("sending for {}").format(took)
            if bar["outcome"] == Outcome.RUNNING
            else self.tr("sent in {}").format(took)
            if bar["outcome"] == Outcome.FINISHED
            else self.tr("ended after {}").format(took)
        )
        lines += self._end(bar)
        return "\n".join(lines)

    def _end(self, bar: np.void) -> list[str]:
        """Which attempt it was, and what came of it where it did not end well."""
        attempt = self.tr("attempt {}").format(format.count(int(bar["attempt"])))
        end = {
            Outcome.CANCELLED: self.tr("cancelled"),
            Outcome.RETRIED: self.tr("failed, will be tried again"),
            Outcome.FAILED: self.tr("failed for good"),
        }.get(Outcome(bar["outcome"]))
        if end is None:
            return [attempt]
        if bar["files"] > 1:
            of = format.count(int(bar["unfinished"])), format.count(int(bar["files"]))
            end = self.tr("{0} of {1}: {2}").format(*of, end)
        return [attempt, end]

    def _dress_words(self) -> None:
        self._words.setFont(self._theme.font(Size.CAPTION))
        mute(self._words)
        self._key = "<br>".join(
            f'<span style="color: {self._theme.colour(name).name()}">■</span> '
            f"{QCoreApplication.translate('Charts', str(text))}"
            for name, text in _LOOKS.values()
        )
        self._tell()


class _Picture(Overlay):
    """A frame, as one image at its place in time."""

    def __init__(self) -> None:
        super().__init__()
        self._frame: Frame | None = None
        self._origin = 0.0

    def show(self, frame: Frame) -> None:
        """Show this."""
        self._frame = frame
        self.update()

    def move_to(self, origin: float) -> None:
        """x = 0 is another time."""
        if origin != self._origin:
            self._origin = origin
            self.update()

    def paint(
        self, painter: QPainter, option: QStyleOptionGraphicsItem, widget: QWidget | None = None
    ) -> None:
        """In pixels of the window, so that a picture of this view is not scaled."""
        frame = self._frame
        if frame is None:
            return
        to_pixels = painter.transform()
        left = to_pixels.map(QPointF(frame.start - self._origin, 0.0))
        right = to_pixels.map(QPointF(frame.end - self._origin, 0.0))
        painter.save()
        painter.resetTransform()
        size = frame.image.deviceIndependentSize()
        area = to_pixels.mapRect(self.boundingRect())
        if abs(right.x() - left.x() - size.width()) < 1.0:
            painter.drawImage(QPointF(round(left.x()), area.top()), frame.image)
        else:
            painter.drawImage(
                QRectF(left.x(), area.top(), right.x() - left.x(), size.height()), frame.image
            )
        painter.restore()
