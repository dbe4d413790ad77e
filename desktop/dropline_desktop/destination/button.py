"""The choice among the targets where files are dropped: the one in use, and a menu of all."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QAction, QActionGroup, QResizeEvent
from PySide6.QtWidgets import QMenu, QSizePolicy, QToolButton

from dropline_desktop.language import worded
from dropline_desktop.parts import ToolButton
from dropline_desktop.settings import Settings
from dropline_desktop.text import printable
from dropline_desktop.theme import Size, Space, Theme


class DestinationButton(ToolButton):
    """Shows where files go, and remembers another choice for the next start."""

    #: The choice is another one.
    chosen = Signal()

    def __init__(self, theme: Theme, settings: Settings, edit: QAction) -> None:
        """`edit` opens the dialog of the targets."""
        super().__init__(small=True)
        self._settings = settings
        self._menu = QMenu(self)
        self._end = self._menu.addSeparator()
        self._menu.addAction(edit)
        self._group = QActionGroup(self)
        self._group.triggered.connect(self._choose)
        self._actions: list[QAction] = []
        self._words = ""
        self.setObjectName("destination")
        self.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.setMenu(self._menu)
        self.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.setFont(theme.font(Size.CAPTION))
        worded(self, self.refresh)

    def refresh(self) -> None:
        """Show what is chosen now, and what there is to choose from."""
        running, chosen = self._settings.running, self._settings.profile
        own = self.tr("the receiver in this window")
        here = running.name if running is not None else ""
        self._words = self.tr("To: {}").format(here or own)
        if chosen != here:
            after = self.tr("To: {0}; from the next start: {1}")
            self._words = after.format(here or own, chosen or own)
        self.setAccessibleName(self.tr("Where files go"))
        self.setToolTip(
            self.tr("{}. Choose another target here; it is used from the next start on.").format(
                self._words
            )
        )
        self._fill(own)
        self._elide()

    def resizeEvent(self, event: QResizeEvent) -> None:
        super().resizeEvent(event)
        self._elide()

    def _fill(self, own: str) -> None:
        self._menu.setTitle(self.tr("&Send to"))
        names = ("", *(profile.name for profile in self._settings.profiles))
        for _ in range(len(self._actions), len(names)):
            action = self._group.addAction("")
            action.setCheckable(True)
            self._menu.insertAction(self._end, action)
            self._actions.append(action)
        for action in self._actions[len(names) :]:
            self._menu.removeAction(action)
            action.setParent(None)
            action.deleteLater()
        del self._actions[len(names) :]
        for number, (name, action) in enumerate(zip(names, self._actions, strict=True)):
            key = f"&{number} " if number < 10 else ""
            action.setText(key + (_shown(name) or own))
            action.setData(name)
            action.setChecked(name == self._settings.profile)

    def _choose(self, action: QAction) -> None:
        self._settings.profile = action.data()
        self.refresh()
        self.chosen.emit()

    def _elide(self) -> None:
        room = self.contentsRect().width() - 4 * Space.M
        fit = self.fontMetrics().elidedText(self._words, Qt.TextElideMode.ElideRight, room)
        self.setText(f"{_shown(fit)} ▾")


def _shown(name: str) -> str:
    """A name as text of an action or a button, in which "&" would mark a letter."""
    return printable(name).replace("&", "&&")
