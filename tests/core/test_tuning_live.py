"""The tuner on a real station: it is there, it advises, it keeps its hands to itself."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import pytest

from dropline.bus import MemoryBus
from dropline.events import Event, Message, WorkersChanged
from dropline.load import Exponential, Load, LoadLine, Poisson, Service, SimulatedTarget
from dropline.tuning import (
    Advice,
    AutopilotChanged,
    By,
    Goal,
    GoalKind,
    LedgerWritten,
    ProbeChanged,
)
from dropline.tuning.ledger import ON_THE_WAY


class Heard:
    """The events of a topic, in order."""

    def __init__(self, bus: MemoryBus, topic: str) -> None:
        self._messages: SimpleQueue[Message] = SimpleQueue()
        bus.subscribe(topic, self._messages.put)

    def until(self, kind: type[Event], /, **fields: Any) -> Any:
        """The next event of this kind with these fields."""
        while True:
            event = self._messages.get(timeout=30).data
            if isinstance(event, kind) and all(
                getattr(event, name) == value for name, value in fields.items()
            ):
                return event


@pytest.fixture
def bus() -> Iterator[MemoryBus]:
    bus = MemoryBus()
    yield bus
    bus.close()


@pytest.fixture
def line(bus: MemoryBus, tmp_path: Path) -> Iterator[LoadLine]:
    """60 jobs a second of 20 ms each, on 3 workers."""
    line = LoadLine(
        Load(Poisson(60.0)), SimulatedTarget(Service(Exponential(0.02))), bus, workers=3
    )
    line.tuner.start(tmp_path / "ledger.jsonl")
    yield line
    line.close()


def test_it_advises_predicts_and_keeps_the_ledger(
    bus: MemoryBus, line: LoadLine, tmp_path: Path
) -> None:
    heard = Heard(bus, "dropline.tuning.")
    line.tuner.set_goal(Goal(GoalKind.WAIT, 0.05))
    line.start()
    advice = heard.until(Advice)
    while not (advice.now and advice.recommendation.workers):
        advice = heard.until(Advice)
    assert advice.station == "load"
    assert advice.workers == 3
    numbers = [prediction.workers for prediction in advice.curve]
    assert numbers == sorted(set(numbers))
    assert {1, 3, advice.recommendation.workers} <= set(numbers)
    assert len(numbers) <= 45
    line.resize(4, by=By.CURVE)
    record = heard.until(LedgerWritten).record
    assert (record.by, record.before, record.workers) == ("curve", 3, 4)
    moved = heard.until(Advice, workers=4).t
    while heard.until(Advice).t < moved + ON_THE_WAY:
        pass
    line.close()
    assert json.loads((tmp_path / "ledger.jsonl").read_text("utf-8"))["workers"] == 4


def test_a_hand_takes_over_from_the_autopilot_and_the_probe(bus: MemoryBus, line: LoadLine) -> None:
    heard = Heard(bus, "dropline.tuning.")
    line.start()
    line.tuner.set_autopilot(True, 1, 8)
    heard.until(AutopilotChanged, on=True)
    line.tuner.start_probe(4, 1.0)
    heard.until(ProbeChanged, running=True)
    line.resize(5)
    heard.until(AutopilotChanged, on=False, why="touched")
    heard.until(ProbeChanged, why="touched")
    heard.until(Advice, workers=5)


def test_advice_survives_the_wire(bus: MemoryBus, line: LoadLine) -> None:
    messages: SimpleQueue[Message] = SimpleQueue()
    bus.subscribe("dropline.tuning.advised", messages.put)
    line.start()
    message = messages.get(timeout=30)
    while not message.data.curve:  # type: ignore[attr-defined]
        message = messages.get(timeout=30)
    wire = json.dumps(message.to_cloudevent(), allow_nan=False)
    assert Message.from_cloudevent(json.loads(wire)) == message


def test_bounds_that_mean_nothing_are_refused(line: LoadLine) -> None:
    with pytest.raises(ValueError, match="choose 1 to"):
        line.tuner.set_autopilot(True, 5, 4)
    with pytest.raises(ValueError, match="choose 2 to"):
        line.tuner.start_probe(1000)


def test_a_tuner_that_was_not_started_costs_nothing(bus: MemoryBus) -> None:
    heard = Heard(bus, "dropline.")
    line = LoadLine(
        Load(Poisson(60.0)), SimulatedTarget(Service(Exponential(0.02))), bus, workers=2
    )
    try:
        line.start()
        heard.until(WorkersChanged, wanted=2)
        line.resize(3)
        heard.until(WorkersChanged, wanted=3)
        assert line.tuner.ledger.records() == []
    finally:
        line.close()
