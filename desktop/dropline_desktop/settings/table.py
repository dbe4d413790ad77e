"""Every setting as data: the dialog and the files of settings are made from this table.

A setting's value is what JSON can hold. Setting one does what the control in the window does that
it belongs to, which also keeps it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QCoreApplication

from dropline.station import MAX_WORKERS, Order
from dropline_desktop import format
from dropline_desktop.charts.toolbar import WINDOWS
from dropline_desktop.language import Language
from dropline_desktop.motion import MotionMode
from dropline_desktop.sentences import order_name
from dropline_desktop.settings.forms import (
    Aim,
    Choice,
    Elsewhere,
    Number,
    Rate,
    Section,
    Setting,
    Switch,
    are_targets,
    goal_of,
    is_folders,
    value_of,
)
from dropline_desktop.settings.profile import profiles_of
from dropline_desktop.text import printable
from dropline_desktop.theme import Mode

if TYPE_CHECKING:
    from dropline_desktop.app import Application

translate = QCoreApplication.translate


def settings_of(app: Application) -> tuple[Setting, ...]:
    """All that can be set, in the order in which it is shown."""
    return (
        *_general(app),
        *_sending(app),
        *_target(app),
        *_receiver(app),
        *_appearance(app),
    )


def _general(app: Application) -> tuple[Setting, ...]:
    window, kept = app.window, app.settings

    def notify(on: bool) -> None:
        kept.notifications = app.tray.notifying = on

    return (
        Setting(
            "language",
            Section.GENERAL,
            lambda: (
                translate("Settings", "Language"),
                translate("Settings", "The language of the window, and how it writes figures."),
            ),
            Choice(
                lambda: [
                    (Language.SYSTEM.value, translate("Settings", "As the system")),
                    (Language.ENGLISH.value, "English"),
                    (Language.CHINESE.value, "简体中文"),
                ]
            ),
            lambda: kept.language.value,
            lambda value: window.choose_language(Language(value)),
        ),
        Setting(
            "start_at_login",
            Section.GENERAL,
            lambda: (
                translate("Settings", "Start at login"),
                translate("Settings", "Dropline opens each time that you log in."),
            ),
            Switch(),
            lambda: window.starts_at_login,
            window.set_autostart,
        ),
        Setting(
            "notifications",
            Section.GENERAL,
            lambda: (
                translate("Settings", "Notify when all is sent"),
                translate(
                    "Settings",
                    "The desktop tells you when the line has become empty, unless you look at "
                    "the window.",
                ),
            ),
            Switch(),
            lambda: kept.notifications,
            notify,
        ),
    )


def _sending(app: Application) -> tuple[Setting, ...]:
    window, kept = app.window, app.settings
    pilot, orders = window.tune.autopilot, window.order

    def bound(number: int) -> Callable[[int], None]:
        def choose(value: int) -> None:
            least, most = pilot.bounds
            low, high = (value, max(value, most)) if number == 0 else (min(value, least), value)
            pilot.bounds = kept.autopilot_bounds = low, high

        return choose

    return (
        Setting(
            "workers",
            Section.SENDING,
            lambda: (
                translate("Settings", "Workers"),
                translate("Settings", "How many files are sent at the same time; 0 sends none."),
            ),
            Number(0, MAX_WORKERS),
            lambda: window.tuner.workers,
            window.tuner.spin.setValue,
        ),
        Setting(
            "autopilot_least",
            Section.SENDING,
            lambda: (
                translate("Settings", "Fewest workers of the autopilot"),
                translate("Settings", "While it is on, it never goes below so many."),
            ),
            Number(1, MAX_WORKERS),
            lambda: pilot.bounds[0],
            bound(0),
        ),
        Setting(
            "autopilot_most",
            Section.SENDING,
            lambda: (
                translate("Settings", "Most workers of the autopilot"),
                translate("Settings", "While it is on, it never goes above so many."),
            ),
            Number(1, MAX_WORKERS),
            lambda: pilot.bounds[1],
            bound(1),
        ),
        Setting(
            "goal",
            Section.SENDING,
            lambda: (
                translate("Settings", "Goal"),
                translate(
                    "Settings",
                    "What you want of the line; the advice on the number of workers follows it.",
                ),
            ),
            Aim(),
            lambda: value_of(window.tune.goal.goal),
            lambda value: window.tune.goal.choose(goal_of(value)),
        ),
        Setting(
            "order",
            Section.SENDING,
            lambda: (
                translate("Settings", "Order"),
                translate("Settings", "Which of the files that wait is sent next."),
            ),
            Choice(lambda: [(order.value, order_name(order)) for order in Order]),
            lambda: orders.order.value,
            lambda value: orders.box.setCurrentIndex(orders.box.findData(value)),
        ),
        Setting(
            "limit",
            Section.SENDING,
            lambda: (
                translate("Settings", "Limit"),
                translate(
                    "Settings",
                    "How many bytes a second all workers together may send: choose, or type such "
                    "as 800K or 5M.",
                ),
            ),
            Rate(),
            lambda: window.tuner.limit.limit,
            window.tuner.limit.choose,
        ),
        Setting(
            "watched",
            Section.SENDING,
            lambda: (
                translate("Settings", "Watched folders"),
                translate(
                    "Settings", "Folders whose files are sent by themselves, now and as they come."
                ),
            ),
            Elsewhere(
                lambda: translate("Settings", "Watched folders…"), window.show_watched, is_folders
            ),
            lambda: list(kept.watched),
            app.watch_only,
        ),
    )


def _target(app: Application) -> tuple[Setting, ...]:
    kept = app.settings

    def options() -> list[tuple[Any, str]]:
        own = translate("Settings", "The receiver in this window")
        names = [(profile.name, printable(profile.name)) for profile in kept.profiles]
        return [("", own), *names]

    def targets() -> dict[str, Any]:
        return {"profiles": [asdict(each) for each in kept.profiles], "chosen": kept.profile}

    return (
        Setting(
            "profile",
            Section.TARGET,
            lambda: (
                translate("Settings", "Send to"),
                translate("Settings", "Where files go, from the next start on."),
            ),
            Choice(options),
            lambda: kept.profile,
            app.choose_profile,
            exported=False,  # with the targets
        ),
        Setting(
            "targets",
            Section.TARGET,
            lambda: (
                translate("Settings", "Targets"),
                translate(
                    "Settings",
                    "Each with its address, user and limit; its password is in the system's "
                    "keyring alone, and a test says whether it takes files.",
                ),
            ),
            Elsewhere(lambda: translate("Settings", "Targets…"), app.destination.open, are_targets),
            targets,
            lambda value: app.keep_profiles(profiles_of(value["profiles"]), value["chosen"]),
        ),
    )


def _receiver(app: Application) -> tuple[Setting, ...]:
    window, kept = app.window, app.settings
    return (
        Setting(
            "port",
            Section.RECEIVER,
            lambda: (
                translate("Settings", "Port"),
                translate(
                    "Settings",
                    "Where the receiver in this window listens, from the next start on; the next "
                    "free one where this is taken.",
                ),
            ),
            Number(1024, 65_535),
            lambda: kept.port,
            lambda value: setattr(kept, "port", value),
        ),
        Setting(
            "share",
            Section.RECEIVER,
            lambda: (
                translate("Settings", "Other devices"),
                translate(
                    "Settings", "A phone or another computer may send here, until you end it."
                ),
            ),
            Elsewhere(lambda: translate("Settings", "Send from a phone…"), window.share.open),
        ),
    )


def _appearance(app: Application) -> tuple[Setting, ...]:
    window, kept = app.window, app.settings

    def move(value: str) -> None:
        kept.motion = app.theme.motion.mode = MotionMode(value)

    return (
        Setting(
            "theme",
            Section.APPEARANCE,
            lambda: (
                translate("Settings", "Theme"),
                translate("Settings", "Light or dark colours, or those of the system."),
            ),
            Choice(
                lambda: [
                    (Mode.SYSTEM.value, translate("Settings", "As the system")),
                    (Mode.LIGHT.value, translate("Settings", "Light")),
                    (Mode.DARK.value, translate("Settings", "Dark")),
                ]
            ),
            lambda: app.theme.mode.value,
            lambda value: window.choose_theme(Mode(value)),
        ),
        Setting(
            "motion",
            Section.APPEARANCE,
            lambda: (
                translate("Settings", "Motion"),
                translate(
                    "Settings",
                    "Reduced, the charts step once a second instead of gliding, and menus appear "
                    "at once.",
                ),
            ),
            Choice(
                lambda: [
                    (MotionMode.SYSTEM.value, translate("Settings", "As the system")),
                    (MotionMode.FULL.value, translate("Settings", "Full")),
                    (MotionMode.REDUCED.value, translate("Settings", "Reduced")),
                ]
            ),
            lambda: kept.motion.value,
            move,
        ),
        Setting(
            "figures_window",
            Section.APPEARANCE,
            lambda: (
                translate("Settings", "Figures over the last"),
                translate(
                    "Settings",
                    "Over how long rates and times are measured: a short time shows changes at "
                    "once, a long one is calmer.",
                ),
            ),
            Choice(lambda: [(seconds, format.duration(seconds)) for seconds in WINDOWS]),
            lambda: kept.figures_window,
            window.choose_window,
        ),
    )
