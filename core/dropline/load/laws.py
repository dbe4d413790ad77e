"""Laws that times and sizes are drawn from: a mean, a variability, and how to draw.

`scv` is the squared coefficient of variation, variance/mean²: 0 for equal values, 1 for exponential
ones, infinity never.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


class Law(Protocol):
    """A distribution of values above or equal to 0."""

    @property
    def mean(self) -> float:
        """The mean, in the unit of the values."""
        ...

    @property
    def scv(self) -> float:
        """variance/mean²."""
        ...

    def draw(self, source: random.Random, /) -> float:
        """A value."""
        ...


@dataclass(frozen=True, slots=True)
class Fixed:
    """Always `mean`."""

    mean: float
    scv: float = 0.0

    def __post_init__(self) -> None:
        _check("the mean", self.mean)
        if self.scv:
            raise ValueError(f"fixed values have a variability of 0, not {self.scv:g}")

    def draw(self, _source: random.Random, /) -> float:
        return self.mean


@dataclass(frozen=True, slots=True)
class Exponential:
    """Memoryless, of a mean: what M stands for in M/M/c."""

    mean: float

    def __post_init__(self) -> None:
        _check("the mean", self.mean)

    @property
    def scv(self) -> float:
        return 1.0

    def draw(self, source: random.Random, /) -> float:
        return source.expovariate(1.0) * self.mean


@dataclass(frozen=True, slots=True)
class LogNormal:
    """Of a mean and a variability: many short ones and a few long ones."""

    mean: float
    scv: float

    def __post_init__(self) -> None:
        _check("the mean", self.mean)
        _check("the variability", self.scv)

    def draw(self, source: random.Random, /) -> float:
        variance = math.log1p(self.scv)  # of the logarithm
        return self.mean * math.exp(source.gauss(-variance / 2, math.sqrt(variance)))


class Listed:
    """One of some values, each as likely as it is often among them."""

    def __init__(self, values: Sequence[float]) -> None:
        """Raises ValueError for none, or for one that is below 0."""
        if not values:
            raise ValueError("a list of values needs one at least")
        for value in values:
            _check("a value", value)
        self._values = tuple(values)
        self.mean = math.fsum(values) / len(values)
        self.scv = scv(values)

    def draw(self, source: random.Random, /) -> float:
        return source.choice(self._values)


def scv(values: Sequence[float]) -> float:
    """variance/mean² of all these values; 0 of none and of all 0."""
    mean = math.fsum(values) / len(values) if values else 0.0
    if not mean:
        return 0.0
    return math.fsum((value / mean - 1) ** 2 for value in values) / len(values)


def _check(name: str, value: float) -> None:
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is a number of 0 or more, not {value}")
