"""The tuner of a station: watches it, says what it would do with other numbers of workers, keeps
the ledger of that, and sets the number itself when it is asked to.

All thinking happens about once a second on a thread of its own. Every method returns at once; what
came of it is posted.
"""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Protocol

from dropline.events import Event
from dropline.meter import Meter, time_left
from dropline.station import MAX_WORKERS, Counts, Observer
from dropline.theory import Range
from dropline.tuning.advice import (
    Advice,
    AutopilotChanged,
    AutopilotMoved,
    Bottleneck,
    By,
    Goal,
    LedgerWritten,
    Prediction,
    ProbeChanged,
    Recommendation,
    Record,
    Why,
)
from dropline.tuning.autopilot import Autopilot
from dropline.tuning.bottleneck import Finder
from dropline.tuning.ledger import Ledger
from dropline.tuning.observed import Observed, Snapshot
from dropline.tuning.probe import Probe, Step

if TYPE_CHECKING:  # they take NumPy and SciPy along, which is loaded when it is used
    from dropline.tuning.pace import Fitting
    from dropline.tuning.predict import Model
    from dropline.tuning.recommend import Recommender

_log = logging.getLogger(__name__)

#: Seconds between two looks, and between those of a probe.
PERIOD, PROBING = 1.0, 0.25
#: Seconds without anything new after which there is no new advice.
QUIET = 60.0
#: Numbers of workers that a curve has at most, and up to which it goes at least.
CURVE, WIDE = 32, 16


class Watched(Protocol):
    """What the tuner needs of a station."""

    @property
    def name(self) -> str: ...

    def watch(self, observer: Observer, /) -> None: ...

    def unwatch(self, observer: Observer, /) -> None: ...

    def counts(self) -> Counts: ...


#: Sets a number of workers, unless the user has set one meanwhile: what it then says is false.
Resize = Callable[[int, By, Callable[[], bool]], None]


class Tuner:
    """Predicts, recommends, probes and, if asked to, sets the workers of one station."""

    def __init__(
        self,
        station: Watched,
        meter: Meter,
        post: Callable[[Event], None],
        resize: Resize,
        *,
        give_way: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Does nothing before `start`. `give_way` is called in the middle of long computations."""
        self.ledger = Ledger()
        self._station = station
        self._meter = meter
        self._post = post
        self._resize = resize
        self._give_way = give_way
        self._clock = clock
        self._goal = Goal()
        self._autopilot = Autopilot()
        self._probe: Probe | None = None
        self._observed: Observed | None = None
        self._finder = Finder()
        self._fitting: Fitting | None = None
        self._recommender: Recommender | None = None
        self._recommended: int | None = None
        self._requests: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self._touches = 0
        self._told: tuple[object, ...] = ()
        self._new = -math.inf
        self._wake = threading.Event()
        self._stop = False
        self._thread = threading.Thread(target=self._run, name=f"{station.name} tuner", daemon=True)

    # --- for the user -----------------------------------------------------------------------

    @property
    def goal(self) -> Goal:
        """What the recommendation is for."""
        return self._goal

    @property
    def recommended(self) -> int | None:
        """The number of workers that was last recommended for the goal; None while none is."""
        return self._recommended

    def set_goal(self, goal: Goal) -> None:
        """Recommend for another goal."""
        self._goal = goal
        self._ask(lambda: None)

    def set_autopilot(self, on: bool, least: int = 1, most: int = 16) -> None:
        """Let the recommended number of workers, within these bounds, be set without asking.

        It ends as soon as the user sets one. Raises ValueError for bounds that leave none.
        """
        if on and not 1 <= least <= most <= MAX_WORKERS:
            raise ValueError(
                f"{least} to {most} workers: choose 1 to {MAX_WORKERS}, the least no more than "
                "the most"
            )
        self._ask(lambda: self._switch(on, least, most))

    def start_probe(self, most: int = 16, seconds: float = 5.0) -> None:
        """Try 1, 2, 4, … up to `most` workers for `seconds` each, then go back.

        It ends as soon as the user sets a number. Raises ValueError for what is no probe.
        """
        if most > MAX_WORKERS:
            raise ValueError(f"a probe of up to {most} workers: choose 2 to {MAX_WORKERS}")
        Probe(1, most, seconds, 0.0)  # refuses
        self._ask(lambda: self._begin_probe(most, seconds))

    def stop_probe(self) -> None:
        """End the probe, and go back to the workers from before."""
        self._ask(lambda: self._end_probe("stopped"))

    # --- for the line -----------------------------------------------------------------------

    def open(self, ledger: Path | None = None) -> None:
        """Begin to watch, without a thread: whoever calls `look` now and then has the advice.

        `ledger`: the file in which it is kept.
        """
        if ledger is not None:
            self.ledger = Ledger(ledger)
        self._observed = Observed(self._clock())
        self._station.watch(self._observed)

    def start(self, ledger: Path | None = None) -> None:
        """Begin to watch, and to think."""
        self.open(ledger)
        self._thread.start()

    def close(self) -> None:
        """Stop; what was not measured yet is written down as such."""
        self._stop = True
        self._wake.set()
        if self._thread.ident is not None:
            self._thread.join()
        if self._observed is not None:
            self._station.unwatch(self._observed)
        self.ledger.close(self._clock())

    def moves(self, workers: int, by: By) -> None:
        """The number of workers is about to be changed; called just before."""
        if self._observed is None:
            return
        if by in (By.HAND, By.CURVE):
            self._touches += 1  # from here on nothing that was decided before is done
            self._ask(self._touched)
        snapshot = self._observed.snapshot(self._clock())
        if workers != snapshot.workers:
            self._ask(lambda: self._predict_for(snapshot, workers, by))

    def look(self) -> None:
        """Think once: what was asked for, then what has been seen."""
        while True:
            try:
                request = self._requests.get_nowait()
            except Empty:
                break
            request()
        if self._observed is None:
            return
        snapshot, counts = self._observed.snapshot(self._clock()), self._station.counts()
        self._tell(self.ledger.look(snapshot, self._meter.totals))
        if self._probe is not None:
            self._go_on(self._probe, snapshot)
        state = (
            snapshot.gaps[-1:],
            snapshot.services[-1:],
            snapshot.in_system,
            counts.wanted,
            snapshot.workers,
            self._goal,
            self._autopilot.on,
        )
        if state != self._told:
            self._told, self._new = state, snapshot.time
        if snapshot.busy or snapshot.time - self._new <= QUIET:
            self._advise(self._up_to_date(self._observed, snapshot), counts)

    def _run(self) -> None:
        while True:
            # At first, too: the libraries take 0.7 s to load, and a window has yet to be shown.
            self._wake.wait(PERIOD if self._probe is None else PROBING)
            self._wake.clear()
            if self._stop:
                return
            try:
                self.look()
            except Exception:  # noqa: BLE001 - advice must never end the line
                _log.exception("the tuner of %s", self._station.name)

    def _ask(self, request: Callable[[], None]) -> None:
        self._requests.put(request)
        self._wake.set()

    # --- thinking ---------------------------------------------------------------------------

    def _model(self, snapshot: Snapshot, counts: Counts) -> Model | None:
        from dropline.tuning.pace import Fitting
        from dropline.tuning.predict import Model

        self._fitting = self._fitting or Fitting(self._give_way)
        if not snapshot.services:
            return None
        return Model.of(snapshot, self._fitting.update(snapshot), _finish(counts))

    def _advise(self, snapshot: Snapshot, counts: Counts) -> None:
        from dropline.tuning.pace import capacity

        now, workers = snapshot.time, snapshot.workers
        model = self._model(snapshot, counts)
        most = self._autopilot.most if self._autopilot.on else MAX_WORKERS
        recommendation = self._recommend(model, now, most)
        self._recommended = recommendation.workers
        self._steer(recommendation, counts, now)
        fit = None if self._fitting is None else self._fitting.usable
        bottleneck = self._limits(model, counts, now)
        curve = () if model is None else _curve(model, workers, recommendation.workers or 0)
        self._post(
            Advice(
                station=self._station.name,
                t=now,
                workers=workers,
                in_system=snapshot.in_system,
                now=next((p for p in curve if p.workers == workers), None),
                curve=curve,
                check=None if model is None else model.check(),
                capacity=capacity(snapshot, fit),
                recommendation=recommendation,
                bottleneck=bottleneck,
            )
        )

    def _up_to_date(self, observed: Observed, snapshot: Snapshot) -> Snapshot:
        """Without what was seen of a target that is another one now."""
        from dropline.tuning.pace import outdated

        past = outdated(snapshot)
        if not past:
            return snapshot
        observed.forget(past)
        return observed.snapshot(snapshot.time)

    def _recommend(self, model: Model | None, now: float, most: int) -> Recommendation:
        if model is None:
            return Recommendation(None, Why.NOTHING_SEEN)
        from dropline.tuning.recommend import Recommender

        self._recommender = self._recommender or Recommender()
        return self._recommender.recommend(model, self._goal, now, most)

    def _limits(self, model: Model | None, counts: Counts, now: float) -> Bottleneck | None:
        gain = None
        if model is not None and model.workers and model.pace.fit is not None:
            c = model.workers
            more = model.pace.expected(c + 1) - model.pace.expected(c)
            gain = more * c / model.pace.expected(c)
        totals = self._meter.totals(now)
        return self._finder.look(now, time.process_time(), counts.spent, totals, gain)

    def _predict_for(self, snapshot: Snapshot, workers: int, by: By) -> None:
        model = self._model(snapshot, self._station.counts()) if workers else None
        if model is None or not model.workers:
            self._tell(self.ledger.cut(snapshot.time))
        else:
            self._tell(self.ledger.change(model, workers, by, snapshot.time))

    def _tell(self, records: Sequence[Record]) -> None:
        for record in records:
            self._post(LedgerWritten(self._station.name, record, self.ledger.accuracy()))

    # --- autopilot and probe ----------------------------------------------------------------

    def _steer(self, recommendation: Recommendation, counts: Counts, now: float) -> None:
        """Let the autopilot move, unless the line stands still for another reason."""
        if self._probe is not None or counts.paused or counts.target_down:
            return
        move = self._autopilot.decide(recommendation, counts.wanted, now)
        if move is not None:
            because = move.because
            self._set(move.workers, By.AUTOPILOT)
            self._post(
                AutopilotMoved(
                    self._station.name,
                    move.before,
                    move.workers,
                    because.why,
                    because.value,
                    because.limit,
                )
            )

    def _switch(self, on: bool, least: int, most: int) -> None:
        if on:
            self._autopilot.engage(least, most)
        else:
            self._autopilot.disengage()
        self._tell_autopilot("asked")

    def _touched(self) -> None:
        if self._autopilot.on:
            self._autopilot.disengage()
            self._tell_autopilot("touched")
        if self._probe is not None:
            self._tell_probe(self._probe, self._probe.end("touched"))
            self._probe = None

    def _tell_autopilot(self, why: str) -> None:
        pilot = self._autopilot
        self._post(AutopilotChanged(self._station.name, pilot.on, pilot.least, pilot.most, why))

    def _begin_probe(self, most: int, seconds: float) -> None:
        if self._probe is None and self._observed is not None:
            probe = Probe(self._station.counts().wanted, most, seconds, self._clock())
            self._probe = probe
            self._set(probe.step.workers, By.PROBE)
            self._tell_probe(probe, probe.step)

    def _go_on(self, probe: Probe, snapshot: Snapshot) -> None:
        finished = self._station.counts().finished
        step = probe.look(snapshot.time, snapshot.in_system, finished)
        if step is not None and step.running:
            self._set(step.workers, By.PROBE)
            self._tell_probe(probe, step)
        elif step is not None:
            self._end_probe(step.why)

    def _end_probe(self, why: str) -> None:
        probe = self._probe
        if probe is not None:
            self._probe = None
            step = probe.end(why)
            self._set(step.workers, By.PROBE)
            self._tell_probe(probe, step)

    def _tell_probe(self, probe: Probe, step: Step) -> None:
        self._post(
            ProbeChanged(
                station=self._station.name,
                running=step.running,
                step=step.number,
                steps=len(probe.plan),
                workers=step.workers,
                seconds=probe.seconds,
                why=step.why,
            )
        )

    def _set(self, workers: int, by: By) -> None:
        touches = self._touches
        self._resize(workers, by, lambda: self._touches == touches)


def _finish(counts: Counts) -> Callable[[int], Range] | None:
    """How long what is here takes, by the sizes of the files."""
    service, jobs = counts.service, counts.waiting + counts.serving / 2
    if service is None or not jobs:
        return None

    def finish(workers: int) -> Range:
        left = time_left(
            service,
            jobs,
            counts.bytes_left,
            counts.squares_left,
            workers,
            largest=counts.largest_left,
        )
        return Range(left.low, left.expected, left.high)

    return finish


def _curve(model: Model, workers: int, recommended: int) -> tuple[Prediction, ...]:
    """Predictions from one worker to twice as many as there are, or are recommended."""
    most = min(MAX_WORKERS, max(WIDE, 2 * workers, 2 * recommended))
    step = most ** (1 / CURVE)
    chosen = {min(most, max(1, round(step**k))) for k in range(CURVE + 1)}
    chosen |= {1, *range(1, min(most, 8) + 1), most}
    chosen |= {n for n in (workers, recommended) if 1 <= n <= MAX_WORKERS}
    return tuple(model.predict(n) for n in sorted(chosen))
