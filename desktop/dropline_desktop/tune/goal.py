"""The goal: what the user wants of the line, chosen in words."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

from PySide6.QtCore import QSignalBlocker, QTime, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QDoubleSpinBox,
    QHBoxLayout,
    QLabel,
    QSizePolicy,
    QStackedWidget,
    QTimeEdit,
    QVBoxLayout,
    QWidget,
)

from dropline.tuning import Goal, GoalKind
from dropline_desktop.help import HelpButton
from dropline_desktop.language import worded
from dropline_desktop.theme import Size, Space, Theme

#: The first limits, in seconds.
_FIRST = {GoalKind.RESPONSE: 5.0, GoalKind.WAIT: 2.0}
_HOUR_AHEAD = timedelta(hours=1)


class GoalChoice(QWidget):
    """Asks for a goal. It keeps none itself."""

    goalWanted = Signal(object)  # a Goal

    def __init__(self, theme: Theme, *, clock: Callable[[], float] = time.monotonic) -> None:
        """`clock` gives the time now as the line has it."""
        super().__init__()
        self._theme = theme
        self._now = clock
        self.box = QComboBox()
        self.seconds = QDoubleSpinBox()
        self.moment = QTimeEdit()
        self._nothing = QWidget()
        self._limit = QStackedWidget()
        self._title = QLabel()
        self._help = HelpButton(theme)
        self._set_up()
        self._lay_out()
        self._dress()
        worded(self, self._word)
        self._show_editor()

    @property
    def goal(self) -> Goal:
        """What is asked for."""
        kind = GoalKind(self.box.currentData())
        if kind is GoalKind.NONE:
            return Goal()
        return Goal(kind, self._moment() if kind is GoalKind.DONE_BY else self.seconds.value())

    def show_choice_alone(self) -> None:
        """Leave out the title and the help: they stand elsewhere."""
        self._title.hide()
        self._help.hide()

    def choose(self, goal: Goal) -> None:
        """Ask for a goal."""
        self.show_goal(goal)
        self._want()

    def show_goal(self, goal: Goal) -> None:
        """Show a goal that was chosen elsewhere."""
        with QSignalBlocker(self.box), QSignalBlocker(self.seconds), QSignalBlocker(self.moment):
            self.box.setCurrentIndex(self.box.findData(str(goal.kind)))
            if goal.kind == GoalKind.DONE_BY:
                at = datetime.now().astimezone() + timedelta(seconds=goal.limit - self._now())
                self.moment.setTime(QTime(at.hour, at.minute))
            elif goal.kind != GoalKind.NONE:
                self.seconds.setValue(goal.limit)
        self._show_editor()

    def _set_up(self) -> None:
        for kind in GoalKind:
            self.box.addItem("", str(kind))
        self.box.setObjectName("goal")
        self.box.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
        self.seconds.setObjectName("goalSeconds")
        self.seconds.setRange(0.01, 86_400.0)
        self.seconds.setDecimals(2)
        self.seconds.setStepType(QDoubleSpinBox.StepType.AdaptiveDecimalStepType)
        self.seconds.setKeyboardTracking(False)
        self.moment.setObjectName("goalMoment")
        self.moment.setDisplayFormat("HH:mm")
        self.moment.setKeyboardTracking(False)
        self.box.currentIndexChanged.connect(self._chosen)
        self.seconds.valueChanged.connect(self._want)
        self.moment.timeChanged.connect(self._want)
        self._title.setBuddy(self.box)

    def _lay_out(self) -> None:
        for page in (self._nothing, self.seconds, self.moment):
            self._limit.addWidget(page)
        self._limit.setSizePolicy(QSizePolicy.Policy.Maximum, QSizePolicy.Policy.Fixed)
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addStretch()
        head.addWidget(self._help)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.S)
        column.addLayout(head)
        column.addWidget(self.box)
        column.addWidget(self._limit)

    def _word(self) -> None:
        self._title.setText(self.tr("&Goal"))
        for kind, text in (
            (GoalKind.NONE, self.tr("None: just keep up")),
            (GoalKind.RESPONSE, self.tr("95 of 100 files done within")),
            (GoalKind.WAIT, self.tr("Files wait, on average, at most")),
            (GoalKind.DONE_BY, self.tr("All that is here sent by")),
        ):
            self.box.setItemText(self.box.findData(str(kind)), text)
        self.box.setAccessibleName(self.tr("What you want of the line"))
        self.seconds.setSuffix(self.tr(" s", "seconds"))
        self.seconds.setAccessibleName(self.tr("Seconds of the goal"))
        self.moment.setAccessibleName(self.tr("Time of day of the goal"))
        self._help.explain(
            self.tr("the goal"),
            self.tr(
                "<p>What you want of the line. The advice names the fewest workers that reach "
                "it.</p><p><i>Done within</i>: of 100 files, 95 take at most this long from drop "
                "to done (τ, 95th percentile). <i>Wait</i>: the mean time before a worker takes a "
                "file (Wq). The article sets no goals; its response time is τ = L/μ.</p>"
            ),
        )

    def _chosen(self) -> None:
        kind = GoalKind(self.box.currentData())
        with QSignalBlocker(self.seconds), QSignalBlocker(self.moment):
            if kind in _FIRST:
                self.seconds.setValue(_FIRST[kind])
            elif kind is GoalKind.DONE_BY:
                at = datetime.now().astimezone() + _HOUR_AHEAD
                self.moment.setTime(QTime(at.hour, at.minute))
        self._show_editor()
        self._want()

    def _want(self) -> None:
        self.goalWanted.emit(self.goal)

    def _show_editor(self) -> None:
        kind = GoalKind(self.box.currentData())
        page = {GoalKind.NONE: self._nothing, GoalKind.DONE_BY: self.moment}.get(kind, self.seconds)
        self._limit.setCurrentWidget(page)
        self._limit.setVisible(kind is not GoalKind.NONE)

    def _moment(self) -> float:
        """When the clock shows this time next, in the line's time."""
        now = datetime.now().astimezone()
        at = now.replace(
            hour=self.moment.time().hour(), minute=self.moment.time().minute(), second=0,
            microsecond=0,
        )  # fmt: skip
        if at <= now:
            at += timedelta(days=1)
        return self._now() + (at - now).total_seconds()

    def _dress(self) -> None:
        self._title.setFont(self._theme.font(Size.TITLE))
