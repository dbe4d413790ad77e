"""The commands of the window as data: menus and shortcuts are made from this table."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from PySide6.QtCore import QCoreApplication
from PySide6.QtGui import QAction, QKeySequence
from PySide6.QtWidgets import QWidget

from dropline_desktop.icons import icon
from dropline_desktop.theme import Theme

translate = QCoreApplication.translate


class Menu(Enum):
    """The menus, in order."""

    FILE = auto()
    TRANSFERS = auto()
    VIEW = auto()
    HELP = auto()

    @property
    def title(self) -> str:
        """What stands in the menu bar."""
        return {
            Menu.FILE: translate("Command", "&File"),
            Menu.TRANSFERS: translate("Command", "&Transfers"),
            Menu.VIEW: translate("Command", "&View"),
            Menu.HELP: translate("Command", "&Help"),
        }[self]


@dataclass(frozen=True)
class Command:
    """One thing that the user can do."""

    name: str
    menu: Menu
    text: str
    tip: str = ""
    key: str = ""
    picture: str = ""
    #: Begins a new group in its menu.
    apart: bool = False
    #: Can be on or off; `run` is then called with that.
    checkable: bool = False

    def make(self, theme: Theme, parent: QWidget, run: Callable[..., object]) -> QAction:
        """The action."""
        action = QAction(parent)
        action.setObjectName(self.name)
        if self.picture:
            action.setIcon(icon(self.picture, theme))
        if self.key:
            action.setShortcut(QKeySequence(self.key))
        self.word(action)
        if self.checkable:
            action.setCheckable(True)
            action.toggled.connect(run)
        else:
            action.triggered.connect(lambda: run())
        return action

    def word(self, action: QAction) -> None:
        """Write the action's words; its tooltip says the shortcut too."""
        action.setText(self.text)
        keys = action.shortcut().toString(QKeySequence.SequenceFormat.NativeText)
        tip = self.tip or plain(self.text)
        action.setToolTip(f"{tip} ({keys})" if keys else tip)


def plain(text: str) -> str:
    """What an action says, without its mnemonic: "&Quit" and "退出(&Q)" without the Q."""
    return re.sub(r"\(&\w\)|&", "", text)


def commands() -> tuple[Command, ...]:
    """All of them, in the order of the menus."""
    return (
        Command(
            "addFiles",
            Menu.FILE,
            translate("Command", "Add &files…"),
            translate("Command", "Choose files to send"),
            "Ctrl+O",
            "add-files",
        ),
        Command(
            "addFolder",
            Menu.FILE,
            translate("Command", "Add f&older…"),
            translate("Command", "Choose a folder to send with all that is in it"),
            "Ctrl+Shift+O",
            "add-folder",
        ),
        Command(
            "paste",
            Menu.FILE,
            translate("Command", "&Paste"),
            translate("Command", "Send the files, or the paths as text, that you copied"),
            "Ctrl+V",
            "paste",
        ),
        Command(
            "sendTo",
            Menu.FILE,
            translate("Command", "Send &to…"),
            translate(
                "Command",
                "Choose where files go, keep several targets, and test whether they take files",
            ),
        ),
        Command(
            "watchFolder",
            Menu.FILE,
            translate("Command", "&Watch a folder…"),
            translate("Command", "Send what is in a folder, and whatever comes"),
            "Ctrl+Shift+W",
            "watch",
            apart=True,
        ),
        Command(
            "watchedFolders",
            Menu.FILE,
            translate("Command", "Watche&d folders…"),
            translate("Command", "See how the watched folders do, and stop watching"),
        ),
        Command(
            "openLog",
            Menu.FILE,
            translate("Command", "Open &recorded log…"),
            translate("Command", "See what a recorded log tells, and compare it with others"),
            "Ctrl+Shift+L",
            apart=True,
        ),
        Command(
            "history",
            Menu.FILE,
            translate("Command", "&History…"),
            translate("Command", "See what the line did in the last 30 days"),
            "Ctrl+H",
        ),
        Command(
            "settings",
            Menu.FILE,
            translate("Command", "&Settings…"),
            translate("Command", "Everything that can be set, found by its name"),
            "Ctrl+,",
            apart=True,
        ),
        Command(
            "autostart",
            Menu.FILE,
            translate("Command", "Start at &login"),
            translate("Command", "Open Dropline each time that you log in"),
            checkable=True,
        ),
        Command("quit", Menu.FILE, translate("Command", "&Quit"), key="Ctrl+Q", apart=True),
        Command(
            "retryFailed",
            Menu.TRANSFERS,
            translate("Command", "&Retry failed"),
            translate("Command", "Send every failed file again"),
            "Ctrl+R",
            "retry",
        ),
        Command(
            "cancelAll",
            Menu.TRANSFERS,
            translate("Command", "&Cancel all"),
            translate("Command", "Take every file that is not sent yet out of the line"),
            "Ctrl+Shift+Del",
            "cancel",
        ),
        Command(
            "stopScan",
            Menu.TRANSFERS,
            translate("Command", "&Stop scanning"),
            translate("Command", "Find no more files; those already found stay in the line"),
            picture="stop",
        ),
        Command(
            "record",
            Menu.TRANSFERS,
            translate("Command", "Record the &log"),
            translate("Command", "Write down each arrival, start and end for dropline measure"),
            "Ctrl+L",
            apart=True,
            checkable=True,
        ),
        Command(
            "simulate",
            Menu.TRANSFERS,
            translate("Command", "Si&mulate load…"),
            translate("Command", "Watch a line under a load that is made up, and tune it"),
        ),
        Command(
            "palette",
            Menu.HELP,
            translate("Command", "&Find a command…"),
            translate("Command", "Everything that can be done now, found by its name"),
            "Ctrl+Shift+P",
            "search",
        ),
        Command(
            "welcome",
            Menu.HELP,
            translate("Command", "&Welcome…"),
            translate("Command", "How the line works, and ways to try it"),
        ),
        Command("about", Menu.HELP, translate("Command", "&About Dropline"), picture="help"),
    )
