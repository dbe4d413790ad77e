"""The language that the window speaks, and the locale in which it writes figures; both may change
while it runs.

The English sentences in the code are the keys. `dropline_en.ts` holds their plurals,
`dropline_zh_CN.ts` the Chinese; `make translations` brings both up to date and compiles them.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from importlib.resources import files
from weakref import WeakMethod

from PySide6.QtCore import QEvent, QLibraryInfo, QLocale, QObject, QTranslator
from PySide6.QtWidgets import QApplication, QWidget


class Language(StrEnum):
    """What the user asked for."""

    SYSTEM = "system"
    ENGLISH = "en"
    CHINESE = "zh_CN"


class Translation(QObject):
    """The translations in force. Who wrote words hears of a change by `QEvent.LanguageChange`."""

    def __init__(
        self,
        app: QApplication,
        language: Language = Language.SYSTEM,
        parent: QObject | None = None,
    ) -> None:
        super().__init__(parent)
        self._app = app
        self._installed: list[QTranslator] = []
        self.language = language
        self.speak(language)

    def speak(self, language: Language) -> None:
        """Use this language from now on."""
        self.language = language
        system, own = QLocale.system(), _of_system()
        spoken = own if language is Language.SYSTEM else language
        # The C locale, of a system that was never set up, writes 1000000 without its commas.
        keep = spoken is own and system.language() is not QLocale.Language.C
        QLocale.setDefault(system if keep else QLocale(spoken.value))
        self.close()
        ours = files("dropline_resources").joinpath("translations")
        theirs = QLibraryInfo.path(QLibraryInfo.LibraryPath.TranslationsPath)
        self._installed = [
            translator
            for name, folder in (("qtbase", theirs), ("dropline", str(ours)))
            if (translator := QTranslator(self)).load(f"{name}_{spoken.value}", folder)
        ]
        for translator in self._installed:
            self._app.installTranslator(translator)

    def close(self) -> None:
        """Leave the application without translations."""
        for translator in self._installed:
            self._app.removeTranslator(translator)
            translator.deleteLater()
        self._installed.clear()


def worded(part: QWidget, word: Callable[[], None]) -> None:
    """Have a part's method write its words, now and whenever the language changes."""
    word()
    _Ear(part, word)


class _Ear(QObject):
    """Hears of a new language through the widget that it belongs to."""

    def __init__(self, part: QWidget, word: Callable[[], None]) -> None:
        super().__init__(part)
        self._word = WeakMethod(word)

    def event(self, event: QEvent) -> bool:
        if event.type() is QEvent.Type.LanguageChange and (word := self._word()) is not None:
            word()
        return super().event(event)


def _of_system() -> Language:
    """The language of ours that the system's user reads best."""
    told = QLocale.system().uiLanguages()
    first = QLocale(told[0]) if told else QLocale.c()
    simplified = first.script() is QLocale.Script.SimplifiedChineseScript
    return Language.CHINESE if simplified else Language.ENGLISH
