"""The advice in words: how many workers, why, whether that holds, and what limits the line."""

from __future__ import annotations

from PySide6.QtCore import QEvent, Qt, QTimer, Signal
from PySide6.QtGui import QEnterEvent
from PySide6.QtWidgets import QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

from dropline.tuning import Advice
from dropline_desktop import format
from dropline_desktop import quantities as q
from dropline_desktop.help import HelpButton
from dropline_desktop.language import worded
from dropline_desktop.parts import mute, tint
from dropline_desktop.sentences import tuning
from dropline_desktop.text import unbroken
from dropline_desktop.theme import Size, Space, Theme

#: The colour of each verdict; the words tell it too.
_VERDICTS = {"valid": "done", "doubtful": "waiting", "batch": "in_service"}
#: Milliseconds for which the advice stays as it is under the pointer.
AIM = 3000


class AdviceCard(QWidget):
    """Shows an `Advice`, and asks for what it recommends."""

    applied = Signal(int)

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._latest: Advice | None = None
        self._advice: Advice | None = None  # as it is shown
        self._title = QLabel()
        self._help = HelpButton(theme)
        self.reason = _words("adviceReason")
        self.check = _words("adviceCheck")
        self.bottleneck = _words("bottleneck")
        self.done = _words("adviceDone")
        self.apply = _AimedAt()
        self.apply.setObjectName("applyAdvice")
        self.apply.clicked.connect(self._apply)
        self.apply.aim.timeout.connect(self._show_latest)
        self._lay_out()
        theme.changed.connect(self._dress)
        worded(self, self._word)

    def show_advice(self, advice: Advice) -> None:
        """Show this; in a moment, when the button is about to be pressed for what it says now."""
        self._latest = advice
        if not self.apply.aim.isActive():
            self._show_latest()

    def _show_latest(self) -> None:
        self._advice = self._latest
        self._tell()

    def _apply(self) -> None:
        self.apply.aim.stop()
        if self._advice is not None and self._advice.recommendation.workers is not None:
            self.applied.emit(self._advice.recommendation.workers)

    def _tell(self) -> None:
        advice = self._advice
        best = advice.recommendation.workers if advice is not None else None
        reason = (
            self.tr("Nothing to go by yet: drop some files.")
            if advice is None
            else tuning(advice.recommendation)
        )
        _say(self.reason, reason)
        _say(self.done, "" if advice is None else self._done(advice))
        check = advice.check if advice is not None else None
        _say(self.check, "" if check is None else tuning(check))
        limit = advice.bottleneck if advice is not None else None
        _say(self.bottleneck, "" if limit is None else tuning(limit))
        if check is not None:
            tint(self.check, self._theme.colour(_VERDICTS.get(check.verdict, "muted")))
        self.apply.setVisible(best is not None)
        if advice is not None and best is not None:
            used = best == advice.workers
            self.apply.setEnabled(not used)
            self.apply.setText(
                self.tr("In use: %Ln worker(s)", "", best)
                if used
                else self.tr("&Apply: %Ln worker(s)", "", best)
            )

    def _done(self, advice: Advice) -> str:
        """A batch's answer: when all is sent, with the workers there are and with those advised."""
        if advice.check is None or advice.check.verdict != "batch" or advice.now is None:
            return ""
        now = advice.now.finish
        if not now.expected:  # not known, or all is sent
            return ""
        text = self.tr("With %Ln worker(s): all sent in {0} ({1}).", "", advice.workers).format(
            format.duration(now.expected), format.duration_range(now.low, now.high)
        )
        best = advice.recommendation.workers
        other = next((p for p in advice.curve if p.workers == best), None)
        if other is None or best == advice.workers or other.finish.expected is None:
            return text
        more = self.tr("With %Ln worker(s): {0} ({1}).", "", other.workers).format(
            format.duration(other.finish.expected),
            format.duration_range(other.finish.low, other.finish.high),
        )
        return f"{text}\n{more}"

    def _lay_out(self) -> None:
        head = QHBoxLayout()
        head.addWidget(self._title)
        head.addStretch()
        head.addWidget(self._help)
        column = QVBoxLayout(self)
        column.setContentsMargins(0, 0, 0, 0)
        column.setSpacing(Space.S)
        column.addLayout(head)
        for part in (self.done, self.reason, self.apply, self.check, self.bottleneck):
            column.addWidget(part)

    def _word(self) -> None:
        self._title.setText(self.tr("Advice"))
        self._help.explain(
            self.tr("the advice"),
            self.tr(
                "<p>The fewest workers that reach your goal, computed from how often files come "
                "(λ), how long one takes (1/μ), and how much workers get in each other's way. It "
                "says beside it whether the computation holds now.</p>"
            )
            + q.UTILISATION.help(),
        )
        self._dress()

    def _dress(self) -> None:
        self._title.setFont(self._theme.font(Size.TITLE))
        self.reason.setFont(self._theme.font(Size.BODY))
        self.done.setFont(self._theme.font(Size.TITLE))
        for label in (self.check, self.bottleneck):
            label.setFont(self._theme.font(Size.CAPTION))
        mute(self.bottleneck)
        self._tell()


class _AimedAt(QPushButton):
    """A button whose `aim` runs while the pointer is on it, and ends in a timeout."""

    def __init__(self) -> None:
        super().__init__()
        self.aim = QTimer(self, singleShot=True)

    def enterEvent(self, event: QEnterEvent) -> None:
        super().enterEvent(event)
        self.aim.start(AIM)

    def leaveEvent(self, event: QEvent) -> None:
        super().leaveEvent(event)
        if self.aim.isActive():
            self.aim.start(0)


def _words(name: str) -> QLabel:
    label = QLabel()
    label.setObjectName(name)
    label.setTextFormat(Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextSelectableByMouse)
    return label


def _say(label: QLabel, text: str) -> None:
    text = unbroken(text)
    if label.text() != text:
        label.setText(text)
    label.setVisible(bool(text))
