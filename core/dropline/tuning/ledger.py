"""The ledger: each change of the number of workers, what was predicted for it, and what came.

It is kept in a file of JSON lines, which outlives the program; the latest `KEPT` records count.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import logging
import math
import os
import statistics
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dropline.meter import Totals, figures
from dropline.tuning.advice import (
    UNKNOWN,
    Accuracy,
    Expected,
    Figure,
    Progress,
    Record,
)
from dropline.tuning.observed import Snapshot

if TYPE_CHECKING:  # it takes NumPy along
    from dropline.tuning.predict import Model

_log = logging.getLogger(__name__)

#: Records that are kept; the file holds up to twice as many.
KEPT = 1_000
#: Relaxation times, jobs and seconds that a measured mean is taken over at least, and seconds at
#: most.
RELAXATIONS, JOBS, LEAST, MOST = 30, 400, 10.0, 1_800.0
#: A change that is followed by another within so many seconds was on the way to it.
ON_THE_WAY = 2.0
#: Jobs a worker that wait when a drain is worth a prediction.
BACKLOG = 3
#: Standard deviations of what came from what was expected, beyond which it is another line.
ANOTHER = 3.5
#: Of the time that a batch surely takes, the share over which its throughput is measured.
OF_BATCH = 0.7


@dataclass(slots=True)
class _Open:
    """A record that is not complete: when it is measured, in the line's clock."""

    record: Record
    changed: float
    starts: float
    ends: float
    #: λ at the time, and the variance of what comes for each that is expected, error included.
    arrival_rate: float
    scv_arrival: float
    arrival_error: float
    first: Totals | None = None


class Ledger:
    """Predictions and what came of them; used by one thread, read by any."""

    def __init__(
        self, path: Path | None = None, utc: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """`path`: the file that keeps it; None for a ledger of this run alone."""
        self._path = path
        self._utc = utc
        self._lock = threading.Lock()
        self._open: _Open | None = None
        lines = [] if path is None else _lines(path)
        self._records = deque((r for r in map(_read, lines) if r is not None), maxlen=KEPT)
        self._lines = len(lines)
        self._number = max((record.number for record in self._records), default=0)

    def records(self) -> list[Record]:
        """From the oldest to the latest, the one that is not complete included."""
        with self._lock:
            return [*self._records, *([self._open.record] if self._open else [])]

    def accuracy(self) -> Accuracy:
        """How right the measured predictions were."""
        return accuracy(self.records())

    def export(self, path: Path) -> None:
        """Write all records to a file: CSV if it is called `.csv`, else JSON. Raises OSError."""
        records = self.records()
        if path.suffix.lower() == ".csv":
            with path.open("w", encoding="utf-8", newline="") as file:
                rows = [_flat(record) for record in records]
                writer = csv.DictWriter(file, _COLUMNS)
                writer.writeheader()
                writer.writerows(rows)
        else:
            values = [_told(record) for record in records]
            path.write_text(json.dumps(values, indent=1) + "\n", "utf-8")

    def change(self, model: Model, workers: int, by: str, now: float) -> list[Record]:
        """The number of workers changes now, and `model` is of the moment before.

        Returns the records that this adds or completes.
        """
        written = self.cut(now)
        starts, seconds = _window(model, workers)
        expected = model.predict(workers, seconds or math.inf)
        throughput = expected.throughput if seconds else UNKNOWN
        drain = expected.drain if model.in_system >= BACKLOG * workers else UNKNOWN
        if throughput == drain == UNKNOWN:  # little is left, and nothing comes
            return written
        self._number += 1
        record = Record(
            number=self._number,
            time=self._utc().isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            by=by,
            before=model.workers,
            workers=workers,
            verdict=model.check().verdict,
            state=Progress.WAITING,
            starts=starts,
            seconds=seconds,
            throughput=Expected(throughput),
            in_system=Expected(expected.in_system),
            response=Expected(expected.response),
            drain=Expected(drain),
        )
        opened = _Open(
            record,
            changed=now,
            starts=now + starts,
            ends=now + starts + seconds,
            arrival_rate=model.arrival_rate,
            scv_arrival=model.scv_arrival,
            arrival_error=model.arrival_error,
        )
        with self._lock:
            self._open = opened
        return [*written, record]

    def cut(self, now: float) -> list[Record]:
        """No more can be measured of the latest change; returns its record if it is kept."""
        opened = self._open
        if opened is None:
            return []
        if now - opened.changed < ON_THE_WAY:
            with self._lock:
                self._open = None
            return []
        return [self._close(opened, replace(opened.record, state=Progress.CUT))]

    def look(self, snapshot: Snapshot, totals: Callable[[float], Totals]) -> list[Record]:
        """Measure what is due; `totals` are the meter's. Returns the record if it is complete."""
        opened, now = self._open, snapshot.time
        if opened is None:
            return []
        if snapshot.workers != opened.record.workers:  # paused
            return self.cut(now)
        drained = opened.record.drain
        if drained.measured is None and drained.predicted.expected and snapshot.no_queue:
            took = max(0.0, snapshot.no_queue - opened.changed)
            opened.record = replace(opened.record, drain=replace(drained, measured=took))
        if opened.first is None and now >= opened.starts:
            opened.first = totals(now)
            opened.ends = now + opened.record.seconds
        drains = opened.record.drain.predicted.expected and opened.record.drain.measured is None
        if opened.first is None or now < opened.ends or drains:
            return []
        last = totals(now)
        seen = figures(opened.first, last)
        if _is_another(opened, seen.arrivals, seen.end - seen.start):
            return [self._close(opened, replace(opened.record, state=Progress.CHANGED))]
        record = opened.record
        return [
            self._close(
                opened,
                replace(
                    record,
                    state=Progress.MEASURED,
                    throughput=_met(record.throughput, seen.throughput),
                    in_system=_met(record.in_system, seen.mean_in_system),
                    response=_met(record.response, seen.mean_response),
                ),
            )
        ]

    def close(self, now: float) -> list[Record]:
        """Write what is not complete; nothing more is measured."""
        return self.cut(now)

    def _close(self, opened: _Open, record: Record) -> Record:
        assert self._open is opened
        with self._lock:
            self._open = None
            self._records.append(record)
        if self._path is not None:
            try:
                self._write(self._path, record)
            except OSError as error:
                _log.warning("the ledger %s can't be written: %s", self._path, error)
        return record

    def _write(self, path: Path, record: Record) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._lines += 1
        if self._lines <= 2 * KEPT:
            with path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(_told(record)) + "\n")
            return
        kept = path.with_name(f".{path.name}.new")
        kept.write_text("".join(json.dumps(_told(r)) + "\n" for r in self._records), "utf-8")
        os.replace(kept, path)
        self._lines = len(self._records)


def accuracy(records: Sequence[Record]) -> Accuracy:
    """How right those of the records were that are measured."""
    checked = [record for record in records if record.state == Progress.MEASURED]
    met = [figure for record in checked for figure in record.figures if figure.error is not None]
    if not met:
        return Accuracy(len(checked), 0, None, None)
    inside = sum(
        figure.predicted.holds(figure.measured) for figure in met if figure.measured is not None
    )
    return Accuracy(
        len(checked),
        len(met),
        statistics.median(abs(figure.error or 0.0) for figure in met),
        inside / len(met),
    )


def _window(model: Model, workers: int) -> tuple[float, float]:
    """When the line with so many workers is worth measuring, and for how long."""
    rate = model.pace.expected(workers)
    settles = model.settles(workers)
    if model.is_batch:
        starts = workers / rate
        surely = model.drain(workers).low or 0.0
        return starts, max(0.0, OF_BATCH * surely - starts)
    if math.isinf(settles):  # it does not keep up: what it does when it is full
        return 2 * workers / rate, min(MOST, max(LEAST, JOBS / rate))
    enough = max(LEAST, RELAXATIONS * model.relaxes(workers), JOBS / model.arrival_rate)
    return settles, min(MOST, enough)


def _is_another(opened: _Open, arrivals: int, seconds: float) -> bool:
    """Whether more or less came than chance makes of what was expected."""
    expected = opened.arrival_rate * seconds
    if not expected:
        return arrivals > 0
    scatter = max(opened.scv_arrival, 1.0) * expected + (opened.arrival_error * expected) ** 2
    return abs(arrivals - expected) > ANOTHER * math.sqrt(scatter)


def _met(expected: Expected, measured: float | None) -> Expected:
    return replace(expected, measured=measured) if expected.predicted.expected else expected


# --- in files -----------------------------------------------------------------------------------

_FIGURES = ("throughput", "in_system", "response", "drain")
_PLAIN = tuple(f.name for f in dataclasses.fields(Record) if f.name not in _FIGURES)
_COLUMNS = (
    *_PLAIN,
    *(f"{n}_{p}" for n in _FIGURES for p in ("low", "expected", "high", "measured", "error")),
)


def _told(record: Record) -> dict[str, Any]:
    return dataclasses.asdict(record)


def _flat(record: Record) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(record, name) for name in _PLAIN}
    for name in _FIGURES:
        figure: Expected = getattr(record, name)
        row |= {f"{name}_{k}": v for k, v in dataclasses.asdict(figure.predicted).items()}
        row |= {f"{name}_measured": figure.measured, f"{name}_error": figure.error}
    return row


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return []
    except (OSError, UnicodeDecodeError) as error:
        _log.warning("the ledger %s can't be read: %s", path, error)
        return []


def _read(line: str) -> Record | None:
    """A record as it was written; None of a line that is none: one that a kill cut short."""
    try:
        told = json.loads(line)
        met = {
            name: Expected(Figure(**told[name]["predicted"]), told[name]["measured"])
            for name in _FIGURES
        }
        return Record(**{**told, **met})
    except (KeyError, TypeError, ValueError):
        return None
