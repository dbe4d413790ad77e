"""The sentences of `dropline.tuning.words`, in the language of the user."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QCoreApplication

from dropline_desktop import format

T = TypeVar("T")


def told(thing: T, words: Callable[..., str]) -> str:
    """What `words`, a function of `dropline.tuning.words`, says of a thing."""
    return words(thing, translate=_translate, duration=format.duration)


def _translate(text: str) -> str:
    return QCoreApplication.translate("Tuning", text)
