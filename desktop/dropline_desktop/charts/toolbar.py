"""The controls over the charts."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QComboBox, QHBoxLayout, QLabel, QMenu, QToolButton, QWidget

from dropline_desktop import format
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
        self.window_box = _choice(WINDOWS, self.tr("Figures over the last"))
        self.window_box.setObjectName("figuresWindow")
        self.window_box.setToolTip(
            self.tr("Rates, times and utilisation are taken over this long, up to now.")
        )
        self.span_box = _choice(SPANS, self.tr("Length of time shown"))
        self.span_box.setToolTip(self.tr("How much time the charts show."))
        self.follow = button(self.tr("Follow"), self.tr("Show the time up to now (F)."))
        self.follow.setCheckable(True)
        self.freeze = button(
            self.tr("Freeze"),
            self.tr("Hold the charts still (Space). Sending goes on, and nothing is missed."),
        )
        self.freeze.setCheckable(True)
        export = button(self.tr("Export"), self.tr("Save what the charts show."))
        export.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(export)
        menu.addAction(self.tr("Picture (PNG)…"), self.pictureAsked.emit)
        menu.addAction(self.tr("Drawing (SVG)…"), self.drawingAsked.emit)
        menu.addAction(self.tr("Table of the readings (CSV)…"), self.tableAsked.emit)
        self.report = menu.addAction(self.tr("Report (HTML)…"), self.reportAsked.emit)
        self.report.setEnabled(False)  # until there is a past to report of
        export.setMenu(menu)

        row = QHBoxLayout(self)
        row.setContentsMargins(Space.M, Space.S, Space.S, Space.S)
        row.setSpacing(Space.S)
        for text, box in ((self.tr("Over"), self.window_box), (self.tr("Show"), self.span_box)):
            label = QLabel(text)
            label.setBuddy(box)
            row.addWidget(label)
            row.addWidget(box)
            row.addSpacing(Space.S)
        row.addStretch(1)
        for tool in (self.follow, self.freeze, export):
            row.addWidget(tool)

        self.window_box.activated.connect(
            lambda: self.windowChosen.emit(self.window_box.currentData())
        )
        self.span_box.activated.connect(lambda: self.spanChosen.emit(self.span_box.currentData()))
        self.follow.clicked.connect(self.followAsked)
        self.freeze.clicked.connect(self.freezeAsked)

    def show_state(self, *, span: float, following: bool, frozen: bool) -> None:
        """Show how the charts are looked at."""
        self.span_box.setCurrentIndex(self.span_box.findData(span))
        self.follow.setChecked(following and not frozen)
        self.freeze.setChecked(frozen)


def _choice(seconds: tuple[float, ...], name: str) -> QComboBox:
    box = QComboBox()
    box.setAccessibleName(name)
    for value in seconds:
        box.addItem(format.duration(value), value)
    return box


def button(text: str, tip: str) -> QToolButton:
    """A button of a bar over charts."""
    button = QToolButton()
    button.setText(text)
    button.setToolTip(tip)
    button.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
    return button
