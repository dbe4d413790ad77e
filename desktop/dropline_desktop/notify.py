"""A desktop notification where there is no tray to show it, through org.freedesktop.Notifications.

GLib's `gdbus` makes the call, in a process of its own: `Notify` takes a 32-bit unsigned number,
which PySide's QtDBus cannot send (its only integers are `int32` and `uint16`).
"""

from __future__ import annotations

import html
import json

from PySide6.QtCore import QProcess, QStandardPaths

_NAME = "org.freedesktop.Notifications"


def notify(title: str, body: str, *, milliseconds: int = 8000) -> bool:
    """Ask for a notification and return at once; False where nobody can be asked.

    Whether it is shown is the desktop's affair: nothing here waits for that, and nothing fails.
    """
    program = QStandardPaths.findExecutable("gdbus")
    if not program:
        return False
    call = QProcess()
    call.setProgram(program)
    call.setArguments(
        [
            *("call", "--session", "--timeout", "5"),
            *("--dest", _NAME, "--object-path", "/" + _NAME.replace(".", "/")),
            *("--method", f"{_NAME}.Notify"),
            *(_quoted("Dropline"), "0", _quoted("")),
            *(_quoted(title), _quoted(html.escape(body, quote=False))),  # the body is markup
            *("[]", "{}", str(milliseconds)),
        ]
    )
    call.setStandardOutputFile(QProcess.nullDevice())
    call.setStandardErrorFile(QProcess.nullDevice())
    return bool(call.startDetached())


def _quoted(text: str) -> str:
    """Text as gdbus reads it: a JSON string is one of GVariant too."""
    return json.dumps(text, ensure_ascii=False)
