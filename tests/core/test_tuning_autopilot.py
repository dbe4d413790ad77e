"""The autopilot on lines in virtual time: it gets there, says when it can't, and does not swing."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dropline.tuning import (
    Advice,
    AutopilotChanged,
    AutopilotMoved,
    By,
    Goal,
    GoalKind,
    Recommendation,
    Why,
)
from dropline.tuning.autopilot import DOWN_AFTER, DWELL, LEAP, UP_AFTER, Autopilot

from .virtual_line import Tuned, VirtualLine

#: Virtual seconds between two looks.
LOOK = 5.0


def poisson(chance: random.Random, rate: float, start: float = 0.0) -> Iterator[float]:
    """Arrivals by chance, from `start` on."""
    t = start
    while True:
        t += chance.expovariate(rate)
        yield t


def changing(chance: random.Random, *pieces: tuple[float, float]) -> Iterator[float]:
    """Arrivals at rates that each last for so many seconds."""
    start = 0.0
    for rate, seconds in pieces:
        end = start + seconds
        yield from itertools.takewhile(lambda t, end=end: t < end, poisson(chance, rate, start))
        start = end


def flying(
    line: VirtualLine, goal: Goal, workers: int = 2, most: int = 16, warm: float = 60.0
) -> Tuned:
    """A line with the autopilot on."""
    tuned = Tuned(line)
    tuned.resize(workers, By.START)
    tuned.tuner.set_goal(goal)
    tuned.run(warm)
    tuned.tuner.set_autopilot(True, 1, most)
    return tuned


def exponential(seed: int, mean: float = 1.0) -> tuple[random.Random, VirtualLine]:
    chance = random.Random(seed)
    return chance, VirtualLine(iter(()), lambda: chance.expovariate(1 / mean))


WAIT = Goal(GoalKind.WAIT, 0.5)


def test_step_load() -> None:
    """From 1 to 6 erlangs and back: it follows, in few moves, and the goal is met."""
    chance, line = exponential(1)
    line.arrive(changing(chance, (1.0, 200), (6.0, 400), (1.0, 600)))
    tuned = flying(line, WAIT)
    tuned.run(140, LOOK)
    assert 1 <= line.workers <= 4
    tuned.run(300, LOOK)
    assert 7 <= line.workers <= 10
    last = tuned.of(Advice)[-1]
    assert last.recommendation.met
    tuned.run(700, LOOK)
    assert line.workers <= 4
    assert len(tuned.of(AutopilotMoved)) <= 16


def test_ramp() -> None:
    chance, line = exponential(3)
    line.arrive(changing(chance, *((rate / 2, 60.0) for rate in range(1, 17))))
    tuned = flying(line, WAIT)
    tuned.run(890, LOOK)
    assert line.workers >= 9
    moves = tuned.of(AutopilotMoved)
    assert len(moves) <= 14
    assert sum(move.workers < move.before for move in moves) <= 3


def test_batch_drop() -> None:
    """Of a drop nothing more comes: as many as are allowed, and no moves back and forth."""
    _, line = exponential(4, 0.2)
    tuned = Tuned(line)
    tuned.resize(2, By.START)
    tuned.run(5)
    line.feed(2000)
    tuned.tuner.set_autopilot(True, 1, 16)
    tuned.run(200)
    assert tuned.of(AutopilotMoved)
    assert line.in_system == 0
    workers = [move.workers for move in tuned.of(AutopilotMoved)]
    assert max(workers) == 16
    assert len(workers) <= 8
    assert {advice.check.verdict for advice in tuned.of(Advice)[20:40] if advice.check} == {"batch"}


def test_slow_target() -> None:
    """A target that takes twice as long as before needs twice the workers."""
    chance, line = exponential(5)
    line.arrive(poisson(chance, 2.5))
    tuned = flying(line, WAIT)
    tuned.run(200, LOOK)
    before = line.workers
    line.speed = lambda _busy: 0.5
    tuned.run(400, LOOK)
    assert line.workers >= before + 2
    assert tuned.of(Advice)[-1].recommendation.met
    assert len(tuned.of(AutopilotMoved)) <= 12


def test_flapping_target() -> None:
    """A target that is slow every other minute makes no swing of a move a minute."""
    chance, line = exponential(6)
    line.arrive(poisson(chance, 2.0))
    tuned = flying(line, WAIT)
    for minute in range(20):
        line.speed = (lambda _busy: 0.4) if minute % 2 else (lambda _busy: 1.0)
        tuned.run(60, LOOK)
    assert len(tuned.of(AutopilotMoved)) <= 20


def test_a_target_that_is_down_moves_nothing() -> None:
    chance, line = exponential(7)
    line.arrive(poisson(chance, 5.0))
    tuned = flying(line, WAIT, workers=8)
    line.is_down = True
    tuned.run(60)
    assert not tuned.of(AutopilotMoved)


def test_a_goal_out_of_reach_is_said_to_be() -> None:
    chance, line = exponential(8)
    line.arrive(poisson(chance, 2.0))
    tuned = flying(line, Goal(GoalKind.RESPONSE, 0.5))
    tuned.run(200, LOOK)
    said = tuned.of(Advice)[-1].recommendation
    assert said.met is False
    assert said.why == Why.SERVICE_TOO_LONG
    assert len(tuned.of(AutopilotMoved)) <= 6


def test_bounds_that_are_too_tight_are_kept_and_the_miss_is_said() -> None:
    chance, line = exponential(9)
    line.arrive(poisson(chance, 6.0))
    tuned = flying(line, WAIT, most=4)
    tuned.run(120, LOOK)
    assert line.workers == 4
    said = tuned.of(Advice)[-1].recommendation
    assert (said.why, said.met) == (Why.BOUND, False)


def test_a_hand_on_the_slider_ends_it_at_once() -> None:
    chance, line = exponential(10)
    line.arrive(poisson(chance, 6.0))
    tuned = flying(line, WAIT)
    tuned.run(60)
    assert tuned.of(AutopilotMoved)
    tuned.resize(1)
    tuned.run(100, LOOK)
    assert line.workers == 1
    assert tuned.of(AutopilotChanged)[-1].why == "touched"
    assert not tuned.of(AutopilotChanged)[-1].on


@given(
    recommended=st.lists(st.integers(1, 40), min_size=1, max_size=400),
    least=st.integers(1, 4),
    most=st.integers(5, 20),
)
def test_it_never_leaves_its_bounds_nor_hurries(
    recommended: list[int], least: int, most: int
) -> None:
    """Whatever is recommended, second by second."""
    pilot = Autopilot()
    pilot.engage(least, most)
    workers, moves = least, []
    for now, wanted in enumerate(recommended):
        move = pilot.decide(Recommendation(wanted, Why.MEETS_GOAL), workers, float(now))
        if move is None:
            continue
        assert move.before == workers
        assert least <= move.workers <= min(most, max(workers, LEAP * workers, workers + 1))
        assert now >= (UP_AFTER if move.workers > workers else DOWN_AFTER)
        moves.append(now)
        workers = move.workers
    assert all(b - a >= DWELL for a, b in itertools.pairwise(moves))


def test_while_it_is_off_it_does_nothing() -> None:
    pilot = Autopilot()
    assert pilot.decide(Recommendation(9, Why.MEETS_GOAL), 1, 100.0) is None
    with pytest.raises(ValueError, match="at least 1"):
        pilot.engage(3, 2)
