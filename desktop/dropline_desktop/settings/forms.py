"""What a setting is, and the forms in which one is asked for: which values each of them accepts."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from PySide6.QtCore import QCoreApplication

from dropline.station import MIN_RATE
from dropline.tuning import Goal, GoalKind
from dropline_desktop.settings.profile import profiles_of

translate = QCoreApplication.translate


class Section(Enum):
    """The sections, in order."""

    GENERAL = auto()
    SENDING = auto()
    TARGET = auto()
    RECEIVER = auto()
    APPEARANCE = auto()

    @property
    def title(self) -> str:
        """What it is called."""
        return {
            Section.GENERAL: translate("Settings", "General"),
            Section.SENDING: translate("Settings", "Sending"),
            Section.TARGET: translate("Settings", "Target"),
            Section.RECEIVER: translate("Settings", "Receiver"),
            Section.APPEARANCE: translate("Settings", "Appearance"),
        }[self]


@dataclass(frozen=True)
class Choice:
    """One of several values."""

    #: Each value with its name in the language shown.
    options: Callable[[], list[tuple[Any, str]]]

    def accepts(self, value: object) -> bool:
        return not isinstance(value, bool) and value in [each for each, _ in self.options()]


@dataclass(frozen=True)
class Number:
    """A whole number between two others, both included."""

    least: int
    most: int

    def accepts(self, value: object) -> bool:
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole and self.least <= value <= self.most  # type: ignore[operator]


@dataclass(frozen=True)
class Switch:
    """On or off."""

    def accepts(self, value: object) -> bool:
        return isinstance(value, bool)


@dataclass(frozen=True)
class Rate:
    """Bytes a second, or None for no limit."""

    def accepts(self, value: object) -> bool:
        if value is None:
            return True
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return number and MIN_RATE <= value < math.inf  # type: ignore[operator]


@dataclass(frozen=True)
class Aim:
    """What is wanted of the line, as the fields of a `Goal`; a moment of the day is not kept."""

    def accepts(self, value: object) -> bool:
        try:
            return goal_of(value).kind != GoalKind.DONE_BY
        except (TypeError, ValueError):
            return False


@dataclass(frozen=True)
class Elsewhere:
    """Asked for in a dialog of its own, which a button opens."""

    button: Callable[[], str]
    open: Callable[[], object]
    accepts: Callable[[object], bool] = lambda _value: False


Form = Choice | Number | Switch | Rate | Aim | Elsewhere


@dataclass(frozen=True)
class Setting:
    """One thing that can be set. Without `get` and `set` it has no value that could be kept."""

    key: str
    section: Section
    #: What it is called, and in a sentence what it means, in the language shown.
    words: Callable[[], tuple[str, str]]
    form: Form
    get: Callable[[], Any] | None = None
    set: Callable[[Any], object] | None = None
    #: Whether files of settings have it.
    exported: bool = True


def goal_of(value: Any) -> Goal:
    """The goal that a value of the setting means; raises TypeError or ValueError."""
    return Goal(**value)


def value_of(goal: Goal) -> dict[str, Any]:
    """The value of the setting that means a goal."""
    return {"kind": str(goal.kind), "limit": goal.limit}


def is_folders(value: object) -> bool:
    """Whether it is a list of paths."""
    return isinstance(value, list) and all(isinstance(each, str) and each for each in value)


def are_targets(value: object) -> bool:
    """Whether it is a list of targets, and the name of one of them or "" for the own receiver."""
    match value:
        case {"profiles": list(profiles), "chosen": str(chosen), **rest} if not rest:
            try:
                names = [profile.name for profile in profiles_of(profiles)]
            except (TypeError, ValueError):
                return False
            return chosen in ["", *names]
    return False
