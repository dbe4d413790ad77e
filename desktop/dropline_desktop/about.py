"""About Dropline: its version, where it keeps things here, and the licences of what it brings."""

from __future__ import annotations

import re
import sys
import threading
from collections.abc import Iterator
from html import escape
from importlib import metadata
from pathlib import Path

from PySide6.QtCore import Qt, QUrl, Signal
from PySide6.QtGui import QFontDatabase
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QHBoxLayout,
    QLabel,
    QPlainTextEdit,
    QVBoxLayout,
    QWidget,
)

from dropline import __version__
from dropline.home import Home
from dropline_desktop.icons import application_icon
from dropline_desktop.language import worded
from dropline_desktop.spoken import why
from dropline_desktop.theme import Space

#: What `make dist` writes beside the bundled program.
LICENCES = "LICENCES.txt"
#: The longest licence that stands in a line; longer ones are whole texts.
LINE = 60


class AboutDialog(QDialog):
    """Asks nothing. What takes the disk is read in a thread, the first time that it is shown."""

    _read = Signal(str)

    def __init__(self, home: Home, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._home = home
        self._reader: threading.Thread | None = None
        self._picture, self.name, self.places, self._of = QLabel(), QLabel(), QLabel(), QLabel()
        self.licences = QPlainTextEdit()
        self._lay_out()
        self._read.connect(self.licences.setPlainText)
        worded(self, self._word)

    def open(self) -> None:
        """Show, and read the licences once."""
        super().open()
        if self._reader is None:
            self._reader = threading.Thread(
                target=lambda: self._read.emit(licences()), name="licences", daemon=True
            )
            self._reader.start()

    def _word(self) -> None:
        self.setWindowTitle(self.tr("About Dropline"))
        about = self.tr("Drop files in, watch the line, tune it. Free software, MIT licence.")
        self.name.setText(f"<p><b>Dropline {__version__}</b></p><p>{about}</p>")
        rows = (
            (self.tr("Data"), self._home.root),
            (self.tr("Logs and crash reports"), self._home.logs),
        )
        self.places.setText("".join(f"<p>{what}: {link(path)}</p>" for what, path in rows))
        self._of.setText(self.tr("&Licences of what is in it"))

    def _lay_out(self) -> None:
        self._picture.setPixmap(application_icon().pixmap(64, 64))
        self._picture.setAlignment(Qt.AlignmentFlag.AlignTop)
        self.places.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
        self.places.setOpenExternalLinks(True)
        for text in (self.name, self.places):
            text.setWordWrap(True)
        self.licences.setReadOnly(True)
        self.licences.setTabChangesFocus(True)
        self.licences.setLineWrapMode(QPlainTextEdit.LineWrapMode.NoWrap)
        self.licences.setFont(QFontDatabase.systemFont(QFontDatabase.SystemFont.FixedFont))
        self.licences.setMinimumSize(560, 200)
        self._of.setBuddy(self.licences)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        top = QHBoxLayout()
        top.setSpacing(Space.L)
        top.addWidget(self._picture)
        top.addWidget(self.name, 1)
        layout = QVBoxLayout(self)
        layout.setSpacing(Space.L)
        layout.addLayout(top)
        for part in (self.places, self._of, self.licences, buttons):
            layout.addWidget(part)


def link(path: Path) -> str:
    """The path as a link that opens it."""
    url = QUrl.fromLocalFile(str(path)).toString(QUrl.ComponentFormattingOption.FullyEncoded)
    return f'<a href="{url}">{escape(str(path))}</a>'


def licences() -> str:
    """Of each package that is there, in a line: name, version, licence. Reads the disk.

    A bundled program has no packages, but the text that was made with it.
    """
    if getattr(sys, "frozen", False):
        try:
            return (Path(sys.executable).parent / LICENCES).read_text("utf-8")
        except OSError as error:
            return f"{LICENCES}: {why(error)}"
    lines = {
        f"{found.metadata['Name']} {found.version}: {_licence(found)}"
        for found in brought("dropline")
    }
    return "\n".join(sorted(lines, key=str.lower))


def brought(name: str) -> Iterator[metadata.Distribution]:
    """The package, and those that it needs and that are there; extras only of the first."""
    seen: set[str] = set()
    wanted = [name]
    while wanted:
        each = wanted.pop()
        if each in seen:
            continue
        seen.add(each)
        try:
            found = metadata.distribution(each)
        except metadata.PackageNotFoundError:
            continue  # for another platform, or an extra that was not asked for
        yield found
        needs = found.requires or ()
        wanted += [_name(need) for need in needs if each == name or "extra ==" not in need]


def _name(need: str) -> str:
    return re.split(r"[^\w.-]", need, maxsplit=1)[0].lower().replace("_", "-")


def _licence(found: metadata.Distribution) -> str:
    """What a package says of its licence, in short: the newest field of its metadata first."""
    for field in ("License-Expression", "License"):
        text = " ".join(found.metadata.get_all(field) or ()).strip()
        if text and len(text) <= LINE and "\n" not in text:
            return text
    classifiers = found.metadata.get_all("Classifier") or ()
    return (
        ", ".join(
            each.rpartition(" :: ")[2] for each in classifiers if each.startswith("License ::")
        )
        or "–"
    )
