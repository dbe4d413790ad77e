"""The ledger: what it writes of a change, when it measures, and what outlives the program."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dropline.tuning import By, Ledger, LedgerWritten, Progress
from dropline.tuning.ledger import KEPT, ON_THE_WAY

from .virtual_line import Tuned, VirtualLine


def poisson(chance: random.Random, rate: float) -> Iterator[float]:
    t = 0.0
    while True:
        t += chance.expovariate(rate)
        yield t


def line(rate: float = 3.0, seed: int = 1, ledger: Path | None = None, workers: int = 5) -> Tuned:
    """A line in virtual time that has been watched for a while."""
    chance = random.Random(seed)
    tuned = Tuned(VirtualLine(poisson(chance, rate), lambda: chance.expovariate(1.0)), ledger)
    tuned.resize(workers, By.START)
    tuned.run(100, 10)
    return tuned


def states(tuned: Tuned) -> list[str]:
    return [record.state for record in tuned.tuner.ledger.records()]


def test_a_change_is_predicted_then_measured(tmp_path: Path) -> None:
    tuned = line(ledger=tmp_path / "ledger.jsonl")
    tuned.resize(6, By.CURVE)
    tuned.run(1)
    (record,) = tuned.tuner.ledger.records()
    assert (record.by, record.before, record.workers, record.state) == ("curve", 5, 6, "waiting")
    assert record.response.predicted.expected == pytest.approx(1.0, rel=0.3)
    assert record.response.measured is None
    tuned.run(record.starts + record.seconds + 5)
    (record,) = tuned.tuner.ledger.records()
    assert record.state == Progress.MEASURED
    assert record.response.measured == pytest.approx(1.0, rel=0.3)
    assert record.throughput.measured == pytest.approx(3.0, rel=0.2)
    assert record.drain.predicted.expected is None  # there was no queue worth one
    told = [event.record.state for event in tuned.of(LedgerWritten)]
    assert told == ["waiting", "measured"]
    accuracy = tuned.of(LedgerWritten)[-1].accuracy
    assert (accuracy.checked, accuracy.figures) == (1, 3)
    again = Ledger(tmp_path / "ledger.jsonl")
    assert again.records() == [record]
    assert again.accuracy() == accuracy


def test_the_next_change_cuts_a_record_short() -> None:
    tuned = line()
    tuned.resize(6)
    tuned.run(5)
    tuned.resize(7)
    tuned.run(1)
    assert states(tuned) == ["cut", "waiting"]


def test_a_slider_on_its_way_leaves_one_record() -> None:
    tuned = line()
    for workers in (6, 7, 8, 9):
        tuned.resize(workers)
        tuned.run(ON_THE_WAY / 8, 0.1)
    assert [record.workers for record in tuned.tuner.ledger.records()] == [9]


def test_a_drop_is_measured_by_its_drain_time() -> None:
    chance = random.Random(5)
    tuned = Tuned(VirtualLine(iter(()), lambda: chance.expovariate(1.0)))
    tuned.resize(4, By.START)
    tuned.line.feed(2000)
    tuned.run(60, 10)
    tuned.resize(8)
    tuned.run(400, 5)
    (record,) = tuned.tuner.ledger.records()
    assert (record.verdict, record.state) == ("batch", "measured")
    assert record.response.predicted.expected is None
    assert record.drain.measured is not None
    assert record.drain.predicted.holds(record.drain.measured)
    assert record.throughput.measured == pytest.approx(8, rel=0.2)


def test_what_becomes_another_line_meanwhile_is_not_counted() -> None:
    tuned = line()
    tuned.resize(6)
    tuned.run(1)
    tuned.line.arrive(t + tuned.line.now for t in poisson(random.Random(1), 5.5))
    tuned.run(300, 10)
    assert states(tuned) == ["changed"]
    assert tuned.tuner.ledger.accuracy().checked == 0


def test_of_an_empty_line_to_which_nothing_comes_there_is_nothing_to_say() -> None:
    chance = random.Random(5)
    tuned = Tuned(VirtualLine(iter(()), lambda: chance.expovariate(1.0)))
    tuned.resize(4, By.START)
    tuned.line.feed(100)
    tuned.run(100, 10)
    tuned.resize(8)
    tuned.run(1)
    assert states(tuned) == []


def test_zero_workers_are_no_prediction() -> None:
    tuned = line()
    tuned.resize(0)
    tuned.run(1)
    assert states(tuned) == []


def test_a_file_cut_short_by_a_kill_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    tuned = line(ledger=path)
    tuned.resize(6)
    tuned.run(5)
    tuned.tuner.close()
    whole = path.read_text("utf-8")
    path.write_text(whole + whole[:50], "utf-8")
    assert [record.state for record in Ledger(path).records()] == ["cut"]


def test_the_file_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "ledger.jsonl"
    tuned = line(ledger=path)
    tuned.resize(6)
    tuned.run(5)
    tuned.tuner.close()
    path.write_text(path.read_text("utf-8") * (2 * KEPT), "utf-8")
    tuned = line(ledger=path)
    tuned.resize(7)
    tuned.run(5)
    tuned.tuner.close()
    assert len(path.read_text("utf-8").splitlines()) == KEPT
    assert len(Ledger(path).records()) == KEPT


def test_it_is_exported(tmp_path: Path) -> None:
    tuned = line()
    tuned.resize(6)
    tuned.run(200, 10)
    ledger = tuned.tuner.ledger
    ledger.export(tmp_path / "ledger.csv")
    ledger.export(tmp_path / "ledger.json")
    with (tmp_path / "ledger.csv").open(encoding="utf-8", newline="") as file:
        (row,) = csv.DictReader(file)
    (told,) = json.loads((tmp_path / "ledger.json").read_text("utf-8"))
    (record,) = ledger.records()
    assert row["workers"] == "6"
    assert float(row["response_measured"]) == record.response.measured
    assert float(row["response_error"]) == pytest.approx(record.response.error)
    assert told["response"]["predicted"]["low"] == record.response.predicted.low


def test_a_ledger_that_can_not_be_written_is_kept_in_memory(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", "utf-8")
    tuned = line(ledger=tmp_path / "file" / "ledger.jsonl")
    tuned.resize(6)
    tuned.run(5)
    tuned.tuner.close()
    assert states(tuned) == ["cut"]


@settings(deadline=None, max_examples=5)
@given(st.lists(st.tuples(st.integers(0, 9), st.floats(0.5, 40.0)), max_size=5))
def test_each_change_is_in_it_at_most_once(steps: list[tuple[int, float]]) -> None:
    """Whatever the changes, at most the latest record waits, and numbers rise."""
    tuned = line()
    for workers, seconds in steps:
        tuned.resize(workers)
        tuned.run(seconds, 8)
    records = tuned.tuner.ledger.records()
    assert all(record.state != Progress.WAITING for record in records[:-1])
    numbers = [record.number for record in records]
    assert numbers == sorted(set(numbers))
    assert len(records) <= len(steps)
    for record in records:
        measured = [figure.measured is not None for figure in record.figures]
        assert record.state == Progress.MEASURED or not any(measured[:3])
