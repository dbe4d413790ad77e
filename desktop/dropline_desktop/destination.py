"""Where the window sends to: its own receiver, or any target that Dropline knows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QLineEdit,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from dropline.events import Proof
from dropline_desktop.language import worded
from dropline_desktop.settings import Settings
from dropline_desktop.theme import Space, Theme

if TYPE_CHECKING:
    from dropline.targets.chosen import Chosen

#: Addresses as examples of what can be sent to.
EXAMPLES = (
    "http://host:8765",
    "webdav+https://host/folder",
    "tus+https://host/files/",
    "s3://bucket/prefix",
    "multipart+https://host/upload",
)


class DestinationDialog(QDialog):
    """Asks for a target, tries it out and remembers it; it is used from the next start on."""

    #: What a trial or the keyring said, from their thread: whether all is well, and a sentence.
    _told = Signal(bool, str)
    _kept = Signal()

    def __init__(
        self,
        theme: Theme,
        settings: Settings,
        installation: Callable[[], str],
        parent: QWidget | None = None,
    ) -> None:
        """`installation` may wait for the disk; it is called in a thread."""
        super().__init__(parent)
        self._theme = theme
        self._settings = settings
        self._installation = installation
        self._explanation, self.answer = QLabel(), QLabel()
        self.url, self.user, self.secret = QLineEdit(), QLineEdit(), QLineEdit()
        self._labels = [QLabel() for _ in range(3)]
        self.test, self.use, self.own = QPushButton(), QPushButton(), QPushButton()
        self._lay_out()
        self.test.clicked.connect(self._try_out)
        self.use.clicked.connect(self._keep)
        self.own.clicked.connect(self._use_own)
        self.url.textChanged.connect(self._changed)
        self._told.connect(lambda well, text: self._tell(well, text))
        self._kept.connect(self._remember)
        worded(self, self._word)

    def open(self) -> None:
        """Show what is chosen now."""
        self.url.setText(self._settings.target)
        self.user.setText(self._settings.target_user)
        self.secret.clear()
        self.answer.clear()
        self._changed()
        super().open()

    def _lay_out(self) -> None:
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.url.setPlaceholderText(EXAMPLES[0])
        form = QFormLayout()
        for label, field in zip(self._labels, (self.url, self.user, self.secret), strict=True):
            label.setBuddy(field)
            form.addRow(label, field)
        for text in (self._explanation, self.answer):
            text.setWordWrap(True)
            text.setTextFormat(Qt.TextFormat.PlainText)
            text.setMinimumWidth(420)
        self.answer.setMinimumHeight(3 * self.fontMetrics().lineSpacing())
        self.answer.setAlignment(Qt.AlignmentFlag.AlignTop)
        buttons = QDialogButtonBox()
        buttons.addButton(self.own, QDialogButtonBox.ButtonRole.ResetRole)
        buttons.addButton(self.test, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.use, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(QDialogButtonBox.StandardButton.Cancel).clicked.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(Space.L)
        layout.addWidget(self._explanation)
        layout.addLayout(form)
        layout.addWidget(self.answer)
        layout.addWidget(buttons)

    def _word(self) -> None:
        self.setWindowTitle(self.tr("Send to…"))
        self._explanation.setText(
            self.tr(
                "Files go to the receiver inside this window, or to an address of yours: another "
                "receiver of Dropline's, WebDAV, tus, S3 or a form. Examples: {}"
            ).format("  ".join(EXAMPLES))
        )
        address, user, secret = self._labels
        address.setText(self.tr("&Address"))
        user.setText(self.tr("&User"))
        secret.setText(self.tr("&Password or token"))
        self.secret.setPlaceholderText(self.tr("as kept in the keyring"))
        self.test.setText(self.tr("&Test: send a small file"))
        self.use.setText(self.tr("Use from the next start on"))
        self.own.setText(self.tr("Use the receiver in this window"))

    def _changed(self) -> None:
        given = bool(self.url.text().strip())
        self.test.setEnabled(given)
        self.use.setEnabled(given)
        self.own.setEnabled(bool(self._settings.target))

    def _use_own(self) -> None:
        self._settings.target = self._settings.target_user = ""
        self._settings.save()
        self.accept()

    def _try_out(self) -> None:
        chosen, secret = self._chosen()

        def trial() -> str:
            from dropline.targets.chosen import TRIAL, try_out

            receipt = try_out(chosen.open(self._installation(), secret))
            proven = receipt.proof is not Proof.NONE
            text = (
                self.tr("It works: {} is there, and verified.")
                if proven
                else self.tr("It works: {} was taken; the server does not prove what it holds.")
            )
            return text.format(TRIAL)

        self._begin(trial)

    def _keep(self) -> None:
        chosen, secret = self._chosen()

        def keep() -> str:
            if secret:
                chosen.keep(secret)
            chosen.open(self._installation(), secret)  # says what is wrong with it
            self._kept.emit()
            return ""

        self._begin(keep)

    def _remember(self) -> None:
        self._settings.target = self.url.text().strip()
        self._settings.target_user = self.user.text().strip()
        self._settings.save()
        self.accept()

    def _chosen(self) -> tuple[Chosen, str | None]:
        from dropline.targets.chosen import Chosen

        chosen = Chosen(self.url.text().strip(), self.user.text().strip())
        return chosen, self.secret.text() or None

    def _begin(self, work: Callable[[], str]) -> None:
        """Do what waits for a network or a keyring, in a thread; `_told` says how it ended."""

        def run() -> None:
            try:
                self._told.emit(True, work())
            except ValueError as error:
                self._told.emit(False, str(error))

        for button in (self.test, self.use, self.own):
            button.setEnabled(False)
        self._tell(True, self.tr("One moment…"), done=False)
        threading.Thread(target=run, name="destination", daemon=True).start()

    def _tell(self, well: bool, text: str, done: bool = True) -> None:
        colours = self._theme.colours
        self.answer.setStyleSheet(f"color: {colours.text if well else colours.failed}")
        self.answer.setText(text)
        if done:
            self._changed()
