"""What a window says: every text of every part, and which of them do not fit."""

from __future__ import annotations

from collections.abc import Iterator

from PySide6.QtCore import QObject, Qt
from PySide6.QtGui import QAction
from PySide6.QtWidgets import (
    QAbstractButton,
    QComboBox,
    QGraphicsScene,
    QGroupBox,
    QLabel,
    QLineEdit,
    QMenu,
    QSizePolicy,
    QTableView,
    QTabWidget,
    QTreeView,
    QWidget,
)


def words(window: QWidget) -> dict[str, str]:
    """Every text by where it stands, in the order in which the parts were made."""
    parts = [part for part in window.findChildren(QObject) if isinstance(part, QWidget | QAction)]
    return {
        f"{number} {type(part).__name__} {part.objectName()} {what}": text
        for number, part in enumerate([window, *parts])
        if not _of_qt(part)
        for what, text in _texts(part)
        if text
    }


def cut(window: QWidget) -> list[str]:
    """The labels, buttons and boxes in sight whose text does not fit into them."""
    return [
        f"{type(part).__name__} {part.objectName()} “{text}”: {have} of {need} pixels"
        for part in window.findChildren(QWidget)
        if isinstance(part, QLabel | QAbstractButton | QComboBox)
        if part.isVisible()
        for text, have, need in _measures(part)
        if have < need
    ]


def _of_qt(part: QWidget | QAction) -> bool:
    """Whether Qt or pyqtgraph made a part for itself, such as an action that no menu shows."""
    return part.objectName().startswith("qt_") or isinstance(part.parent(), QGraphicsScene)


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
    """The text of a part, the pixels that it has and those that it needs, each way."""
    if isinstance(part, QLabel):
        if not part.text():
            return
        need = part.sizeHint()
        if part.wordWrap():
            yield part.text(), part.height(), part.heightForWidth(part.width())
        elif part.sizePolicy().horizontalPolicy() is not QSizePolicy.Policy.Ignored:
            yield part.text(), part.width(), need.width()
            yield part.text(), part.height(), need.height()
        else:  # may be as narrow as it is made, and must do with that
            width = part.fontMetrics().horizontalAdvance(part.text())
            yield part.text(), part.contentsRect().width(), width
    elif isinstance(part, QAbstractButton):
        if not part.text():
            return
        if part.sizePolicy().horizontalPolicy() is QSizePolicy.Policy.Ignored:
            lines = part.text().split("\n")
            width = max(part.fontMetrics().horizontalAdvance(line) for line in lines)
            yield part.text(), part.width(), width
        else:
            yield part.text(), part.width(), part.sizeHint().width()
        yield part.text(), part.height(), part.sizeHint().height()
    else:
        yield part.currentText(), part.height(), part.sizeHint().height()
