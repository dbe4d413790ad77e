"""What the charts keep: bounded, with every peak, and gaps where nothing is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline_desktop.charts.history import History


def filled(times: np.ndarray, values: np.ndarray, capacity: int = 72_000) -> History:
    history = History(1, capacity)
    for t, value in zip(times.tolist(), values.tolist(), strict=True):
        history.append(t, [value])
    return history


def test_none_is_a_gap_and_late_readings_are_ignored() -> None:
    history = History(2)
    history.append(1.0, [3, None])
    history.append(0.5, [9, 9])
    assert history.times.tolist() == [1.0]
    assert history.values[0].tolist() == [3.0]
    assert np.isnan(history.values[1]).all()


def test_a_silence_is_a_gap_and_not_a_line_across() -> None:
    history = filled(np.array([0.0, 0.1, 50.0, 50.1]), np.ones(4))
    assert np.isnan(history.values[0]).tolist() == [False, False, True, False, False]
    assert history.at(25.0) is None


def test_values_are_those_measured_nearest() -> None:
    history = filled(np.arange(10) / 10, np.arange(10.0))
    assert [history.at(t) for t in (-0.4, 0.44, 0.46, 1.5)] == [0.0, 4.0, 5.0, 9.0]
    assert history.at(-2.0) is None
    assert history.at(9.0) is None
    assert History(1).at(0.0) is None


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=400),
    most=st.integers(2, 50),
    view=st.tuples(st.integers(-20, 420), st.integers(1, 420)),
)
def test_an_envelope_keeps_every_peak_in_few_points(
    values: list[float], most: int, view: tuple[int, int]
) -> None:
    history = filled(np.arange(len(values)) / 10, np.array(values))
    start, end = view[0] / 10, (view[0] + view[1]) / 10
    times, curves = history.envelope(start, end, most)
    shown = np.array(values)[history.between(start, end)]
    assert len(times) == curves.shape[1] <= 2 * most + 2
    assert (np.diff(times) >= 0).all()
    if len(shown):
        assert curves.max() >= shown.max()
        assert curves.min() <= shown.min()


def test_an_envelope_does_not_flicker_while_time_goes_on() -> None:
    rng = np.random.default_rng(1)
    history = filled(np.arange(4000) / 10, rng.normal(size=4000))
    before = dict(zip(*(a.tolist() for a in runs(history, 100.0, 300.0)), strict=True))
    after = dict(zip(*(a.tolist() for a in runs(history, 100.7, 300.7)), strict=True))
    common = before.keys() & after.keys()
    assert len(common) > 0.9 * len(before)
    assert all(before[t] == after[t] for t in common)


def runs(history: History, start: float, end: float) -> tuple[np.ndarray, np.ndarray]:
    """The envelope without its last run, which may still grow."""
    times, curves = history.envelope(start, end, 200)
    return times[:-2], curves[0][:-2]


def test_undefined_values_leave_a_gap_in_the_envelope() -> None:
    values = np.ones(1000)
    values[400:600] = np.nan
    times, curves = filled(np.arange(1000) / 10, values).envelope(0, 100, 50)
    inside = (times > 44) & (times < 54)
    assert inside.any()
    assert np.isnan(curves[0][inside]).all()


def test_much_later_the_newest_half_is_whole_and_the_rest_as_fine_as_its_age_asks() -> None:
    capacity = 2000
    history = filled(np.arange(40 * capacity, dtype=float), np.zeros(40 * capacity), capacity)
    times = history.times
    assert len(history) <= capacity
    assert (np.diff(times[-capacity // 2 :]) == 1.0).all()
    ages = times[-1] - times
    assert ages[0] > 5 * capacity, "it reaches back much further than if all were kept"
    assert (-np.diff(ages) <= np.maximum(1.0, ages[:-1] / (capacity // 20))).all()
    assert history.at(times[-1] - 4.4 * capacity) is not None


def test_an_envelope_can_be_had_at_any_moment_of_thinning() -> None:
    history = History(1, capacity=100)
    for t in range(400):
        history.append(t / 10, [t])
        for most in (2, 7):
            times, curves = history.envelope(0.0, 40.0, most)
            assert 1 <= len(times) <= 2 * most + 2
            assert curves.max() == t


@pytest.mark.parametrize("rows", [600, 36_000, 72_000])
def test_few_points_are_drawn_however_many_are_kept(rows: int) -> None:
    history = filled(np.arange(rows) / 10, np.zeros(rows))
    times, _ = history.envelope(0.0, rows / 10, 1000)
    assert len(times) <= 2002
