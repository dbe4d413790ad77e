"""What the window remembers from one start to the next."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path
from typing import TypeVar

from PySide6.QtCore import QByteArray, QSettings

from dropline.station import MAX_WORKERS, MIN_RATE, Order
from dropline.tuning import Goal, GoalKind
from dropline_desktop.language import Language
from dropline_desktop.motion import MotionMode
from dropline_desktop.settings.profile import Profile, name_for, named, profile_of, profiles_of
from dropline_desktop.tune.autopilot import FIRST_BOUNDS

T = TypeVar("T", int, float, str)

#: The receiver's port at first.
PORT = 8765


class Settings:
    """Typed access to one INI file. Whatever in it is missing or damaged reads as the default."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._file = QSettings(os.fspath(folder / "settings.ini"), QSettings.Format.IniFormat)
        self._take_single_target()
        #: The target that was chosen when the program started; None for the own receiver.
        self.running = named(self.profiles, self.profile)

    def save(self) -> None:
        """Write to disk now; otherwise Qt does so soon."""
        self._file.sync()

    @property
    def workers(self) -> int:
        """The number of workers wanted."""
        return self._read("workers", 4)

    @workers.setter
    def workers(self, value: int) -> None:
        self._file.setValue("workers", value)

    @property
    def autopilot_bounds(self) -> tuple[int, int]:
        """The fewest and the most workers that the autopilot may choose."""
        least, most = (
            self._read(f"autopilot_{name}", value)
            for name, value in zip(("least", "most"), FIRST_BOUNDS, strict=True)
        )
        return (least, most) if 1 <= least <= most <= MAX_WORKERS else FIRST_BOUNDS

    @autopilot_bounds.setter
    def autopilot_bounds(self, value: tuple[int, int]) -> None:
        for name, bound in zip(("least", "most"), value, strict=True):
            self._file.setValue(f"autopilot_{name}", bound)

    @property
    def limit(self) -> float | None:
        """The most bytes a second that may be sent to the target of this run; None for no limit."""
        if self.running is not None:
            now = named(self.profiles, self.running.name)
            return now.limit if now is not None else None
        value = self._read("limit", 0.0)
        return value if MIN_RATE <= value < math.inf else None

    @limit.setter
    def limit(self, value: float | None) -> None:
        if self.running is None:
            self._file.setValue("limit", value or 0.0)
            return
        name = self.running.name
        self.profiles = [
            replace(each, limit=value) if each.name == name else each for each in self.profiles
        ]

    @property
    def order(self) -> Order:
        """The order in which waiting files are sent."""
        name = self._read("order", Order.FIFO.value)
        return Order(name) if name in set(Order) else Order.FIFO

    @order.setter
    def order(self, value: Order) -> None:
        self._file.setValue("order", value.value)

    @property
    def goal(self) -> Goal:
        """What the user wants of the line; a moment of the day is not remembered."""
        try:
            return Goal(self._read("goal", str(GoalKind.NONE)), self._read("goal_seconds", 0.0))
        except ValueError:
            return Goal()

    @goal.setter
    def goal(self, value: Goal) -> None:
        kept = Goal() if value.kind == GoalKind.DONE_BY else value
        self._file.setValue("goal", str(kept.kind))
        self._file.setValue("goal_seconds", kept.limit)

    @property
    def watched(self) -> tuple[str, ...]:
        """The folders that are watched."""
        try:
            folders = json.loads(self._read("watched", "[]"))
        except ValueError:
            return ()
        is_list = isinstance(folders, list)
        return tuple(folder for folder in folders if isinstance(folder, str)) if is_list else ()

    @watched.setter
    def watched(self, value: Sequence[str]) -> None:
        # As JSON, which keeps a name that is no UTF-8, and a list of one for a list.
        self._file.setValue("watched", json.dumps(list(value)))

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The targets there are to choose from, besides the window's own receiver."""
        try:
            return profiles_of(json.loads(self._read("profiles", "[]")))
        except (TypeError, ValueError):
            return ()

    @profiles.setter
    def profiles(self, value: Sequence[Profile]) -> None:
        self._file.setValue("profiles", json.dumps([asdict(each) for each in value]))

    @property
    def profile(self) -> str:
        """The name of the target that is used from the next start on; "" for the own receiver."""
        name = self._read("profile", "")
        return name if named(self.profiles, name) is not None else ""

    @profile.setter
    def profile(self, value: str) -> None:
        self._file.setValue("profile", value)

    @property
    def target_waits(self) -> bool:
        """Whether the next start sends elsewhere than this one does."""
        chosen, running = named(self.profiles, self.profile), self.running
        return (chosen and (chosen.url, chosen.user)) != (running and (running.url, running.user))

    @property
    def port(self) -> int:
        """The port at which the window's receiver listens; where it is taken, the next free one."""
        value = self._read("port", PORT)
        return value if 1024 <= value <= 65_535 else PORT

    @port.setter
    def port(self, value: int) -> None:
        self._file.setValue("port", value)

    @property
    def notifications(self) -> bool:
        """Whether the desktop is told when all files are sent."""
        return bool(self._read("notifications", 1))

    @notifications.setter
    def notifications(self, value: bool) -> None:
        self._file.setValue("notifications", int(value))

    @property
    def figures_window(self) -> float:
        """Seconds over which the figures are measured."""
        return self._read("figures_window", 10.0)

    @figures_window.setter
    def figures_window(self, value: float) -> None:
        self._file.setValue("figures_window", value)

    @property
    def theme(self) -> str:
        """`system`, `light` or `dark`."""
        return self._read("theme", "system")

    @theme.setter
    def theme(self, value: str) -> None:
        self._file.setValue("theme", value)

    @property
    def motion(self) -> MotionMode:
        """How much moves by itself."""
        name = self._read("motion", MotionMode.SYSTEM.value)
        return MotionMode(name) if name in set(MotionMode) else MotionMode.SYSTEM

    @motion.setter
    def motion(self, value: MotionMode) -> None:
        self._file.setValue("motion", value.value)

    @property
    def language(self) -> Language:
        """The language that the window speaks."""
        name = self._read("language", Language.SYSTEM.value)
        return Language(name) if name in set(Language) else Language.SYSTEM

    @language.setter
    def language(self, value: Language) -> None:
        self._file.setValue("language", value.value)

    @property
    def welcomed(self) -> bool:
        """Whether the first screen was shown."""
        return bool(self._read("welcomed", 0))

    @welcomed.setter
    def welcomed(self, value: bool) -> None:
        self._file.setValue("welcomed", int(value))

    @property
    def last_folder(self) -> str:
        """The folder that files were last chosen in; the user's own at first."""
        return self._read("last_folder", os.path.expanduser("~"))

    @last_folder.setter
    def last_folder(self, value: str) -> None:
        self._file.setValue("last_folder", value)

    def layout(self, part: str) -> QByteArray:
        """How the user arranged a part of the window; empty at first."""
        value = self._file.value(f"layout/{part}")
        return value if isinstance(value, QByteArray) else QByteArray()

    def set_layout(self, part: str, state: QByteArray) -> None:
        """Remember how a part of the window is arranged."""
        self._file.setValue(f"layout/{part}", state)

    def _take_single_target(self) -> None:
        """Make a profile of the one target that version 1.0 knew."""
        url, user = self._read("target", ""), self._read("target_user", "")
        if url:
            profile = Profile(name_for(url), url, user, self._read("limit", 0.0) or None)
            with suppress(TypeError, ValueError):
                profile_of(asdict(profile))
                self.profiles, self.profile = [profile], profile.name
        for key in ("target", "target_user"):
            self._file.remove(key)

    def _read(self, key: str, default: T) -> T:
        try:
            return type(default)(str(self._file.value(key, default)))
        except (TypeError, ValueError):
            return default
