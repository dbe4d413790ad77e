"""Figures and names as text, fit for HTML and SVG."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, datetime
from html import escape

#: Gives an English text of a context, which is always "Report", in the language of its reader.
Translate = Callable[[str, str], str]

#: What stands where a figure is undefined.
UNDEFINED = "–"
#: Seconds from which on a time is told in a unit, the unit, and its name.
_UNITS = ((7200.0, 3600.0, "h"), (120.0, 60.0, "min"), (1.0, 1.0, "s"), (0.0, 0.001, "ms"))


def english(_context: str, text: str) -> str:
    """For readers of English."""
    return text


def safe(text: str) -> str:
    """Text from outside: nothing in it is markup, invisible, or turns other text round."""
    return escape("".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text))


def number(value: float | None) -> str:
    """Three digits, or all of those before the point: "8.1", "0.053", "1,234"."""
    if value is None or math.isnan(value):
        return UNDEFINED
    if isinstance(value, int) or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def rate(per_second: float | None) -> str:
    """Things a second."""
    return _with("/s", number(per_second))


def percent(share: float | None) -> str:
    """A share of 1."""
    return _with(" %", number(None if share is None else 100 * share))


def duration(seconds: float | None, greatest: float | None = None) -> str:
    """A time, in the unit that fits it or the `greatest` beside it."""
    if seconds is None or math.isnan(seconds):
        return UNDEFINED
    most = abs(seconds) if greatest is None else greatest
    _, unit, name = next(each for each in _UNITS if most >= each[0])
    return _with(f" {name}", number(round(seconds / unit, 9)))


def moment(seconds: float, *, wall: bool) -> str:
    """A time of day in UTC, ISO 8601, given seconds since 1970; else seconds of a log."""
    if not wall:
        return f"{seconds:,.3f} s"
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _with(unit: str, text: str) -> str:
    return text if text == UNDEFINED else text + unit
