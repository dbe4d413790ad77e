"""Figures in words."""

from __future__ import annotations

import math
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PySide6.QtCore import QLocale

from dropline_desktop import format


@pytest.fixture(autouse=True)
def american() -> Iterator[None]:
    before = QLocale()
    QLocale.setDefault(QLocale("en_US"))
    yield
    QLocale.setDefault(before)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "–"),
        (math.nan, "–"),
        (math.inf, "∞"),
        (0, "0 s"),
        (0.00045, "0.45 ms"),
        (0.0032, "3.2 ms"),
        (0.045, "45 ms"),
        (0.9994, "999 ms"),
        (0.9996, "1.0 s"),
        (3.2, "3.2 s"),
        (45, "45 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3599.7, "1 h"),
        (4320, "1 h 12 min"),
        (86399, "1 d"),
        (273600, "3 d 4 h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert format.duration(seconds) == text


@pytest.mark.parametrize(
    ("low", "high", "text"),
    [
        (None, 3.0, "–"),
        (3.0, None, "–"),
        (3.0, math.inf, "–"),
        (0.0, 0.0, "0 ms"),
        (0.2, 0.45, "200–450 ms"),
        (0.9, 1.4, "0.90–1.4 s"),
        (10.2, 14.8, "10–15 s"),
        (11.8, 12.2, "11.8–12.2 s"),
        (11.99, 12.01, "12 s"),
        (0.1231, 0.1234, "123 ms"),
        (3.18, 3.21, "3.18–3.21 s"),
        (100, 145, "1.7–2.4 min"),
        (3600, 9000, "1.0–2.5 h"),
    ],
)
def test_ranges(low: float | None, high: float | None, text: str) -> None:
    assert format.duration_range(low, high) == text


@pytest.mark.parametrize(
    ("per_second", "text"),
    [
        (None, "–"),
        (0, "0/s"),
        (1234.4, "1,234/s"),
        (99.96, "100/s"),
        (12.34, "12.3/s"),
        (8.05, "8.1/s"),
        (0.53, "0.53/s"),
        (0.09, "5.4/min"),
        (0.0008, "2.9/h"),
    ],
)
def test_rates(per_second: float | None, text: str) -> None:
    assert format.rate(per_second) == text


def test_shares_sizes_and_counts() -> None:
    assert format.percent(0.984) == "98 %"
    assert format.percent(0.005) == "0.50 %"
    assert format.percent(None) == "–"
    assert format.size(512) == "512 bytes"
    assert format.size(1) == "1 byte"
    assert format.size(3_140_000) == "3.1 MB"
    assert format.size_rate(3_140_000) == "3.1 MB/s"
    assert format.size_rate(None) == "–"
    assert format.count(1234) == "1,234"
    assert format.count(None) == "–"


def test_the_locale_decides_the_separators() -> None:
    QLocale.setDefault(QLocale("de_DE"))
    assert format.number(12.34) == "12,3"
    assert format.count(1_234_567) == "1.234.567"


def test_round_numbers_on_a_scale() -> None:
    assert [format.tick(v) for v in (0, 2.5, 1500, 20_000, 1_500_000)] == [
        "0", "2.5", "1,500", "20k", "1.5M",
    ]  # fmt: skip
    assert format.tick_duration(90, 180) == "1.5 min"
    assert format.tick_duration(0.05, 0.2) == "50 ms"
    assert format.tick_percent(0.5) == "50 %"


@given(st.floats(min_value=0, max_value=1e9))
def test_every_duration_is_short(seconds: float) -> None:
    assert len(format.duration(seconds)) <= len("11,574 d 23 h")
