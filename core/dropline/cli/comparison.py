"""What was measured of a load beside what theory says: a table, sentences, JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.table import Table

from dropline.cli.live import number
from dropline.load import Expected
from dropline.station import Reading
from dropline.theory import Range
from dropline.tuning import Doubt, words
from dropline.tuning.observed import Snapshot

#: The plain name and the sign of each figure that is compared.
NAMES = {
    "arrival_rate": ("arrivals/s", "λ"),
    "service_rate": ("jobs/s of one worker", "μ"),
    "utilisation": ("utilisation", "ρ"),
    "throughput": ("jobs done/s", "X"),
    "mean_in_system": ("jobs in the line", "L"),
    "mean_waiting": ("jobs that wait", "Lq"),
    "mean_response": ("response, mean, s", "τ"),
    "response_p95": ("response, 95 %, s", "τ p95"),
    "mean_wait": ("wait, mean, s", "Wq"),
}


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a run of `seconds` gave, what it rests on, and what was to be expected."""

    reading: Reading
    seen: Snapshot
    seconds: float
    workers: int
    expected: Expected | None
    #: Between what each figure lies in 9 of 10 runs like this one, where that is known.
    by_chance: Mapping[str, Range] = field(default_factory=dict)

    def measured(self) -> dict[str, float | int | None]:
        """The figures of the run, by name."""
        return {
            **self.reading.figures.as_dict(),
            "response_p50": self.reading.p50,
            "response_p95": self.reading.p95,
            "response_p99": self.reading.p99,
        }

    def theory(self) -> dict[str, float | None]:
        """The same of the model, as far as it knows them."""
        if self.expected is None:
            return {}
        steady, figures = self.expected.steady, {}
        if steady is not None:
            figures = {
                "utilisation": steady.utilisation,
                "throughput": steady.throughput,
                "mean_in_system": steady.mean_in_system,
                "mean_waiting": steady.mean_waiting,
                "mean_response": steady.mean_response,
                "response_p95": math.inf if self.expected.is_unstable else self.expected.p95,
                "mean_wait": steady.mean_wait,
            }
        return {
            "arrival_rate": self.expected.arrival_rate,
            "service_rate": self.expected.service_rate,
            **figures,
        }

    def verdict(self) -> tuple[str, str]:
        """Whether theory holds for the run ("valid", "doubtful", "unstable", "batch", "none"), and
        a sentence that says why."""
        expected = self.expected
        if expected is None:
            return "none", "No job was served, so there is nothing to go by."
        if not expected.model:
            return "none", (
                "No formula holds where the arrival rate changes: record a log, and replay it with "
                "dropline whatif."
            )
        if expected.drain is not None:
            low, middle, high = map(number, expected.drain)
            took = f"The batch took {number(self.seconds)} s; "
            return "batch", f"{took}{middle} s were expected, {low} to {high} s 9 times in 10."
        if expected.is_unstable:
            able = self.workers * expected.service_rate
            enough = "No number of" if expected.enough is None else expected.enough
            return "unstable", (
                f"Unstable: {number(expected.arrival_rate)} jobs a second come and {self.workers} "
                f"workers can do {number(able)}, so the queue only grows, and there is no settled "
                f"value of L or τ. {enough} workers keep up."
            )
        return self._steady_verdict(expected.model)

    def _steady_verdict(self, model: str) -> tuple[str, str]:
        # Not at the top: it takes NumPy, which a run need not wait for.
        from dropline.theory.validity import Verdict, assess

        seen = self.seen
        validity = assess(seen.gaps, seen.services, self.workers, seconds=seen.watched)
        if validity.verdict is Verdict.VALID:
            return "valid", f"{model} holds for this run: it differs from theory by chance only."
        doubts = (
            words.doubt(Doubt(doubt.reason.name.lower(), doubt.value, doubt.limit)).rstrip(".")
            for doubt in validity.doubts
        )
        return "doubtful", f"Take {model} with care: {'; '.join(doubts)}."

    def table(self) -> Table:
        """Figure by figure."""
        model = self.expected.model if self.expected else ""
        table = Table("figure", "sign", "measured", f"theory {model}".rstrip())
        if self.by_chance:
            table.add_column("9 of 10 such runs")
        for column in table.columns[2:]:
            column.justify = "right"
        measured, expected = self.measured(), self.theory()
        for key, (name, sign) in NAMES.items():
            cells = [name, sign, _text(measured[key]), _text(expected.get(key))]
            if key in self.by_chance:
                cells.append(
                    f"{number(self.by_chance[key].low)}–{number(self.by_chance[key].high)}"
                )
            table.add_row(*cells)
        return table

    def as_dict(self) -> dict[str, Any]:
        """All of it, for JSON; infinite is "inf"."""
        verdict, why = self.verdict()
        drain = self.expected.drain if self.expected else None
        expected = {
            key: "inf" if value == math.inf else value for key, value in self.theory().items()
        }
        return {
            "seconds": self.seconds,
            "workers": self.workers,
            "measured": self.measured(),
            "theory": {
                "model": self.expected.model if self.expected else "",
                **expected,
                "drain": drain and drain._asdict(),
            },
            "by_chance": {key: range._asdict() for key, range in self.by_chance.items()},
            "verdict": verdict,
            "why": why,
        }


def _text(value: float | None) -> str:
    return "∞" if value == math.inf else number(value)
