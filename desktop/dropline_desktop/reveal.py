"""Show a file in the system's file manager."""

from __future__ import annotations

import os
import subprocess
import sys

from PySide6.QtCore import QObject
from PySide6.QtDBus import QDBusArgument, QDBusConnection, QDBusMessage, QDBusPendingCallWatcher
from PySide6.QtGui import QDesktopServices

from dropline_desktop.dropped import to_url


def reveal(path: str, parent: QObject) -> None:
    """Open the file's folder with the file selected, or just the folder where that can't be had.

    Returns at once; `parent` owns the question to the file manager until it is answered.
    """
    if sys.platform == "win32":
        subprocess.Popen(["explorer", "/select,", os.path.normpath(path)])
    elif sys.platform == "darwin":
        subprocess.Popen(["open", "-R", path])
    else:
        _ask_file_manager(path, parent)


def _ask_file_manager(path: str, parent: QObject) -> None:
    """Ask whichever file manager answers to the freedesktop.org interface."""
    name = "org.freedesktop.FileManager1"
    call = QDBusMessage.createMethodCall(name, "/" + name.replace(".", "/"), name, "ShowItems")
    uri = bytes(to_url(path).toEncoded().data()).decode()
    uris = QDBusArgument() << [uri]  # a list by itself would go out as an array of variants
    call.setArguments([uris, ""])
    watcher = QDBusPendingCallWatcher(QDBusConnection.sessionBus().asyncCall(call), parent)

    def answered() -> None:
        if watcher.isError():
            QDesktopServices.openUrl(to_url(os.path.dirname(path)))
        watcher.deleteLater()

    watcher.finished.connect(answered)
