"""Keys that move the view of charts."""

from __future__ import annotations

from PySide6.QtCore import Qt


def moved(view: tuple[float, float], key: int) -> tuple[float, float] | None:
    """The view after a key: arrows pan by an eighth, + and - zoom; None for any other key."""
    start, end = view
    step = (end - start) / 8
    match key:
        case Qt.Key.Key_Left:
            return start - step, end - step
        case Qt.Key.Key_Right:
            return start + step, end + step
        case Qt.Key.Key_Plus | Qt.Key.Key_Equal:
            return start + step, end - step
        case Qt.Key.Key_Minus:
            return start - step, end + step
    return None
