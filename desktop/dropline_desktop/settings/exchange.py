"""Settings as a file that another installation can read: JSON, and no password in it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from PySide6.QtCore import QCoreApplication

from dropline_desktop.settings.forms import Setting
from dropline_desktop.spoken import why

translate = QCoreApplication.translate

#: What tells such a file from others. The number changes when older programs cannot read it.
MARK = {"program": "Dropline", "settings_format": 1}
#: Bytes that such a file has at most.
LARGEST = 1_000_000


def to_text(settings: Iterable[Setting]) -> str:
    """The values that hold now, but for those that hold for today only."""
    values = {
        each.key: value
        for each in settings
        if each.exported and each.get is not None and each.form.accepts(value := each.get())
    }
    return json.dumps({**MARK, "settings": values}, indent=2) + "\n"


def from_text(text: str, settings: Iterable[Setting]) -> dict[str, Any]:
    """The values that a file has, each checked. Raises ValueError with a sentence."""
    try:
        match json.loads(text):
            case {"settings": dict(values), **rest} if MARK.items() <= rest.items():
                pass
            case _:
                raise ValueError
    except (ValueError, RecursionError) as error:
        raise ValueError(_foreign()) from error
    known = {each.key: each for each in settings if each.exported and each.set is not None}
    for key, value in values.items():
        if key not in known or not known[key].form.accepts(value):
            raise ValueError(
                translate("Settings", "“{0}” can't be {1} here: correct it or take it out").format(
                    key, json.dumps(value, ensure_ascii=False)[:60]
                )
            )
    return values


def apply(values: Mapping[str, Any], settings: Iterable[Setting]) -> None:
    """Set what `from_text` gave and what differs from what holds now."""
    for each in settings:
        if each.get is not None and each.set is not None and each.key in values:
            value = values[each.key]
            if value != each.get():
                each.set(value)


def read(path: Path) -> str:
    """The text of a file. Raises ValueError with a sentence; for no GUI thread."""
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST + 1)
        if len(content) > LARGEST:
            raise ValueError(
                translate("Settings", "it is too large for settings: choose another file")
            )
        return content.decode("utf-8")
    except OSError as error:
        raise ValueError(why(error)) from error
    except UnicodeDecodeError as error:
        raise ValueError(_foreign()) from error


def _foreign() -> str:
    return translate("Settings", "it holds no settings of Dropline: export them there first")
