"""The first screen: the line as a picture in plain words, and three ways to see it move."""

from __future__ import annotations

from PySide6.QtCore import QPointF, QRectF, Qt, Signal
from PySide6.QtGui import QFontMetricsF, QPainter, QPaintEvent, QPen, QPolygonF
from PySide6.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QPushButton,
    QSizePolicy,
    QVBoxLayout,
    QWidget,
)

from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.parts import Card, mute
from dropline_desktop.theme import Size, Space, Theme

#: Files drawn at each place.
_COMING, _WAITING, _WORKERS = 2, 5, 3
#: The widest that it gets: longer lines of text read badly.
_WIDTH = 760


class Welcome(Card):
    """In the place of the instruments at the first start, and from the Help menu."""

    samplesAsked = Signal()
    simulateAsked = Signal()
    filesAsked = Signal()
    #: The instruments are wanted: also after each of the ways above.
    left = Signal()

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._title, self._words, self._drop = QLabel(), QLabel(), QLabel()
        self.picture = LinePicture(theme)
        self.samples = QPushButton(icon("play", theme), "")
        self.simulate = QPushButton()
        self.files = QPushButton(icon("add-files", theme), "")
        self.close_button = QPushButton()
        for label in (self._title, self._words, self._drop):
            label.setWordWrap(True)
        self._title.setFont(theme.font(Size.FIGURE))
        mute(self._drop)
        self._lay_out()
        for button, asked in (
            (self.samples, self.samplesAsked),
            (self.simulate, self.simulateAsked),
            (self.files, self.filesAsked),
        ):
            button.clicked.connect(self.left)
            button.clicked.connect(asked)
        self.close_button.clicked.connect(self.left)
        worded(self, self._word)

    def _lay_out(self) -> None:
        ways = QHBoxLayout()
        ways.setSpacing(Space.M)
        for button in (self.samples, self.simulate, self.files):
            ways.addWidget(button)
        last = QHBoxLayout()
        last.addWidget(self._drop, 1)
        last.addWidget(self.close_button)
        page = QWidget()
        page.setMaximumWidth(_WIDTH)
        inner = QVBoxLayout(page)
        inner.setContentsMargins(0, 0, 0, 0)
        inner.setSpacing(Space.L)
        inner.addWidget(self._title)
        inner.addWidget(self._words)
        inner.addWidget(self.picture)
        inner.addLayout(ways)
        inner.addLayout(last)
        row = QHBoxLayout()
        row.addStretch(1)
        row.addWidget(page, 100)
        row.addStretch(1)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(Space.XL, Space.XL, Space.XL, Space.XL)
        layout.addStretch(1)
        layout.addLayout(row)
        layout.addStretch(2)

    def _word(self) -> None:
        self._title.setText(self.tr("How the line works"))
        self._words.setText(
            self.tr(
                "Files that you drop wait in a line. Workers take them from its front and send "
                "them to the receiver. When files come faster than they are sent, the line grows "
                "and each file takes longer: more workers may help, and Dropline says how many."
            )
        )
        self.samples.setText(self.tr("Try with sample files"))
        self.samples.setToolTip(self.tr("Makes 300 small files and sends them to the receiver"))
        self.simulate.setText(self.tr("Simulate load…"))
        self.simulate.setToolTip(self.tr("A made-up line, with charts; no file is sent"))
        self.files.setText(self.tr("Choose files…"))
        self._drop.setText(self.tr("Or drop files and folders anywhere on the window."))
        self.close_button.setText(self.tr("Show the charts"))
        self.picture.word(
            (
                ("λ", self.tr("how many come a second")),
                ("L", self.tr("how many are in the line")),
                ("μ", self.tr("how many a worker sends a second")),
                ("τ", self.tr("how long a file takes, from drop to done")),
            ),
            (self.tr("Files"), self.tr("Waiting"), self.tr("Workers"), self.tr("Receiver")),
        )


class LinePicture(QWidget):
    """Files come, wait, are sent by workers and lie at the receiver, left to right."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._figures: tuple[tuple[str, str], ...] = ()
        self._places: tuple[str, ...] = ()
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        theme.changed.connect(self._dress)
        self._dress()

    def word(self, figures: tuple[tuple[str, str], ...], places: tuple[str, ...]) -> None:
        """The letters with what they mean: λ, L, μ, τ; and the names of the four places."""
        self._figures, self._places = figures, places
        self.setAccessibleName(" → ".join(places))
        self.setAccessibleDescription("; ".join(f"{letter}: {what}" for letter, what in figures))
        self.update()

    def _dress(self) -> None:
        self.setFixedHeight(round(15 * QFontMetricsF(self._theme.font(Size.BODY)).height()))
        self.update()

    def paintEvent(self, event: QPaintEvent) -> None:
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        em = QFontMetricsF(self._theme.font(Size.BODY)).height()
        width, middle = float(self.width()), 5.6 * em
        column = width / 4
        centres = [column * (i + 0.5) for i in range(4)]
        file = 0.95 * em
        colours = self._theme.colour
        painter.setPen(Qt.PenStyle.NoPen)

        def row(centre: float, count: int, colour: str) -> None:
            painter.setBrush(colours(colour))
            left = centre - (count * 1.3 - 0.3) * file / 2
            for i in range(count):
                painter.drawRoundedRect(
                    QRectF(left + 1.3 * i * file, middle - 0.6 * file, file, 1.2 * file), 2, 2
                )

        row(centres[0], _COMING, "arrival")
        row(centres[1], _WAITING, "waiting")
        painter.setBrush(colours("in_service"))
        for i in range(_WORKERS):
            at = middle + (i - 1) * 1.7 * file
            painter.drawEllipse(QPointF(centres[2], at), 0.7 * file, 0.7 * file)
        painter.setBrush(colours("done"))
        box = QRectF(centres[3] - 1.6 * file, middle - 1.5 * file, 3.2 * file, 3 * file)
        painter.drawRoundedRect(box, 4, 4)
        painter.setPen(QPen(colours("muted"), 1.5))
        painter.setBrush(colours("muted"))
        for before, gap in ((0, 1.6), (1, 3.6), (2, 1.4)):
            start = centres[before] + gap * file
            end = centres[before + 1] - (3.6 if before == 0 else 1.4 if before == 1 else 2.2) * file
            if end > start:
                _arrow(painter, QPointF(start, middle), QPointF(end, middle), 0.35 * em)
        self._brace(painter, centres[1] - 3.6 * file, centres[2] + 1.2 * file, middle - 3.2 * file)
        painter.setFont(self._theme.font(Size.CAPTION))
        painter.setPen(colours("text"))
        for centre, name in zip(centres, self._places, strict=False):
            place = QRectF(centre - column / 2, middle + 2.9 * file, column, 1.4 * em)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, name)
        self._write(painter, em, middle, column)
        painter.end()

    def _brace(self, painter: QPainter, left: float, right: float, y: float) -> None:
        """What L counts: those that wait and those that are being sent."""
        painter.setPen(QPen(self._theme.colour("muted"), 1.2))
        drop = 6.0
        painter.drawPolyline(
            QPolygonF([QPointF(left, y + drop), QPointF(left, y), QPointF(right, y),
                       QPointF(right, y + drop)])
        )  # fmt: skip

    def _write(self, painter: QPainter, em: float, middle: float, column: float) -> None:
        """The letters where they belong, and what they mean below."""
        width = float(self.width())
        letters = [letter for letter, _ in self._figures]
        places = (
            QPointF(column, middle - 1.1 * em),
            QPointF(2 * column, middle - 3.9 * em),
            QPointF(2.5 * column + 1.7 * em, middle - 1.1 * em),
        )
        painter.setFont(self._theme.font(Size.FIGURE))
        painter.setPen(self._theme.colour("accent"))
        for letter, at in zip(letters, places, strict=False):
            place = QRectF(at.x() - 2 * em, at.y() - em, 4 * em, 2 * em)
            painter.drawText(place, Qt.AlignmentFlag.AlignCenter, letter)
        y = middle + 5.4 * em  # τ: from the first to the last
        painter.setPen(QPen(self._theme.colour("muted"), 1.2))
        painter.setBrush(self._theme.colour("muted"))
        start, end = QPointF(column / 2, y), QPointF(width - column / 2, y)
        _arrow(painter, start, end, 0.35 * em)
        painter.setPen(self._theme.colour("accent"))
        place = QRectF(width / 2 - 2 * em, y - 1.7 * em, 4 * em, 1.7 * em)
        painter.drawText(place, Qt.AlignmentFlag.AlignCenter, letters[3] if letters[3:] else "")
        self._explain(painter, em, y + 0.7 * em)

    def _explain(self, painter: QPainter, em: float, y: float) -> None:
        half = self.width() / 2
        painter.setFont(self._theme.font(Size.CAPTION))
        fit = QFontMetricsF(painter.font())
        for i, (letter, what) in enumerate(self._figures):
            left, top = (i % 2) * half, y + (i // 2) * 1.4 * em
            painter.setPen(self._theme.colour("accent"))
            painter.drawText(QRectF(left, top, 1.5 * em, 1.4 * em), Qt.AlignmentFlag.AlignVCenter,
                             letter)  # fmt: skip
            painter.setPen(self._theme.colour("text"))
            room = QRectF(left + 1.5 * em, top, half - 1.7 * em, 1.4 * em)
            text = fit.elidedText(what, Qt.TextElideMode.ElideRight, room.width())
            painter.drawText(room, Qt.AlignmentFlag.AlignVCenter, text)


def _arrow(painter: QPainter, start: QPointF, end: QPointF, head: float) -> None:
    """A horizontal arrow from `start` to `end`."""
    painter.drawLine(start, QPointF(end.x() - head, end.y()))
    painter.drawPolygon(
        QPolygonF([end, QPointF(end.x() - head, end.y() - head / 2),
                   QPointF(end.x() - head, end.y() + head / 2)])
    )  # fmt: skip
