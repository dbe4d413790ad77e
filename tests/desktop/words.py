"""What a window says: every text of every part, and which of them do not fit."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QAbstractSpinBox,
    QComboBox,
    QGraphicsScene,
    QGroupBox,
    QHeaderView,
    QLabel,
    QLineEdit,
    QMenu,
    QMenuBar,
    QScrollBar,
    QSizePolicy,
    QStyle,
    QStyleOptionComboBox,
    QTabBar,
    QTableView,
    QTabWidget,
    QTreeView,
    QWidget,
)

from dropline_desktop.actions import plain


def words(window: QWidget) -> dict[str, str]:
    """Every text by where it stands, in the order in which the parts were made."""
    parts = [part for part in window.findChildren(QObject) if isinstance(part, QWidget | QAction)]
    ours = [part for part in [window, *parts] if not _of_qt(part)]
    return {
        f"{number} {type(part).__name__} {part.objectName()} {what}": text
        for number, part in enumerate(ours)
        for what, text in _texts(part)
        if text
    }


def cut(window: QWidget) -> list[str]:
    """The texts in sight that don't fit where they stand, and that no tool tip repeats."""
    return [
        f"{type(part).__name__} {part.objectName()} “{text}”: {have} of {need} pixels"
        for part in [window, *window.findChildren(QWidget)]
        if part.isVisible() and not _scrolled_away(part)
        for text, have, need in _measures(part)
        if have < need and plain(text) not in part.toolTip()
    ]


def _scrolled_away(part: QWidget) -> bool:
    """Whether a part was made with no room at all, such as the end of a tool bar."""
    return part.width() <= 0 or part.height() <= 0


def _of_qt(part: QWidget | QAction) -> bool:
    """Whether Qt or pyqtgraph made a part for itself, such as an action that no menu shows, or a
    scroll bar, which moves among the others when it is first laid out."""
    return (
        part.objectName().startswith("qt_")
        or isinstance(part, QScrollBar)
        or isinstance(part.parent(), QGraphicsScene)
    )


def _texts(part: QWidget | QAction) -> Iterator[tuple[str, str]]:
    yield "tip", part.toolTip()
    if isinstance(part, QAction):
        yield "text", part.text()
        return
    yield "name", part.accessibleName()
    yield "description", part.accessibleDescription()
    yield "title", part.windowTitle()
    match part:
        case QLabel() | QAbstractButton():
            yield "text", part.text()
        case QMenu() | QGroupBox():
            yield "title of its own", part.title()
        case QLineEdit():
            yield "placeholder", part.placeholderText()
        case QComboBox():
            yield from ((f"item {i}", part.itemText(i)) for i in range(part.count()))
        case QTabWidget():
            yield from ((f"tab {i}", part.tabText(i)) for i in range(part.count()))
        case QTableView() | QTreeView():
            header = part.header() if isinstance(part, QTreeView) else part.horizontalHeader()
            for i in range(header.count()):
                told = part.model().headerData(i, Qt.Orientation.Horizontal)
                yield f"column {i}", str(told or "")


def _measures(part: QWidget) -> Iterator[tuple[str, int, int]]:
    """The texts of a part, the pixels that each has and those that it needs, each way."""
    fit = part.fontMetrics()
    match part:
        case QLabel():
            if part.text():
                yield from _of_label(part)
        case QAbstractButton():
            if part.text():
                yield from _of_button(part)
        case QComboBox():
            yield part.currentText(), part.height(), part.sizeHint().height()
            option = QStyleOptionComboBox()
            part.initStyleOption(option)
            field = QStyle.SubControl.SC_ComboBoxEditField
            room = part.style().subControlRect(QStyle.ComplexControl.CC_ComboBox, option, field)
            yield part.currentText(), room.width(), fit.horizontalAdvance(part.currentText())
        case QAbstractSpinBox():
            line = part.lineEdit()
            yield line.text(), line.width(), fit.horizontalAdvance(line.text())
            yield line.text(), part.height(), part.minimumSizeHint().height()
        case QTabBar():
            for number in range(part.count()):
                text = part.tabText(number)
                yield text, part.tabRect(number).width(), fit.horizontalAdvance(text)
        case QHeaderView():
            yield from _of_header(part)
        case QMenuBar():
            for action in part.actions():
                end = part.actionGeometry(action).right()
                yield plain(action.text()), part.width() if end else 0, max(end, 1)
        case QGroupBox():
            yield part.title(), part.width(), fit.horizontalAdvance(part.title())


def _of_label(part: QLabel) -> Iterator[tuple[str, int, int]]:
    need = part.sizeHint()
    if part.wordWrap():
        yield part.text(), part.height(), part.heightForWidth(part.width())
    elif part.sizePolicy().horizontalPolicy() is not QSizePolicy.Policy.Ignored:
        yield part.text(), part.width(), need.width()
        yield part.text(), part.height(), need.height()
    else:  # may be as narrow as it is made, and must do with that
        width = part.fontMetrics().horizontalAdvance(part.text())
        yield part.text(), part.contentsRect().width(), width


def _of_button(part: QAbstractButton) -> Iterator[tuple[str, int, int]]:
    if part.sizePolicy().horizontalPolicy() is QSizePolicy.Policy.Ignored:
        lines = part.text().split("\n")
        width = max(part.fontMetrics().horizontalAdvance(line) for line in lines)
        yield part.text(), part.width(), width
    else:
        yield part.text(), part.width(), part.sizeHint().width()
    yield part.text(), part.height(), part.sizeHint().height()


def _of_header(part: QHeaderView) -> Iterator[tuple[str, int, int]]:
    model, way = part.model(), part.orientation()
    if model is None or way is not Qt.Orientation.Horizontal:
        return
    for section in range(part.count()):
        text = str(model.headerData(section, way) or "")
        explained = model.headerData(section, way, Qt.ItemDataRole.ToolTipRole)
        if text and not explained and not part.isSectionHidden(section):
            yield text, part.sectionSize(section), part.fontMetrics().horizontalAdvance(text)
