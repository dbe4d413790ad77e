"""The dialog of all settings: by sections, or those that a search finds."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

from PySide6.QtCore import QEvent, QSignalBlocker, Qt, Signal
from PySide6.QtGui import QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFileDialog,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from dropline_desktop.charts.export import Writer
from dropline_desktop.language import worded
from dropline_desktop.parts import Airy, alarm, mute
from dropline_desktop.scrolled import Scrolled
from dropline_desktop.settings import exchange
from dropline_desktop.settings.editors import Editor
from dropline_desktop.settings.forms import Section, Setting
from dropline_desktop.text import printable
from dropline_desktop.theme import Size, Space, Theme


class Row(QWidget):
    """One setting: what it is called, what it means, and its control."""

    #: It was set.
    changed = Signal()

    def __init__(self, setting: Setting, theme: Theme) -> None:
        super().__init__()
        self.setting = setting
        self._theme = theme
        self._label, self._note = QLabel(), QLabel()
        self.editor = Editor(setting.form, theme)
        self.editor.control.setObjectName(f"setting_{setting.key}")
        self._label.setBuddy(self.editor.control)
        self.editor.wanted.connect(self._set)
        for label in (self._label, self._note):
            label.setWordWrap(True)
        words = QVBoxLayout()
        words.setSpacing(Space.XS)
        words.addWidget(self._label)
        words.addWidget(self._note)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(Space.XL)
        row.addLayout(words, 1)
        row.addWidget(self.editor, 0, Qt.AlignmentFlag.AlignTop)
        self._dress()

    def word(self) -> None:
        """Write it in the language shown."""
        label, note = self.setting.words()
        self._label.setText(label)
        self._note.setText(note)
        self.editor.name(label)
        self.refresh()

    def refresh(self) -> None:
        """Show what holds now."""
        self.editor.word()
        if self.setting.get is not None:
            self.editor.show_value(self.setting.get())

    def has(self, words: Sequence[str]) -> bool:
        """Whether its words have all of these, whole or in part."""
        text = f"{self._label.text()} {self._note.text()}".casefold()
        return all(word in text for word in words)

    def _set(self, value: object) -> None:
        assert self.setting.set is not None
        self.setting.set(value)
        self.changed.emit()

    def _dress(self) -> None:
        self._label.setFont(self._theme.font(Size.TITLE))
        self._note.setFont(self._theme.font(Size.CAPTION))
        mute(self._note)


class SettingsDialog(QDialog):
    """Applies each change at once, and shows what was changed elsewhere meanwhile."""

    #: A file was read: its text, or a sentence that says why not.
    _read = Signal(str, str, str)

    def __init__(self, theme: Theme, settings: Sequence[Setting], parent: QWidget) -> None:
        super().__init__(parent)
        self._theme = theme
        self._settings = settings
        self.search = QLineEdit()
        self.sections = QListWidget()
        self.rows = [Row(setting, theme) for setting in settings]
        self._shown = [s for s in Section if any(row.setting.section is s for row in self.rows)]
        self._titles = {section: QLabel() for section in self._shown}
        self._nothing, self.answer = QLabel(), QLabel()
        self.export, self.load = QPushButton(), QPushButton()
        self._writer = Writer(self)
        self._lay_out()
        self._connect()
        self._dress()
        worded(self, self._word)

    def refresh(self) -> None:
        """Show what holds now."""
        for row in self.rows:
            row.refresh()

    def write(self, path: Path) -> None:
        """Have the settings written into a file."""
        text = exchange.to_text(self._settings)

        def write(part: Path) -> None:
            part.write_text(text, encoding="utf-8")

        self._writer.write(path, write)

    def take(self, path: Path) -> None:
        """Have the settings read from a file; one that is not good changes nothing."""

        def read() -> None:
            try:
                self._read.emit(str(path), exchange.read(path), "")
            except ValueError as error:
                self._read.emit(str(path), "", str(error))

        threading.Thread(target=read, name="settings", daemon=True).start()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.answer.clear()
        self.search.clear()
        self.search.setFocus()
        self.refresh()

    def changeEvent(self, event: QEvent) -> None:
        super().changeEvent(event)
        if event.type() is QEvent.Type.ActivationChange and self.isActiveWindow():
            self.refresh()

    # --- parts ------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.setObjectName("settings")
        self.search.setObjectName("settingsSearch")
        self.search.setClearButtonEnabled(True)
        self.sections.setObjectName("settingsSections")
        self.sections.setItemDelegate(Airy(self.sections, Space.S))
        self._nothing.setWordWrap(True)
        for text in (self.answer, self._nothing):
            text.setTextFormat(Qt.TextFormat.PlainText)
        self.answer.setWordWrap(True)
        page = QWidget()
        column = QVBoxLayout(page)
        column.setContentsMargins(Space.L, 0, Space.L, 0)
        column.setSpacing(Space.XL)
        for section, title in self._titles.items():
            column.addWidget(title)
            for row in self.rows:
                if row.setting.section is section:
                    column.addWidget(row)
        column.addWidget(self._nothing)
        column.addStretch()
        middle = QHBoxLayout()
        middle.setSpacing(Space.M)
        middle.addWidget(self.sections)
        middle.addWidget(Scrolled(page), 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.close)
        # Return in the search field closes nothing.
        buttons.button(QDialogButtonBox.StandardButton.Close).setAutoDefault(False)
        for button in (self.export, self.load):
            button.setAutoDefault(False)
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.setSpacing(Space.L)
        layout.addWidget(self.search)
        layout.addLayout(middle, 1)
        layout.addWidget(self.answer)
        layout.addWidget(buttons)
        self.resize(780, 520)

    def _connect(self) -> None:
        self.search.textChanged.connect(self._show_rows)
        self.sections.currentRowChanged.connect(self._choose_section)
        self.export.clicked.connect(self._ask_where)
        self.load.clicked.connect(self._ask_which)
        self._read.connect(self._apply)
        self._writer.written.connect(
            lambda path: self._tell(self.tr("Saved as {}").format(printable(path)))
        )
        self._writer.failed.connect(lambda text: self._tell(text, well=False))
        for row in self.rows:
            row.changed.connect(self.refresh)
            row.editor.refused.connect(lambda text: self._tell(text, well=False))

    def _word(self) -> None:
        self.setWindowTitle(self.tr("Settings"))
        self.search.setPlaceholderText(self.tr("What do you want to set?"))
        self.search.setAccessibleName(self.tr("Find a setting"))
        self.sections.setAccessibleName(self.tr("Sections"))
        self._nothing.setText(self.tr("No setting has these words: try others, or fewer of them."))
        self.export.setText(self.tr("&Export…"))
        self.load.setText(self.tr("&Import…"))
        self.export.setToolTip(self.tr("All settings into a file, without passwords"))
        self.load.setToolTip(self.tr("Settings from such a file; what it does not name stays"))
        for section, title in self._titles.items():
            title.setText(section.title)
        current = max(0, self.sections.currentRow())
        with QSignalBlocker(self.sections):
            self.sections.clear()
            self.sections.addItems([section.title for section in self._shown])
            self.sections.setCurrentRow(current)
        margin = 2 * (self.sections.frameWidth() + Space.L)
        self.sections.setFixedWidth(self.sections.sizeHintForColumn(0) + margin)
        for row in self.rows:
            row.word()
        self._show_rows()

    def _dress(self) -> None:
        for title in self._titles.values():
            title.setFont(self._theme.font(Size.FIGURE))

    # --- what is shown ----------------------------------------------------------------------

    def _choose_section(self) -> None:
        self.search.clear()
        self._show_rows()

    def _show_rows(self) -> None:
        words = self.search.text().casefold().split()
        chosen = self._shown[self.sections.currentRow()]
        found = False
        for section, title in self._titles.items():
            rows = [row for row in self.rows if row.setting.section is section]
            for row in rows:
                row.setVisible(row.has(words) if words else section is chosen)
            some = any(not row.isHidden() for row in rows)
            title.setVisible(some)
            found = found or some
        self._nothing.setVisible(not found)
        self.sections.currentItem().setSelected(not words)

    # --- files ------------------------------------------------------------------------------

    def _ask_where(self) -> None:
        dialog = self._ask_file(self.tr("Export the settings"))
        dialog.setAcceptMode(QFileDialog.AcceptMode.AcceptSave)
        dialog.setDefaultSuffix("json")
        dialog.selectFile("dropline-settings.json")
        dialog.fileSelected.connect(lambda chosen: self.write(Path(chosen)))
        dialog.open()

    def _ask_which(self) -> None:
        dialog = self._ask_file(self.tr("Import settings"))
        dialog.setFileMode(QFileDialog.FileMode.ExistingFile)
        dialog.fileSelected.connect(lambda chosen: self.take(Path(chosen)))
        dialog.open()

    def _ask_file(self, title: str) -> QFileDialog:
        dialog = QFileDialog(self, title)
        dialog.setNameFilter("*.json")
        dialog.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        return dialog

    def _apply(self, path: str, text: str, problem: str) -> None:
        if not problem:
            try:
                exchange.apply(exchange.from_text(text, self._settings), self._settings)
            except ValueError as error:
                problem = str(error)
        name = printable(Path(path).name)
        if problem:
            words = self.tr("“{0}” was not imported, and nothing was changed: {1}.")
            self._tell(words.format(name, problem), well=False)
        else:
            self._tell(self.tr("Imported from “{}”.").format(name))
        self.refresh()

    def _tell(self, text: str, *, well: bool = True) -> None:
        alarm(self.answer, not well)
        self.answer.setText(text)
