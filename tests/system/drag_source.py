"""The other program of a drag: a window from which a drag starts, such as a file manager's.

    drag_source.py [--then-delete] PATH…
    drag_source.py --text TEXT

Prints "ready" when its window is shown, "started" when a drag begins, "action NAME" whenever the
target changes what it would do, and "dropped NAME" at the end. With --then-delete the paths are
deleted as soon as the target says that it has finished, as an archive manager does.
"""

from __future__ import annotations

import argparse
import os
import shutil
from pathlib import Path

from PySide6.QtCore import QMimeData, Qt, QTimer
from PySide6.QtGui import QDrag, QMouseEvent
from PySide6.QtWidgets import QApplication, QLabel


class Source(QLabel):
    """Starts a drag when the mouse is moved with its button held."""

    def __init__(self, mime_type: str, data: bytes, delete: list[Path]) -> None:
        super().__init__("Drag from here")
        self.setWindowTitle("Drag source")
        self.setAlignment(Qt.AlignmentFlag.AlignCenter)
        self.resize(200, 160)
        self._mime_type, self._data, self._delete = mime_type, data, delete
        self._dragging = False

    def mouseMoveEvent(self, event: QMouseEvent) -> None:
        if event.buttons() & Qt.MouseButton.LeftButton and not self._dragging:
            self._dragging = True
            QTimer.singleShot(0, self._drag)  # it runs an event loop of its own

    def _drag(self) -> None:
        mime = QMimeData()
        mime.setData(self._mime_type, self._data)
        drag = QDrag(self)
        drag.setMimeData(mime)
        drag.actionChanged.connect(lambda action: say(f"action {action.name}"))
        # exec returns when the button is released; Qt keeps the drag until XdndFinished.
        drag.destroyed.connect(self._delete_all)
        say("started")
        action = drag.exec(Qt.DropAction.CopyAction | Qt.DropAction.MoveAction)
        say(f"dropped {action.name}")
        self._dragging = False

    def _delete_all(self) -> None:
        for path in self._delete:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


def say(line: str) -> None:
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--then-delete", action="store_true")
    parser.add_argument("--text")
    parser.add_argument("paths", nargs="*", type=Path)
    options = parser.parse_args()
    app = QApplication([])
    if options.text is not None:
        mime_type, data = "text/plain", options.text.encode()
    else:
        # as_uri keeps the bytes of a name that is not UTF-8, as file managers do
        uris = (Path(os.path.abspath(path)).as_uri() for path in options.paths)
        mime_type, data = "text/uri-list", "".join(f"{uri}\r\n" for uri in uris).encode()
    source = Source(mime_type, data, options.paths if options.then_delete else [])
    source.show()
    QTimer.singleShot(0, lambda: say("ready"))
    app.exec()


if __name__ == "__main__":
    main()
