"""Parts of a window that can be arranged: moved to another side, put in front of one another, taken
out into a window of their own, hidden.

By the mouse a part is moved by its head; by keyboard from the menu in it, or of the window.
"""

from __future__ import annotations

from enum import Enum

from PySide6.QtCore import Qt
from PySide6.QtGui import QAction, QActionGroup, QPainter, QPaintEvent
from PySide6.QtWidgets import (
    QDockWidget,
    QHBoxLayout,
    QLabel,
    QMainWindow,
    QMenu,
    QVBoxLayout,
    QWidget,
)

from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.parts import ToolButton, mute
from dropline_desktop.theme import Size, Space, Theme


class Side(Enum):
    """Where a part can be: on a side of the window, or on none."""

    LEFT = Qt.DockWidgetArea.LeftDockWidgetArea
    RIGHT = Qt.DockWidgetArea.RightDockWidgetArea
    TOP = Qt.DockWidgetArea.TopDockWidgetArea
    BOTTOM = Qt.DockWidgetArea.BottomDockWidgetArea
    NONE = Qt.DockWidgetArea.NoDockWidgetArea


class Dock(QDockWidget):
    """One part, with its head. Its `windowTitle` is what it is called."""

    def __init__(
        self,
        theme: Theme,
        window: QMainWindow,
        name: str,
        part: QWidget,
        side: Side,
        tools: QWidget | None = None,
        *,
        closable: bool = True,
    ) -> None:
        """`name` is what the window remembers its place by, `side` where it is at first; `tools`
        stand in the head. `closable` where the window has a menu that shows it again.
        """
        super().__init__(window)
        if not closable:
            self.setFeatures(self.features() & ~self.DockWidgetFeature.DockWidgetClosable)
        self._window = window
        self._theme = theme
        self.home = side
        self.setObjectName(name)
        self._frame = QWidget()
        layout = QVBoxLayout(self._frame)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(part)
        self.setWidget(self._frame)
        #: Where it can go.
        self.places = QMenu(window)
        self._group = QActionGroup(self)
        self._sides = {each: self._place(each) for each in Side}
        self.setTitleBarWidget(Head(theme, self, tools))
        self.topLevelChanged.connect(self._pad)
        self.dockLocationChanged.connect(self._show_side)
        self.topLevelChanged.connect(self._show_side)
        window.addDockWidget(side.value, self)
        worded(self, self._word)

    @property
    def side(self) -> Side:
        """Where it is."""
        return Side.NONE if self.isFloating() else Side(self._window.dockWidgetArea(self))

    def move(self, side: Side) -> None:  # type: ignore[override]  # a dock has a side, no corner
        """Go there, before what is there already, and be seen."""
        self.show()
        if side is Side.NONE:
            self.setFloating(True)
        elif side is not self.side:
            others = [
                each
                for each in self._window.findChildren(Dock)
                if each is not self and each.isVisible() and each.side is side
            ]
            self.setFloating(False)
            self._window.addDockWidget(side.value, self)
            if others:
                self._window.tabifyDockWidget(others[0], self)
        self.raise_()

    def paintEvent(self, event: QPaintEvent) -> None:
        super().paintEvent(event)
        if self.isFloating():  # the desktop draws no frame around one with a head of its own
            with QPainter(self) as painter:
                painter.setPen(self._theme.colour("disabled"))
                painter.drawRect(self.rect().adjusted(0, 0, -1, -1))

    def _place(self, side: Side) -> QAction:
        action = self._group.addAction("")
        action.setCheckable(True)
        action.triggered.connect(lambda: self.move(side))
        self.places.addAction(action)
        return action

    def _pad(self, floating: bool) -> None:
        """A window of its own has an edge."""
        edge = Space.M if floating else 0
        self._frame.setContentsMargins(edge, 0, edge, edge)

    def _show_side(self) -> None:
        self._sides[self.side].setChecked(True)

    def _word(self) -> None:
        for side, text in (
            (Side.LEFT, self.tr("On the &left")),
            (Side.RIGHT, self.tr("On the &right")),
            (Side.TOP, self.tr("&Above")),
            (Side.BOTTOM, self.tr("&Below")),
            (Side.NONE, self.tr("In a &window of its own")),
        ):
            self._sides[side].setText(text)


class Head(QWidget):
    """The line above a part: what it is called, where it can go, and away with it."""

    def __init__(self, theme: Theme, dock: Dock, tools: QWidget | None) -> None:
        super().__init__()
        self._dock = dock
        self._title = QLabel()
        self._places, self._hide = ToolButton(small=True), ToolButton(small=True)
        for button, picture in ((self._places, "move"), (self._hide, "cancel")):
            button.setIcon(icon(picture, theme))
        self._places.clicked.connect(self._show_places)
        self._hide.clicked.connect(dock.close)
        self._hide.setVisible(bool(dock.features() & dock.DockWidgetFeature.DockWidgetClosable))
        row = QHBoxLayout(self)
        row.setContentsMargins(Space.XS, 0, 0, Space.XS)
        row.setSpacing(Space.S if tools else 0)
        row.addWidget(self._title)
        row.addWidget(tools or QWidget(), 1)
        row.addWidget(self._places)
        row.addWidget(self._hide)
        dock.windowTitleChanged.connect(self._word)
        mute(self._title)
        self._title.setFont(theme.font(Size.CAPTION))
        worded(self, self._word)

    def _show_places(self) -> None:
        self._dock.places.popup(self._places.mapToGlobal(self._places.rect().bottomLeft()))

    def _word(self) -> None:
        name = self._dock.windowTitle()
        self._title.setText(name)
        for button, text in (
            (self._places, self.tr("Move “{}” elsewhere")),
            (self._hide, self.tr("Hide “{}”: the View menu shows it again")),
        ):
            button.setToolTip(text.format(name))
            button.setAccessibleName(button.toolTip())
