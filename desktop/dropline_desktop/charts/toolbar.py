"""The controls over the charts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from dropline_desktop import format
from dropline_desktop.language import worded
from dropline_desktop.parts import ToolButton
from dropline_desktop.theme import Space

#: Windows that figures may be taken over, in seconds.
WINDOWS = (1.0, 5.0, 10.0, 60.0, 600.0, 3600.0)
#: Lengths of time that the charts may show, in seconds.
SPANS = (60.0, 300.0, 900.0, 3600.0, 6 * 3600.0, 86_400.0, 7 * 86_400.0, 30 * 86_400.0)


class Toolbar(QWidget):
    """Says what the user asked for; shows what it is told."""

    windowChosen = Signal(float)
    spanChosen = Signal(float)
    followAsked = Signal()
    freezeAsked = Signal(bool)
    pictureAsked = Signal()
    drawingAsked = Signal()
    tableAsked = Signal()
    reportAsked = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.window_box = _choice(WINDOWS)
        self.window_box.setObjectName("figuresWindow")
        self.span_box = _choice(SPANS)
        self.follow, self.freeze, self.export = button(), button(), button()
        self.follow.setCheckable(True)
        self.freeze.setCheckable(True)
        self.export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.export)
        self.picture = menu.addAction("", self.pictureAsked.emit)
        self.drawing = menu.addAction("", self.drawingAsked.emit)
        self.table = menu.addAction("", self.tableAsked.emit)
        self.report = menu.addAction("", self.reportAsked.emit)
        self.report.setEnabled(False)  # until there is a past to report of
        self.export.setMenu(menu)
        self._over, self._show = QLabel(), QLabel()

        row = QHBoxLayout(self)
        row.setContentsMargins(Space.M, Space.S, Space.S, Space.S)
        row.setSpacing(Space.S)
        for label, box in ((self._over, self.window_box), (self._show, self.span_box)):
            label.setBuddy(box)
            row.addWidget(label)
            row.addWidget(box)
            row.addSpacing(Space.S)
        row.addStretch(1)
        for tool in (self.follow, self.freeze, self.export):
            row.addWidget(tool)

        self.window_box.activated.connect(
            lambda: self.windowChosen.emit(self.window_box.currentData())
        )
        self.span_box.activated.connect(lambda: self.spanChosen.emit(self.span_box.currentData()))
        self.follow.clicked.connect(self.followAsked)
        self.freeze.clicked.connect(self.freezeAsked)
        worded(self, self._word)

    def show_state(self, *, span: float, following: bool, frozen: bool) -> None:
        """Show how the charts are looked at."""
        self.span_box.setCurrentIndex(self.span_box.findData(span))
        self.follow.setChecked(following and not frozen)
        self.freeze.setChecked(frozen)

    def _word(self) -> None:
        self._over.setText(self.tr("Over"))
        self._show.setText(self.tr("Show"))
        self.window_box.setAccessibleName(self.tr("Figures over the last"))
        self.window_box.setToolTip(
            self.tr("Rates, times and utilisation are taken over this long, up to now.")
        )
        self.span_box.setAccessibleName(self.tr("Length of time shown"))
        self.span_box.setToolTip(self.tr("How much time the charts show."))
        for box in (self.window_box, self.span_box):
            for number in range(box.count()):
                box.setItemText(number, format.duration(box.itemData(number)))
        self.follow.setText(self.tr("Follow"))
        self.follow.setToolTip(self.tr("Show the time up to now (F)."))
        self.freeze.setText(self.tr("Freeze"))
        self.freeze.setToolTip(
            self.tr("Hold the charts still (Space). Sending goes on, and nothing is missed.")
        )
        self.export.setText(self.tr("Export"))
        self.export.setToolTip(self.tr("Save what the charts show."))
        self.picture.setText(self.tr("&Picture (PNG)…"))
        self.drawing.setText(self.tr("&Drawing (SVG)…"))
        self.table.setText(self.tr("&Table of the readings (CSV)…"))
        self.report.setText(self.tr("&Report (HTML)…"))


def _choice(seconds: tuple[float, ...]) -> QComboBox:
    box = QComboBox()
    for value in seconds:
        box.addItem("", value)
    return box


def button() -> ToolButton:
    """A button of a bar over charts."""
    button = ToolButton()
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
