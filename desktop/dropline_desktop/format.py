"""Figures in words: every number that the window shows is written here, in the user's locale.

At most three significant digits below a thousand, so that a live figure can be read; what is
undefined (None, NaN) is "–". The locale is Qt's default one, which goes
with the language.
"""

from __future__ import annotations

import math
from datetime import datetime

from PySide6.QtCore import QT_TRANSLATE_NOOP, QCoreApplication, QDate, QLocale

#: What stands where a figure is undefined.
UNDEFINED = "–"

_MINUTE, _HOUR, _DAY = 60, 3600, 86400

_MILLISECONDS = QT_TRANSLATE_NOOP("format", "{} ms")
_SECONDS = QT_TRANSLATE_NOOP("format", "{} s")
_MINUTES = QT_TRANSLATE_NOOP("format", "{} min")
_HOURS = QT_TRANSLATE_NOOP("format", "{} h")
_DAYS = QT_TRANSLATE_NOOP("format", "{} d")
_PER_SECOND = QT_TRANSLATE_NOOP("format", "{}/s")
_PER_MINUTE = QT_TRANSLATE_NOOP("format", "{}/min")
_PER_HOUR = QT_TRANSLATE_NOOP("format", "{}/h")
_PERCENT = QT_TRANSLATE_NOOP("format", "{} %")
#: Units of time in seconds, and the value from which on each reads best.
_TIME_UNITS = (
    (2 * _HOUR, _HOUR, _HOURS),
    (2 * _MINUTE, _MINUTE, _MINUTES),
    (1, 1, _SECONDS),
    (0, 0.001, _MILLISECONDS),
)


def number(value: float | None) -> str:
    """A plain number: "1,234", "12.3", "8.1", "0.053"."""
    if value is None or math.isnan(value):
        return UNDEFINED
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    size = abs(value)
    if size == 0 or size >= 99.95:
        decimals = 0
    elif size >= 0.995:
        decimals = 1
    else:
        decimals = min(6, 1 - math.floor(math.log10(size)))
    return QLocale().toString(float(value), "f", decimals)


def count(value: float | None) -> str:
    """A whole number of things: "1,234"."""
    if value is None or not math.isfinite(value):
        return number(value)
    return QLocale().toString(round(value))


def rate(per_second: float | None) -> str:
    """Things per time: "1,234/s", "8.1/s", and when slow "5.4/min" or "3.2/h"."""
    if per_second is None or per_second == 0 or not per_second < 0.1:
        return _with(_PER_SECOND, number(per_second))
    if per_second * _MINUTE >= 0.1:
        return _with(_PER_MINUTE, number(per_second * _MINUTE))
    return _with(_PER_HOUR, number(per_second * _HOUR))


def duration(seconds: float | None) -> str:
    """A length of time: "45 ms", "3.2 s", "2 min 5 s", "1 h 12 min", "3 d 4 h"."""
    if seconds is None or not math.isfinite(seconds):
        return number(seconds)
    if 0 < seconds < 0.9995:
        return _with(_MILLISECONDS, _short(seconds * 1000))
    if seconds < 59.5:
        return _with(_SECONDS, _short(seconds))
    if seconds < _HOUR - 0.5:
        return _two_units(round(seconds), _MINUTE, _MINUTES, _SECONDS)
    if seconds < _DAY - _MINUTE / 2:
        return _two_units(round(seconds / _MINUTE), _HOUR // _MINUTE, _HOURS, _MINUTES)
    return _two_units(round(seconds / _HOUR), _DAY // _HOUR, _DAYS, _HOURS)


def duration_range(low: float | None, high: float | None) -> str:
    """Between two lengths of time, in one unit: "10–15 s".

    Where both read the same, with a digit more: "11.8–12.2 s"; "12 s" when that does not help.
    """
    if low is None or high is None or not math.isfinite(high):
        return UNDEFINED
    _, unit, name = next(entry for entry in _TIME_UNITS if high >= entry[0])
    same = last = _short(high / unit)
    first = _short(low / unit)
    if first == last and high / unit < 99.5:
        digits = 1 if high / unit >= 9.95 else 2
        first, last = (QLocale().toString(end / unit, "f", digits) for end in (low, high))
    return _with(name, same if first == last else f"{first}–{last}")


def percent(share: float | None) -> str:
    """A share of 1: "98 %", "0.50 %"."""
    return _with(_PERCENT, _short(math.nan if share is None else share * 100))


def size(length: float | None) -> str:
    """A number of bytes: "512 bytes", "3.1 MB" (1 MB = 1,000,000 bytes)."""
    if length is None or not math.isfinite(length):
        return number(length)
    if round(length) == 1:  # Qt has but one form of the word
        return QCoreApplication.translate("format", "1 byte")
    return QLocale().formattedDataSize(round(length), 1, QLocale.DataSizeFormat.DataSizeSIFormat)


def size_rate(per_second: float | None) -> str:
    """Bytes a second: "3.1 MB/s"."""
    return _with(_PER_SECOND, size(per_second))


def clock(at: datetime) -> str:
    """The time of day: "14:03:45"."""
    return at.strftime("%H:%M:%S")


def day(at: datetime) -> str:
    """The day of the year: "24 Nov"."""
    return QLocale().toString(
        QDate(at.year, at.month, at.day), QCoreApplication.translate("format", "d MMM")
    )


def time_unit(seconds: float) -> float:
    """The unit, in seconds, in which a scale that ends at `seconds` is best read."""
    return next(unit for least, unit, _ in _TIME_UNITS if seconds >= least)


def tick(value: float, _largest: float = 0.0) -> str:
    """A round number on a scale: "0", "2.5", "1,500", "20k", "1.5M"."""
    for unit, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= max(unit, 10_000):
            return QLocale().toString(value / unit, "g", 4) + letter
    return QLocale().toString(float(value), "g", 4)


def tick_rate(value: float, _largest: float = 0.0) -> str:
    """A rate on a scale: "2.5/s"."""
    return _with(_PER_SECOND, tick(value))


def tick_percent(value: float, _largest: float = 0.0) -> str:
    """A share of 1 on a scale: "50 %"."""
    return _with(_PERCENT, tick(value * 100))


def tick_duration(value: float, largest: float) -> str:
    """A time on a scale that ends at `largest` seconds, all in one unit: "1.5 min"."""
    _, unit, name = next(entry for entry in _TIME_UNITS if largest >= entry[0])
    return _with(name, tick(round(value / unit, 9)))


def _short(value: float) -> str:
    """Two digits: "0.45", "3.2", "45"; of what is larger, all: "1,234"."""
    return number(value) if 0 < value < 9.95 else count(value)


def _two_units(whole: int, larger: int, larger_unit: object, unit: object) -> str:
    first, second = divmod(whole, larger)
    text = _with(larger_unit, count(first))
    return f"{text} {_with(unit, count(second))}" if second else text


def _with(unit: object, text: str) -> str:
    """`text` with its unit, unless it stands for nothing."""
    if text == UNDEFINED:
        return text
    return QCoreApplication.translate("format", str(unit)).format(text)
