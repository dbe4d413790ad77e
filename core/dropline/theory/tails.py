"""How long the unlucky wait: tails and percentiles of M/M/c, first come, first served.

A tail is P(time > t), a percentile the time that a share p of the jobs does not exceed. Where the
line does not keep up every tail is 1 and every percentile infinite.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from dropline.theory.load import check_number, spare
from dropline.theory.steady import mmc


@dataclass(frozen=True, slots=True)
class Tails:
    """The distributions of wait and response of an M/M/c line.

    The wait is 0 with 1 − C and exponential at the rate cμ − λ with C (Erlang C); the response is
    the wait and an exponential service. Source: Gross et al., chapter 3.
    """

    service_rate: float
    #: cμ − λ; 0 or less where the line does not keep up.
    spare: float
    p_wait: float

    def wait_tail(self, t: float) -> float:
        """P(wait > t)."""
        check_number("the time", t)
        return self.p_wait * math.exp(-self.spare * t) if self.spare > 0 else 1.0

    def response_tail(self, t: float) -> float:
        """P(response > t)."""
        check_number("the time", t)
        return self._response_tail(t) if self.spare > 0 else 1.0

    def wait_percentile(self, p: float) -> float:
        """The wait that a share `p` does not exceed; 0 where so many do not wait at all."""
        check_share(p)
        if self.spare <= 0:
            return math.inf
        return math.log(self.p_wait / (1 - p)) / self.spare if self.p_wait > 1 - p else 0.0

    def response_percentile(self, p: float) -> float:
        """The response that a share `p` does not exceed."""
        check_share(p)
        if self.spare <= 0:
            return math.inf
        # Between the service alone and twice what is enough, halved until no float lies between.
        low = high = -math.log1p(-p) / self.service_rate
        while self._response_tail(high) > 1 - p:
            low, high = high, 2 * high
        while low < (middle := low + (high - low) / 2) < high:
            low, high = (middle, high) if self._response_tail(middle) > 1 - p else (low, middle)
        return high

    def _response_tail(self, t: float) -> float:
        # e^(−μt) + Cμ(e^(−θt) − e^(−μt))/(μ − θ), θ the spare capacity, written so that θ near μ
        # or equal to it loses nothing.
        apart = abs(self.service_rate - self.spare)
        slower = min(self.service_rate, self.spare)
        between = -math.expm1(-apart * t) / apart if apart else t
        tail = math.exp(-self.service_rate * t)
        return tail + self.p_wait * self.service_rate * math.exp(-slower * t) * between


def tails(arrival_rate: float, service_rate: float, workers: int) -> Tails:
    """The tails of M/M/c; of M/M/1 with one worker."""
    p_wait = mmc(arrival_rate, service_rate, workers).p_wait
    assert p_wait is not None
    return Tails(service_rate, spare(arrival_rate, service_rate, workers), p_wait)


def check_share(p: float) -> None:
    """Refuse a percentile that is no share of the jobs."""
    if not 0 <= p < 1:
        raise ValueError(f"the percentile is a share from 0 to below 1, such as 0.95, not {p}")
