"""The targets: what each is, whether files can be sent there, and which one is used."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QListWidget,
    QListWidgetItem,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from dropline.events import Proof
from dropline_desktop.language import worded
from dropline_desktop.limit import LimitBox
from dropline_desktop.parts import Airy, alarm
from dropline_desktop.settings import Settings
from dropline_desktop.settings.profile import Profile, name_for, named
from dropline_desktop.spoken import spoken
from dropline_desktop.text import printable
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
#: Where an item of the list keeps the name of its target.
_NAME = Qt.ItemDataRole.UserRole


class DestinationDialog(QDialog):
    """Keeps targets and tries them out; the one chosen is used from the next start on."""

    #: Targets or the choice among them were changed.
    changed = Signal()
    #: What a trial or the keyring said, from their thread: whether all is well, and a sentence.
    _told = Signal(bool, str)
    #: A profile is good, and its secret is in the keyring; whether it is to be used.
    _kept = Signal(object, bool)

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
        self._working = False
        self._explanation, self.answer = QLabel(), QLabel()
        self.list = QListWidget()
        self.add, self.remove = QPushButton(), QPushButton()
        self.name, self.url, self.user, self.secret = (QLineEdit() for _ in range(4))
        self.limit = LimitBox(None)
        self._labels = [QLabel() for _ in range(5)]
        self._form = QWidget()
        self.test, self.keep, self.use = QPushButton(), QPushButton(), QPushButton()
        self._lay_out()
        self._connect()
        worded(self, self._word)

    def open(self) -> None:
        """Show what is chosen now."""
        self._fill(self._settings.profile)
        self.answer.clear()
        super().open()

    # --- parts ------------------------------------------------------------------------------

    def _lay_out(self) -> None:
        self.list.setObjectName("targets")
        self.list.setItemDelegate(Airy(self.list, Space.S))
        self.list.setTextElideMode(Qt.TextElideMode.ElideMiddle)
        self.list.setMinimumWidth(220)
        self.secret.setEchoMode(QLineEdit.EchoMode.Password)
        self.url.setPlaceholderText(EXAMPLES[0])
        form = QFormLayout(self._form)
        form.setContentsMargins(0, 0, 0, 0)
        fields = (self.name, self.url, self.user, self.secret, self.limit)
        for label, field in zip(self._labels, fields, strict=True):
            label.setBuddy(field)
            form.addRow(label, field)
        for text in (self._explanation, self.answer):
            text.setWordWrap(True)
            text.setTextFormat(Qt.TextFormat.PlainText)
        self.answer.setMinimumHeight(3 * self.fontMetrics().lineSpacing())
        self.answer.setAlignment(Qt.AlignmentFlag.AlignTop)
        left, right, beneath = QVBoxLayout(), QVBoxLayout(), QHBoxLayout()
        for button in (self.add, self.remove):
            beneath.addWidget(button)
        left.addWidget(self.list, 1)
        left.addLayout(beneath)
        right.addWidget(self._form)
        right.addWidget(self.answer, 1)
        middle = QHBoxLayout()
        middle.setSpacing(Space.L)
        middle.addLayout(left)
        middle.addLayout(right, 1)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.rejected.connect(self.reject)
        for button in (self.test, self.keep, self.use):
            buttons.addButton(button, QDialogButtonBox.ButtonRole.ActionRole)
        layout = QVBoxLayout(self)
        layout.setSpacing(Space.L)
        layout.addWidget(self._explanation)
        layout.addLayout(middle, 1)
        layout.addWidget(buttons)
        for button in self.findChildren(QPushButton):
            button.setAutoDefault(False)  # Return in a field does none of these
        self.resize(760, 400)

    def _connect(self) -> None:
        self.list.currentItemChanged.connect(self._show_chosen)
        self.add.clicked.connect(self._begin_new)
        self.remove.clicked.connect(self._remove)
        self.test.clicked.connect(self._try_out)
        self.keep.clicked.connect(lambda: self._keep(use=False))
        self.use.clicked.connect(self._use)
        self.url.textChanged.connect(self._show_state)
        self.limit.refused.connect(lambda text: self._tell(False, text))
        self._told.connect(lambda well, text: self._tell(well, text))
        self._kept.connect(self._remember)

    def _word(self) -> None:
        self.setWindowTitle(self.tr("Send to…"))
        self._explanation.setText(
            self.tr(
                "Files go to the receiver inside this window, or to an address of yours: another "
                "receiver of Dropline's, WebDAV, tus, S3 or a form. Examples: {}"
            ).format("  ".join(EXAMPLES))
        )
        self.list.setAccessibleName(self.tr("Targets"))
        for label, text in zip(
            self._labels,
            (
                self.tr("&Name"),
                self.tr("&Address"),
                self.tr("&User"),
                self.tr("&Password or token"),
                self.tr("&Limit"),
            ),
            strict=True,
        ):
            label.setText(text)
        self.secret.setPlaceholderText(self.tr("as kept in the keyring"))
        self.add.setText(self.tr("A&dd"))
        self.remove.setText(self.tr("&Remove"))
        self.test.setText(self.tr("&Test: send a small file"))
        self.keep.setText(self.tr("&Keep"))
        self.use.setText(self.tr("Use &from the next start on"))
        self._fill(self._selected())

    # --- the list ---------------------------------------------------------------------------

    def _selected(self) -> str:
        """The name of the target that is selected; "" for the own receiver and for a new one."""
        item = self.list.currentItem()
        return item.data(_NAME) if item is not None else ""

    def _fill(self, name: str) -> None:
        """List the targets, and select that of a name."""
        used = self._settings.profile
        with QSignalBlocker(self.list):
            self.list.clear()
            self._add_item("", self.tr("The receiver in this window"), used=not used)
            for profile in self._settings.profiles:
                text = f"{printable(profile.name)} · {profile.kind}"
                self._add_item(profile.name, text, used=profile.name == used)
            names = [self.list.item(row).data(_NAME) for row in range(self.list.count())]
            self.list.setCurrentRow(names.index(name) if name in names else 0)
        self._show_chosen()

    def _add_item(self, name: str, text: str, *, used: bool) -> None:
        item = QListWidgetItem(f"{text} ✓" if used else text)
        item.setToolTip(text)
        item.setData(_NAME, name)
        self.list.addItem(item)

    def _show_chosen(self) -> None:
        profile = named(self._settings.profiles, self._selected())
        self._form.setEnabled(profile is not None)
        self._show_profile(profile or Profile("", ""))

    def _show_profile(self, profile: Profile) -> None:
        self.name.setText(profile.name)
        self.url.setText(profile.url)
        self.user.setText(profile.user)
        self.limit.show_limit(profile.limit)
        self.secret.clear()
        self._show_state()

    def _begin_new(self) -> None:
        self.list.setCurrentRow(-1)
        self._form.setEnabled(True)
        self._show_profile(Profile("", ""))
        self.answer.clear()
        self.url.setFocus()

    def _show_state(self) -> None:
        item = self.list.currentItem()
        old = item is not None and bool(item.data(_NAME))
        given = not self._working and bool(self.url.text().strip()) and self._form.isEnabled()
        own = item is not None and not old
        self.test.setEnabled(given)
        self.keep.setEnabled(given)
        self.use.setEnabled(given or (own and not self._working and bool(self._settings.profile)))
        self.add.setEnabled(not self._working)
        self.remove.setEnabled(old and not self._working)
        self.list.setEnabled(not self._working)

    # --- what is done -----------------------------------------------------------------------

    def _profile(self) -> Profile:
        """What the form says."""
        url = self.url.text().strip()
        name = self.name.text().strip() or name_for(url)
        return Profile(name, url, self.user.text().strip(), self.limit.limit)

    def _use(self) -> None:
        if self._form.isEnabled():
            self._keep(use=True)
        else:
            self._settings.profile = ""
            self._settings.save()
            self.changed.emit()
            self.accept()

    def _keep(self, *, use: bool) -> None:
        profile, chosen, secret = self._profile(), self._chosen(), self.secret.text() or None
        others = {each.name for each in self._settings.profiles} - {self._selected()}
        if profile.name in others:
            text = self.tr("There is a target “{}” already: give this one another name.")
            self._tell(False, text.format(printable(profile.name)))
            return

        def keep() -> str:
            if secret:
                chosen.keep(secret)
            chosen.open(self._installation(), secret)  # says what is wrong with it
            self._kept.emit(profile, use)
            return self.tr("“{}” is kept.").format(printable(profile.name))

        self._begin(keep)

    def _remember(self, profile: Profile, use: bool) -> None:
        old = self._selected()
        profiles = list(self._settings.profiles)
        place = next((i for i, each in enumerate(profiles) if each.name == old), len(profiles))
        profiles[place : place + 1] = [profile]
        used = use or (old and old == self._settings.profile)
        self._settings.profiles = profiles
        if used:
            self._settings.profile = profile.name
        self._settings.save()
        self._fill(profile.name)
        self.changed.emit()
        if use:
            self.accept()

    def _remove(self) -> None:
        gone = named(self._settings.profiles, self._selected())
        if gone is None:
            return
        rest = [each for each in self._settings.profiles if each.name != gone.name]
        if gone.name == self._settings.profile:
            self._settings.profile = ""
        self._settings.profiles = rest
        self._settings.save()
        self._fill("")
        self.changed.emit()
        if any((each.url, each.user) == (gone.url, gone.user) for each in rest):
            return  # which need the secret

        def forget() -> str:
            from dropline.targets.chosen import Chosen

            Chosen(gone.url, gone.user).forget()
            return self.tr("“{}” is gone, and its password with it.").format(printable(gone.name))

        self._begin(forget)

    def _try_out(self) -> None:
        chosen, secret = self._chosen(), self.secret.text() or None

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

    def _chosen(self) -> Chosen:
        from dropline.targets.chosen import Chosen

        profile = self._profile()
        return Chosen(profile.url, profile.user)

    def _begin(self, work: Callable[[], str]) -> None:
        """Do what waits for a network or a keyring, in a thread; `_told` says how it ended."""

        def run() -> None:
            try:
                self._told.emit(True, work())
            except ValueError as error:
                self._told.emit(False, spoken(str(error)))

        self._working = True
        self._tell(True, self.tr("One moment…"), done=False)
        threading.Thread(target=run, name="destination", daemon=True).start()

    def _tell(self, well: bool, text: str, done: bool = True) -> None:
        alarm(self.answer, not well)
        self.answer.setText(text)
        if done:
            self._working = False
        self._show_state()
