"""Let a phone send here: the address of the receiver's page, and a picture of it to point at."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtGui import QColor, QGuiApplication, QImage, QPixmap, QShowEvent
from PySide6.QtWidgets import (
    QDialog,
    QDialogButtonBox,
    QLabel,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from dropline_desktop.icons import icon
from dropline_desktop.language import worded
from dropline_desktop.spoken import spoken
from dropline_desktop.theme import Space, Theme

#: The side of the QR code, in device-independent pixels at least.
SIDE = 240
#: Light modules around the code, without which readers do not find it.
QUIET = 4


class ShareDialog(QDialog):
    """Lets others in while it says so; whoever closes it leaves that as it is."""

    #: Let others in, and tell the address by `show_address`.
    asked = Signal()
    #: Let nobody in any more.
    ended = Signal()

    def __init__(self, theme: Theme, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.address = self._failure = ""
        self.explanation = QLabel()
        self.code = QLabel()
        self.link = QLabel()
        self.copy = QPushButton(icon("copy", theme), "")
        self.end = QPushButton(icon("stop", theme), "")
        self._lay_out()
        worded(self, self._word)

    def open(self) -> None:
        """Show, and let others in."""
        super().open()
        if not self.address:
            self.explanation.setText(self.tr("One moment…"))
            self.asked.emit()

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.adjustSize()  # to the words, whose height is known only now

    def show_address(self, address: str, failure: str) -> None:
        """Others are let in at this address; or, without one, nobody is, and why."""
        self.address, self._failure = address, failure
        self.explanation.setText(
            spoken(failure)
            or self.tr(
                "Point the phone's camera here. Whoever in your network knows this address can "
                "send files here, see and delete those that are stored, until you end it or close "
                "Dropline. The network itself can read what is sent."
            )
        )
        self.link.setText(address)
        if address:
            self.code.setPixmap(qr_code(address, self.devicePixelRatioF()))
            self.code.setAccessibleName(self.tr("QR code of {}").format(address))
        for part in (self.code, self.link, self.copy, self.end):
            part.setVisible(bool(address))
        self.adjustSize()

    def _word(self) -> None:
        self.setWindowTitle(self.tr("Send from a phone"))
        self.copy.setText(self.tr("Copy the address"))
        self.end.setText(self.tr("Let nobody in any more"))
        self.show_address(self.address, self._failure)

    def _lay_out(self) -> None:
        self.explanation.setWordWrap(True)
        self.explanation.setMinimumWidth(360)
        self.explanation.setTextFormat(Qt.TextFormat.PlainText)
        self.code.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.link.setAlignment(Qt.AlignmentFlag.AlignHCenter)
        self.link.setTextFormat(Qt.TextFormat.PlainText)
        self.link.setTextInteractionFlags(
            Qt.TextInteractionFlag.TextSelectableByMouse
            | Qt.TextInteractionFlag.TextSelectableByKeyboard
        )
        self.copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(self.address))
        self.end.clicked.connect(self._end)
        buttons = QDialogButtonBox(QDialogButtonBox.StandardButton.Close)
        buttons.addButton(self.copy, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.addButton(self.end, QDialogButtonBox.ButtonRole.ActionRole)
        buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.setSpacing(Space.L)
        for part in (self.explanation, self.code, self.link, buttons):
            layout.addWidget(part)

    def _end(self) -> None:
        self.ended.emit()
        self.show_address("", "")
        self.accept()


def qr_code(text: str, ratio: float = 1.0) -> QPixmap:
    """The QR code of a text, dark on light in either scheme, as readers want it.

    `ratio` is the pixels of the device for one of the window's.
    """
    import segno

    matrix = segno.make(text, error="m", micro=False).matrix
    side = len(matrix) + 2 * QUIET
    image = QImage(side, side, QImage.Format.Format_RGB32)
    image.fill(QColor("white"))
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            if dark:
                image.setPixelColor(QUIET + x, QUIET + y, QColor("black"))
    scale = -int(-SIDE * ratio // side)
    picture = QPixmap.fromImage(image.scaled(side * scale, side * scale))
    picture.setDevicePixelRatio(ratio)
    return picture
