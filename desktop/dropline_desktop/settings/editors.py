"""A control for each form of setting. It shows what it is told, and says what the user asks for."""

from __future__ import annotations

from typing import Any

from PySide6.QtCore import QSignalBlocker, Signal
from PySide6.QtGui import QWheelEvent
from PySide6.QtWidgets import (
    QCheckBox,
    QComboBox,
    QHBoxLayout,
    QPushButton,
    QSizePolicy,
    QSpinBox,
    QWidget,
)

from dropline_desktop.limit import LimitBox
from dropline_desktop.settings.forms import (
    Aim,
    Choice,
    Elsewhere,
    Form,
    Number,
    Rate,
    Switch,
    goal_of,
    value_of,
)
from dropline_desktop.theme import Theme
from dropline_desktop.tune.goal import GoalChoice

#: Pixels that a control has.
WIDTH = 240


class _Box(QComboBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()  # who scrolls by means no other value


class _Spin(QSpinBox):
    def wheelEvent(self, event: QWheelEvent) -> None:
        event.ignore()


class Editor(QWidget):
    """The control of one setting."""

    wanted = Signal(object)
    #: Why what was typed can't be, as a sentence.
    refused = Signal(str)

    def __init__(self, form: Form, theme: Theme) -> None:
        super().__init__()
        self._form = form
        self.control = self._make(theme)
        self.setFixedWidth(WIDTH)
        row = QHBoxLayout(self)
        row.setContentsMargins(0, 0, 0, 0)
        row.addWidget(self.control)
        if isinstance(form, Number | Switch):
            row.addStretch()

    def name(self, text: str) -> None:
        """Say for screen readers, and where one points at it, what is asked for."""
        for part in (self.control, *self.control.findChildren(QComboBox)):
            part.setAccessibleName(text)
            part.setToolTip(text)

    def word(self) -> None:
        """Write what there is to choose from."""
        match self._form, self.control:
            case Choice(options=options), QComboBox() as box:
                with QSignalBlocker(box):
                    box.clear()
                    for value, name in options():
                        box.addItem(name, value)
            case Elsewhere(button=words), QPushButton() as button:
                button.setText(words())

    def show_value(self, value: Any) -> None:
        """Show what holds now."""
        with QSignalBlocker(self.control):
            match self.control:
                case LimitBox() as box:
                    box.show_limit(value)
                case QComboBox() as box:
                    box.setCurrentIndex(box.findData(value))
                case QSpinBox() as spin:
                    spin.setValue(value)
                case QCheckBox() as check:
                    check.setChecked(value)
                case GoalChoice() as choice:
                    choice.show_goal(goal_of(value))

    def _make(self, theme: Theme) -> QWidget:
        match self._form:
            case Choice():
                box = _Box()
                box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
                box.activated.connect(lambda index: self.wanted.emit(box.itemData(index)))
                return box
            case Number(least=least, most=most):
                spin = _Spin()
                spin.setRange(least, most)
                spin.setKeyboardTracking(False)
                spin.valueChanged.connect(self.wanted.emit)
                return spin
            case Switch():
                check = QCheckBox()
                check.toggled.connect(self.wanted.emit)
                return check
            case Rate():
                limit = LimitBox(None)
                limit.wanted.connect(self.wanted)
                limit.refused.connect(self.refused)
                return limit
            case Aim():
                choice = GoalChoice(theme)
                choice.show_choice_alone()
                choice.goalWanted.connect(lambda goal: self.wanted.emit(value_of(goal)))
                return choice
            case Elsewhere(open=open_dialog):
                button = QPushButton()
                button.setAutoDefault(False)
                button.clicked.connect(lambda: open_dialog())
                return button
