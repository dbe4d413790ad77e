"""The order of the queue: chosen, followed, and measured before and since."""

from __future__ import annotations

import dataclasses

import pytest

from dropline.meter import Meter
from dropline.station import Order, Reading, Sampler, Station
from dropline_desktop.effect import BEFORE, ENOUGH, Effect
from dropline_desktop.order import OrderChoice
from dropline_desktop.theme import Theme


@pytest.fixture
def empty() -> Reading:
    """A real reading of an empty station."""
    station = Station("send", lambda: None, None)
    return Sampler(station, Meter(0.0), lambda *events: None, clock=lambda: 10.0).read(10.0)


@pytest.fixture
def choice(qtbot, qapp):
    choice = OrderChoice(Theme(qapp), Order.SHORTEST)
    qtbot.addWidget(choice)
    choice.show()
    return choice


def at(reading: Reading, t: float, finished: int, responses: float) -> Reading:
    return dataclasses.replace(reading, t=t, finished=finished, responses=responses)


def test_the_means_are_of_the_files_finished_before_and_since(empty):
    effect = Effect()
    for t, finished, responses in ((0.0, 0, 0.0), (5.0, 30, 60.0), (10.0, 100, 200.0)):
        effect.add_reading(at(empty, t, finished, responses))
    effect.changed(10.0)
    assert (effect.before, effect.since) == (2.0, None)
    effect.add_reading(at(empty, 11.0, 100 + ENOUGH - 1, 205.0))
    assert effect.since is None
    effect.add_reading(at(empty, 12.0, 140, 220.0))
    assert (effect.before, effect.since) == (2.0, 0.5)


def test_before_is_a_minute_at_most_and_ends_with_the_change(empty):
    effect = Effect()
    effect.add_reading(at(empty, 0.0, 0, 0.0))
    effect.add_reading(at(empty, 1.0, 1000, 9000.0))
    effect.add_reading(at(empty, 1.0 + BEFORE, 1020, 9020.0))
    effect.add_reading(at(empty, 2.0 + BEFORE, 2020, 9999.0))
    effect.changed(1.5 + BEFORE)
    assert effect.before == 1.0


def test_a_change_after_a_change_counts_from_there(empty):
    effect = Effect()
    effect.add_reading(at(empty, 0.0, 0, 0.0))
    effect.add_reading(at(empty, 1.0, 100, 500.0))
    effect.changed(1.0)
    effect.add_reading(at(empty, 2.0, 150, 550.0))
    effect.changed(2.0)
    assert (effect.before, effect.since) == (1.0, None)


def test_nothing_is_known_without_readings():
    effect = Effect()
    effect.changed(1.0)
    assert (effect.before, effect.since) == (None, None)


def test_the_box_asks_and_follows(choice, qtbot):
    assert choice.order is Order.SHORTEST
    with qtbot.waitSignal(choice.orderWanted) as wanted:
        choice.box.setCurrentIndex(choice.box.findData("small-lane"))
    assert wanted.args == [Order.SMALL_LANE]
    with qtbot.assertNotEmitted(choice.orderWanted):
        choice.show_change(Order.FIFO, 0.0)
    assert choice.order is Order.FIFO
    assert choice._note.text() == "Files are sent in the order in which they came."


def test_the_effect_of_a_change_is_told(choice, empty):
    choice.show_reading(at(empty, 0.0, 0, 0.0))
    choice.show_reading(at(empty, 5.0, 50, 150.0))
    assert not choice._means.isVisible()
    choice.show_change(Order.FIFO, 5.0)
    assert choice._means.text() == "Mean τ: 3.0 s before, – since"
    choice.show_reading(at(empty, 9.0, 90, 190.0))
    assert choice._means.text() == "Mean τ: 3.0 s before, 1.0 s since"


def test_a_tooltip_says_what_each_order_does(choice):
    tip = choice.box.toolTip()
    for name in ("First come, first served", "Shortest first", "Small files' lane"):
        assert f"<b>{name}</b>: " in tip
    assert tip.count("τ") >= len(Order)
