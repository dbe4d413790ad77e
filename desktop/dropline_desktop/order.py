"""The order of the queue: a choice, what it does to τ in words, and what a change did to it."""

from __future__ import annotations

from PySide6.QtCore import QSignalBlocker, Qt, Signal
from PySide6.QtWidgets import QComboBox, QLabel, QSizePolicy, QVBoxLayout, QWidget

from dropline.station import SMALL, Order, Reading
from dropline_desktop import format
from dropline_desktop.effect import BEFORE, ENOUGH, Effect
from dropline_desktop.language import worded
from dropline_desktop.parts import mute
from dropline_desktop.sentences import order_name
from dropline_desktop.theme import Size, Space, Theme


class OrderChoice(QWidget):
    """Asks for an order of the queue, and compares mean τ before and since the last change."""

    orderWanted = Signal(Order)

    def __init__(self, theme: Theme, order: Order, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._theme = theme
        self._effect = Effect()
        self.box = QComboBox()
        self._title = QLabel()
        self._note = QLabel()
        self._means = QLabel()
        self._set_up(order)
        self._lay_out()
        self._dress()
        worded(self, self._word)

    @property
    def order(self) -> Order:
        """The order that the box shows."""
        return Order(self.box.currentData())

    def show_reading(self, reading: Reading) -> None:
        """Take in how long files took."""
        self._effect.add_reading(reading)
        if self._means.isVisibleTo(self):
            self._tell_means()

    def show_change(self, order: Order, t: float) -> None:
        """The order changed at `t`, on the clock of the readings."""
        with QSignalBlocker(self.box):
            self.box.setCurrentIndex(self.box.findData(order.value))
        self._note.setText(self._words(order))
        self._effect.changed(t)
        self._means.show()
        self._tell_means()

    def _set_up(self, order: Order) -> None:
        for known in Order:
            self.box.addItem("", known.value)
        self.box.setCurrentIndex(self.box.findData(order.value))
        self.box.setObjectName("order")
        self.box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.box.currentIndexChanged.connect(lambda: self.orderWanted.emit(self.order))
        self._title.setBuddy(self.box)
        self._note.setWordWrap(True)
        self._means.setObjectName("orderEffect")
        self._means.setWordWrap(True)
        self._means.hide()

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(Space.S)
        for part in (self._title, self.box, self._note, self._means):
            layout.addWidget(part)

    def _word(self) -> None:
        self._title.setText(self.tr("&Order"))
        for number, known in enumerate(Order):
            self.box.setItemText(number, order_name(known))
            self.box.setItemData(number, self._effect_on_times(known), Qt.ItemDataRole.ToolTipRole)
        self.box.setAccessibleName(self.tr("Order in which waiting files are sent"))
        self.box.setToolTip(
            "".join(
                f"<p><b>{order_name(known)}</b>: {self._effect_on_times(known)}</p>"
                for known in Order
            )
        )
        self._means.setToolTip(
            self.tr(
                "<p><b>Mean response time τ</b> of the files finished in the {0} before the order "
                "was changed last (or since the change before, where that is more recent), and of "
                "those finished since. Each is shown from {1} files on. What else changed, such as "
                "the workers or the length of the queue, counts too.</p>"
            ).format(format.duration(BEFORE), format.count(ENOUGH))
        )
        self._note.setText(self._words(self.order))
        self._tell_means()

    def _words(self, order: Order) -> str:
        return {
            Order.FIFO: self.tr("Files are sent in the order in which they came."),
            Order.SHORTEST: self.tr("Small files go before larger ones."),
            Order.SMALL_LANE: self.tr("Large files leave a worker to the small ones."),
        }[order]

    def _effect_on_times(self, order: Order) -> str:
        return {
            Order.FIFO: self.tr(
                "each file waits for all that came before it, so one large file makes τ long for "
                "all behind it; no file is overtaken."
            ),
            Order.SHORTEST: self.tr(
                "no small file waits for a larger one, which makes mean τ as short as any order "
                "can; the largest files wait longest, and the slowest τ (p99) may grow."
            ),
            Order.SMALL_LANE: self.tr(
                "while files of up to {} wait, larger ones never hold all workers: τ of small "
                "files stays short, and large ones lose one worker at most."
            ).format(format.size(SMALL)),
        }[order]

    def _tell_means(self) -> None:
        text = self.tr("Mean τ: {0} before, {1} since").format(
            format.duration(self._effect.before), format.duration(self._effect.since)
        )
        if text != self._means.text():
            self._means.setText(text)

    def _dress(self) -> None:
        self._title.setFont(self._theme.font(Size.TITLE))
        for label in (self._note, self._means):
            label.setFont(self._theme.font(Size.CAPTION))
        mute(self._note)
