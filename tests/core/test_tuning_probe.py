"""The guided probe and the bottleneck, in virtual time, and what is said of all."""

from __future__ import annotations

import random
import re

import pytest

from dropline.meter import Totals
from dropline.meter.tally import Tally, to_ticks
from dropline.station import Spent
from dropline.theory.validity import Reason
from dropline.tuning import (
    Advice,
    AutopilotChanged,
    AutopilotMoved,
    Bottleneck,
    By,
    Check,
    Doubt,
    ProbeChanged,
    Recommendation,
    Stage,
    Why,
    words,
)
from dropline.tuning.bottleneck import Finder
from dropline.tuning.probe import Probe

from .virtual_line import Tuned, VirtualLine


def line(jobs: int, speed: float = 0.0) -> Tuned:
    """A backlog before a target whose workers hold each other up."""
    chance = random.Random(1)
    tuned = Tuned(
        VirtualLine(
            iter(()),
            lambda: chance.expovariate(20.0),
            speed=lambda busy: 1 / (1 + 0.05 * (busy - 1) + speed * busy * (busy - 1)),
        )
    )
    tuned.resize(3, By.START)
    tuned.line.feed(jobs)
    tuned.run(1)
    return tuned


def test_a_probe_shows_the_knee_and_goes_back() -> None:
    tuned = line(20_000, speed=0.02)
    tuned.tuner.start_probe(most=24, seconds=5.0)
    tuned.run(40, 0.25)
    steps = tuned.of(ProbeChanged)
    assert [step.workers for step in steps] == [1, 2, 4, 8, 16, 24, 3]
    assert [step.running for step in steps] == [True] * 6 + [False]
    assert steps[-1].why == "done"
    assert tuned.line.workers == 3
    capacity = tuned.of(Advice)[-1].capacity
    assert capacity.enough is not None
    assert 4 <= capacity.enough <= 8  # √(0.95/0.02) = 6.9
    assert capacity.most_measured == 24


def test_a_probe_stops_when_asked_and_goes_back() -> None:
    tuned = line(20_000)
    tuned.tuner.start_probe()
    tuned.run(7, 0.25)
    tuned.tuner.stop_probe()
    tuned.run(1, 0.25)
    assert tuned.of(ProbeChanged)[-1].why == "stopped"
    assert tuned.line.workers == 3


def test_a_hand_on_the_slider_ends_a_probe_and_stays() -> None:
    tuned = line(20_000)
    tuned.tuner.start_probe()
    tuned.run(7, 0.25)
    tuned.resize(5)
    tuned.run(30, 0.25)
    assert tuned.of(ProbeChanged)[-1].why == "touched"
    assert tuned.line.workers == 5


def test_a_probe_without_enough_work_ends() -> None:
    tuned = line(300)
    tuned.tuner.start_probe(seconds=5.0)
    tuned.run(60, 0.25)
    assert tuned.of(ProbeChanged)[-1].why == "empty"
    assert tuned.line.workers == 3


@pytest.mark.parametrize(("most", "seconds"), [(1, 5.0), (8, 0.1), (8, 1e9)])
def test_what_is_no_probe_is_refused(most: int, seconds: float) -> None:
    with pytest.raises(ValueError, match="a probe of"):
        Probe(1, most, seconds, 0.0)
    with pytest.raises(ValueError, match="a probe of"):
        line(1).tuner.start_probe(most, seconds)


# --- the bottleneck -----------------------------------------------------------------------------


def found(
    spent: Spent, processor: float = 1.0, utilisation: float = 1.0, gain: float | None = None
) -> Bottleneck | None:
    finder = Finder()
    finder.look(0.0, 0.0, Spent(0.0, 0.0, 0.0, 0.0), totals(0.0), None)
    return finder.look(10.0, processor, spent, totals(10.0 * utilisation, 10.0), gain)


def totals(busy: float, capacity: float = 0.0) -> Totals:
    """Totals of workers that were busy for some seconds of those that they had."""
    return Tally(0).at(0)._replace(busy_area=to_ticks(busy), capacity_area=to_ticks(capacity))


@pytest.mark.parametrize(
    ("spent", "processor", "utilisation", "gain", "stage"),
    [
        (Spent(10.0, 6.0, 1.0, 0.0), 1.0, 1.0, None, Stage.SOURCE),
        (Spent(10.0, 1.0, 6.0, 0.0), 1.0, 1.0, 0.2, Stage.NETWORK),
        (Spent(10.0, 1.0, 1.0, 7.0), 1.0, 1.0, 0.9, Stage.LIMIT),
        (Spent(10.0, 1.0, 1.0, 0.0), 1.0, 1.0, 0.1, Stage.TARGET),
        (Spent(10.0, 1.0, 1.0, 0.0), 1.0, 1.0, 0.9, Stage.WORKERS),
        (Spent(10.0, 1.0, 1.0, 0.0), 9.5, 1.0, 0.9, Stage.SENDER),
        (Spent(10.0, 1.0, 1.0, 0.0), 9.5, 0.3, 0.9, Stage.NONE),
    ],
)
def test_the_stage_that_limits(
    spent: Spent, processor: float, utilisation: float, gain: float | None, stage: Stage
) -> None:
    limit = found(spent, processor, utilisation, gain)
    assert limit is not None
    assert limit.stage == stage
    assert sum(share.share for share in limit.shares) == pytest.approx(1.0)
    assert re.search(r"\d %", words.bottleneck(limit))


def test_busy_is_what_was_measured_since_the_work_began() -> None:
    """Whatever waits at the moment, and however long nothing came before."""
    finder = Finder()
    for second in range(13):  # ten idle seconds, then two workers of four
        work = max(0, second - 10)
        spent = Spent(2.0 * work, 0.1 * work, 0.1 * work, 0.0)
        limit = finder.look(second, 0.1 * second, spent, totals(2.0 * work, 4.0 * second), None)
        assert (limit is None) is (second <= 10)
    assert limit is not None
    assert (limit.stage, limit.share) == (Stage.NONE, 0.5)


def test_too_little_work_limits_nothing_known() -> None:
    assert found(Spent(0.1, 0.0, 0.0, 0.0)) is None


# --- words --------------------------------------------------------------------------------------


@pytest.mark.parametrize("why", Why)
@pytest.mark.parametrize("met", [True, False, None])
def test_every_reason_has_a_sentence(why: Why, met: bool | None) -> None:
    said = words.recommendation(Recommendation(7, why, 0.25, 1.5, met))
    assert said.endswith(".")
    assert "{" not in said
    assert (met is False) == ("can't be met" in said) or why is Why.SERVICE_TOO_LONG


def test_every_doubt_has_a_sentence() -> None:
    doubts = tuple(Doubt(reason.name.lower(), 3.0, 30.0) for reason in Reason)
    said = words.check(Check("doubtful", doubts, 1.0, 1.0))
    assert said.count(".") >= len(doubts)
    assert {doubt.reason for doubt in doubts} == set(words.DOUBT)
    assert "batch" in words.check(Check("batch", doubts, None, None))


def test_moves_and_probes_are_told() -> None:
    moved = words.move(AutopilotMoved("send", 2, 4, Why.MEETS_GOAL, 0.2, 0.5))
    assert moved.startswith("The autopilot went from 2 to 4 workers. 4 workers: the fewest")
    assert "500 ms" in moved
    for why in words.PROBE:
        assert words.probe(ProbeChanged("send", False, 2, 5, 4, 5.0, why))
    assert "1 to 9" in words.autopilot(AutopilotChanged("send", True, 1, 9, "asked"))
    assert "you have set" in words.autopilot(AutopilotChanged("send", False, 1, 9, "touched"))


def test_a_translation_has_the_last_word() -> None:
    said = words.recommendation(
        Recommendation(3, Why.BOUND), lambda text: text.replace(" workers:", " Helfer:")
    )
    assert said == "3 Helfer: the most that are allowed."
