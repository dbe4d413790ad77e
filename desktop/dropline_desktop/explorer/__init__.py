"""Windows on what a line did: a recorded log, or the history on disk."""

from __future__ import annotations

from pathlib import Path

import shiboken6
from PySide6.QtWidgets import QWidget

from dropline.history import Past
from dropline_desktop.explorer.window import Explorer, ask_for_log
from dropline_desktop.theme import Theme

__all__ = ["Explorer", "Explorers"]


class Explorers:
    """Opens them, as many as the user likes, and closes them with the program."""

    def __init__(self, theme: Theme, logs: Path) -> None:
        """`logs`: the folder where logs are recorded."""
        self._theme = theme
        self._logs = logs
        self._open: list[Explorer] = []

    def ask(self, parent: QWidget) -> None:
        """Ask for a recorded log, and show it."""
        ask_for_log(parent, self._logs, lambda path: self._new().open_log(path))

    def show_history(self, past: Past) -> None:
        """Show what the line has done lately."""
        self._new().open_history(past)

    def close(self) -> None:
        """Close all."""
        for explorer in filter(shiboken6.isValid, self._open):
            explorer.close()

    def _new(self) -> Explorer:
        explorer = Explorer(self._theme, self._logs)
        self._open = [*filter(shiboken6.isValid, self._open), explorer]
        explorer.show()
        return explorer
