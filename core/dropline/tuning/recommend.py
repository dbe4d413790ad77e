"""How many workers: the fewest that meet the user's goal, as far as more workers help."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from dropline.tuning.advice import Goal, GoalKind, Prediction, Recommendation, Why
from dropline.tuning.predict import Model

#: More than so many times those that were measured are not recommended for a batch, nor beyond a
#: knee that lies there.
FURTHEST = 2
#: A batch: so much more of the time of the best number is near enough.
NEAR = 1.05
#: More than the fewest by so much, and at least by one, is no reason to recommend fewer.
SLACK = 0.15


@dataclass(frozen=True, slots=True)
class _Aim:
    """A figure of a prediction, and what it may come to."""

    figure: Callable[[Prediction], float | None]
    limit: float
    why: Why

    def is_met(self, prediction: Prediction) -> bool:
        value = self.figure(prediction)
        return value is not None and value <= self.limit


class Recommender:
    """Recommends a number of workers, and keeps to it while it does: it does not flicker."""

    def __init__(self) -> None:
        self._last: int | None = None

    def recommend(self, model: Model | None, goal: Goal, now: float, most: int) -> Recommendation:
        """A recommendation for the line as it is `now`, of at most `most` workers."""
        advised = recommend(model, goal, now, most)
        last, fewest = self._last, advised.workers
        if model is None or fewest is None:
            return advised
        if last is not None and fewest < last <= min(most, fewest + max(1, int(SLACK * fewest))):
            aim = _aim(model, goal, now)
            capped = advised.why in (Why.KNEE, Why.FEW_LEFT)
            if not capped and (aim is None or aim.is_met(model.predict(last))):
                value = advised.value if aim is None else aim.figure(model.predict(last))
                return Recommendation(last, advised.why, value, advised.limit, advised.met)
        self._last = fewest
        return advised


def recommend(model: Model | None, goal: Goal, now: float, most: int) -> Recommendation:
    """The fewest workers that meet the goal, if more than those that are left to serve, or than
    help, are not needed; else as many as help. `now` is the line's clock.
    """
    if model is None:
        return Recommendation(None, Why.NOTHING_SEEN)
    if model.is_batch and not model.in_system:
        return Recommendation(None, Why.IDLE)
    cap, why = _cap(model, most)
    aim = _aim(model, goal, now)
    if aim is None:
        return _for_batch(model, cap, why)
    if model.is_batch and goal.kind != GoalKind.DONE_BY:
        return _for_batch(model, cap, why)  # the goal is one of a line that goes on
    has_goal = goal.kind != GoalKind.NONE
    workers = _fewest(aim, model, cap)
    value = aim.figure(model.predict(workers))
    shown = None if goal.kind == GoalKind.NONE else aim.limit
    if aim.is_met(model.predict(workers)):
        return Recommendation(workers, aim.why, value, shown, met=True if has_goal else None)
    if goal.kind == GoalKind.RESPONSE and _alone(model) > aim.limit:
        # Then the fewest with which waiting adds little.
        best = recommend(model, Goal(), now, most).workers or cap
        return Recommendation(
            best, Why.SERVICE_TOO_LONG, aim.figure(model.predict(best)), shown, met=False
        )
    return Recommendation(cap, why, value, shown, met=False if has_goal else None)


def _aim(model: Model, goal: Goal, now: float) -> _Aim | None:
    """What the goal is about; None where only a batch is left and it shall just be done."""
    match goal.kind:
        case GoalKind.RESPONSE:
            return _Aim(lambda p: p.response_p95.expected, goal.limit, Why.MEETS_GOAL)
        case GoalKind.WAIT:
            return _Aim(lambda p: p.wait.expected, goal.limit, Why.MEETS_GOAL)
        case GoalKind.DONE_BY:
            return _Aim(lambda p: p.finish.expected, max(0.0, goal.limit - now), Why.IN_TIME)
        case _ if model.is_batch:
            return None
        case _:
            service = 1 / model.pace.service_rate
            return _Aim(lambda p: p.wait.expected, service, Why.KEEPS_UP)


def _cap(model: Model, most: int) -> tuple[int, Why]:
    """No more workers than this, and why."""
    cap, why = most, Why.BOUND
    fit = model.pace.fit
    furthest = FURTHEST * max(1, model.most_measured, model.workers)
    knee = fit.recommended if fit is not None and fit.shows_peak else None
    if knee is not None and knee < furthest and knee < cap:
        cap, why = knee, Why.KNEE
    if model.is_batch:
        if furthest < cap:
            cap, why = furthest, Why.FURTHEST
        if model.in_system < cap:
            cap, why = model.in_system, Why.FEW_LEFT
    return max(1, cap), why


def _fewest(aim: _Aim, model: Model, cap: int) -> int:
    """The fewest workers that meet the aim, or the cap: more are better as far as that."""
    few, many = 0, 1
    while many < cap and not aim.is_met(model.predict(many)):
        few, many = many, min(cap, 2 * many)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if aim.is_met(model.predict(middle)) else (middle, many)
    return many


def _for_batch(model: Model, cap: int, why: Why) -> Recommendation:
    """As many as help to be done soon."""
    best = model.predict(cap).finish.expected
    if best is None:
        return Recommendation(cap, why)
    enough = _Aim(lambda p: p.finish.expected, NEAR * best, Why.BATCH)
    workers = _fewest(enough, model, cap)
    value = enough.figure(model.predict(workers))
    return Recommendation(workers, why if workers == cap else Why.BATCH, value)


def _alone(model: Model) -> float:
    """The 95th percentile of service, by one worker alone."""
    rate = max(model.pace.expected(1), model.pace.service_rate)
    return float(model.services[math.floor(0.95 * len(model.services))]) / rate
