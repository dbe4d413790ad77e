"""What the tuner says, as facts that any bus can carry: predictions, advice, moves, the ledger.

None stands for what is not known, or has no bound. Codes are plain text on the bus; `words` has the
sentences.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from dropline.events import Event
from dropline.value import value


@dataclass(frozen=True, slots=True)
class Figure:
    """What is expected, and between what it lies 9 times in 10."""

    low: float | None = None
    expected: float | None = None
    high: float | None = None

    @classmethod
    def of(cls, low: float, expected: float, high: float) -> Figure:
        """Infinite ones are without bound."""
        return cls(_finite(low), _finite(expected), _finite(high))

    def holds(self, value: float) -> bool:
        """Whether the range holds a measured value; what has no bound, holds any."""
        return (self.low is None or self.low <= value) and (self.high is None or value <= self.high)


#: Nothing is known.
UNKNOWN = Figure()


@dataclass(frozen=True, slots=True)
class Prediction:
    """The line with `workers`, once it has settled; seconds, and rates a second.

    `stable`: it keeps up, by what is expected; if not, its means are unknown. `beyond`: more
    workers than were ever seen busy. `capacity` is cμ(c), `utilisation` the offered load λ/cμ(c),
    1 and more where the line does not keep up. From the line as it is now: `drain` is the time
    until nobody waits, `finish` until it is empty if nothing more comes.
    """

    workers: int
    stable: bool
    beyond: bool
    capacity: Figure
    utilisation: Figure
    throughput: Figure
    in_system: Figure
    waiting: Figure
    response: Figure
    response_p95: Figure
    wait: Figure
    drain: Figure
    finish: Figure


@dataclass(frozen=True, slots=True)
class Doubt:
    """A reason (of `theory.validity.Reason`, in lower case), its figure and its limit."""

    reason: str
    value: float
    limit: float


@dataclass(frozen=True, slots=True)
class Check:
    """Whether predictions hold: "valid", "doubtful", or "batch" (see the drain time)."""

    verdict: str
    doubts: tuple[Doubt, ...]
    scv_arrival: float | None
    scv_service: float | None


@dataclass(frozen=True, slots=True)
class Measured:
    """Jobs a second that left while so many workers were busy."""

    workers: int
    throughput: float
    jobs: int


@dataclass(frozen=True, slots=True)
class Capacity:
    """Where more workers stop to help; what too few points leave open is None.

    `enough` is the fewest workers with 95 % of the most: the knee. `most_measured` is the most that
    were busy long enough.
    """

    peak: float | None
    peak_low: float | None
    peak_high: float | None
    enough: int | None
    most_measured: int
    points: tuple[Measured, ...]


class GoalKind(StrEnum):
    """What the user wants of the line."""

    NONE = "none"
    #: 95 of 100 files answered for within so many seconds.
    RESPONSE = "response"
    #: So many seconds of waiting, on average.
    WAIT = "wait"
    #: All that is here sent by a moment, in the line's clock.
    DONE_BY = "done_by"


@dataclass(frozen=True, slots=True)
class Goal:
    """A kind and its limit: seconds, or for `DONE_BY` the moment."""

    kind: str = GoalKind.NONE
    limit: float = 0.0

    def __post_init__(self) -> None:
        """Raises ValueError for a kind or a limit that means nothing."""
        if self.kind not in list(GoalKind):
            raise ValueError(f"a goal is one of {', '.join(GoalKind)}, not {self.kind}")
        if not math.isfinite(self.limit):
            raise ValueError(f"a goal is a number of seconds, not {self.limit}")
        if self.kind in (GoalKind.RESPONSE, GoalKind.WAIT) and self.limit <= 0:
            raise ValueError(f"a goal of {self.limit} seconds: choose more than 0")


class Why(StrEnum):
    """Why so many workers are recommended, or none."""

    #: Nothing has come and been served yet.
    NOTHING_SEEN = "nothing_seen"
    #: Nothing is here, and nothing comes.
    IDLE = "idle"
    #: The fewest with which the line keeps up and waits make up less than half of a response.
    KEEPS_UP = "keeps_up"
    #: The fewest that meet the goal.
    MEETS_GOAL = "meets_goal"
    #: The fewest that send what is here by the time asked for.
    IN_TIME = "in_time"
    #: A batch: as many as help.
    BATCH = "batch"
    #: No number meets the goal: the work alone takes longer.
    SERVICE_TOO_LONG = "service_too_long"
    #: More would be needed, but more than these do no more: the knee.
    KNEE = "knee"
    #: No more than there are files left to send.
    FEW_LEFT = "few_left"
    #: More would be needed than were tried: as far as the measurements reach.
    FURTHEST = "furthest"
    #: More would be needed than may be.
    BOUND = "bound"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """A number of workers and the code of its reason; None while there is nothing to go by.

    `value` is what is predicted of the goal's figure with so many, `limit` the goal's; `met` says
    whether the goal is expected to be met, None without one.
    """

    workers: int | None
    why: str
    value: float | None = None
    limit: float | None = None
    met: bool | None = None


class Stage(StrEnum):
    """Where the time of a file goes."""

    #: Reading and hashing the file: the source's disk.
    SOURCE = "source"
    #: This program's own processor time, which its workers share (the interpreter).
    SENDER = "sender"
    #: Handing bytes to the network.
    NETWORK = "network"
    #: Waiting for leave from the limit on bytes a second.
    LIMIT = "limit"
    #: Waiting for the target's answer.
    TARGET = "target"
    #: Nothing but their number: adding workers helps.
    WORKERS = "workers"
    #: Nothing limits: the line keeps up with what comes.
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Share:
    """A stage's share of the time of busy workers."""

    stage: str
    share: float


@dataclass(frozen=True, slots=True)
class Bottleneck:
    """The stage that limits the line and its share, and the shares of all."""

    stage: str
    share: float
    shares: tuple[Share, ...]


class By(StrEnum):
    """Who changed the number of workers."""

    HAND = "hand"
    CURVE = "curve"
    AUTOPILOT = "autopilot"
    PROBE = "probe"
    START = "start"


@dataclass(frozen=True, slots=True)
class Expected:
    """A prediction and what came: `error` is relative to what was predicted."""

    predicted: Figure
    measured: float | None = None

    @property
    def error(self) -> float | None:
        """(measured − predicted)/predicted; None where either is not known."""
        expected = self.predicted.expected
        if self.measured is None or not expected:
            return None
        return self.measured / expected - 1


class Progress(StrEnum):
    """How far a record of the ledger is."""

    WAITING = "waiting"
    MEASURED = "measured"
    #: The number of workers changed again, or the program ended, before enough was seen.
    CUT = "cut"
    #: Not what was expected came, but more or less: what was predicted is of another line.
    CHANGED = "changed"


@dataclass(frozen=True, slots=True)
class Record:
    """A change of the number of workers, what was predicted for it, and what came.

    `time` is UTC (ISO 8601). The figures are measured over `seconds`, from `starts` seconds after
    the change, when the line should have settled; the drain from the change itself.
    """

    number: int
    time: str
    by: str
    before: int
    workers: int
    verdict: str
    state: str
    starts: float
    seconds: float
    throughput: Expected
    in_system: Expected
    response: Expected
    drain: Expected

    @property
    def figures(self) -> tuple[Expected, ...]:
        """All that is predicted."""
        return self.throughput, self.in_system, self.response, self.drain


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How right the predictions were: of `figures` in `checked` records.

    The median of the absolute relative errors, and the share of the measured that the 90 % ranges
    held.
    """

    checked: int
    figures: int
    median_error: float | None
    inside: float | None


# --- on the bus ---------------------------------------------------------------------------------


@value
class Advice(Event):
    """What the tuner makes of the line now; about once a second while the line lives.

    `t` is in monotonic seconds, `workers` are those wanted (0 while paused), `now` is predicted for
    them. `curve` is in order of the number of workers, and holds these and the recommended one.
    """

    type: ClassVar[str] = "dropline.tuning.advised"
    station: str
    t: float
    workers: int
    in_system: int
    now: Prediction | None
    curve: tuple[Prediction, ...]
    check: Check | None
    capacity: Capacity
    recommendation: Recommendation
    bottleneck: Bottleneck | None


@value
class LedgerWritten(Event):
    """A record was added to the ledger, or completed (with the same number)."""

    type: ClassVar[str] = "dropline.tuning.ledger"
    station: str
    record: Record
    accuracy: Accuracy


@value
class AutopilotChanged(Event):
    """The autopilot was turned on or off: because it was "asked", or "touched" (the user moved)."""

    type: ClassVar[str] = "dropline.tuning.autopilot"
    station: str
    on: bool
    least: int
    most: int
    why: str


@value
class AutopilotMoved(Event):
    """The autopilot changed the number of workers, for a reason as of `Recommendation`."""

    type: ClassVar[str] = "dropline.tuning.moved"
    station: str
    before: int
    workers: int
    why: str
    value: float | None
    limit: float | None


@value
class ProbeChanged(Event):
    """The guided probe began a step, or ended.

    `why`: "running", or why it ended: "done", "stopped", "touched" (the user moved), "empty" (there
    is not enough in the line to keep the workers busy).
    """

    type: ClassVar[str] = "dropline.tuning.probe"
    station: str
    running: bool
    step: int
    steps: int
    workers: int
    seconds: float
    why: str


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
