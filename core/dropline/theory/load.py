"""What every formula asks first: are the numbers sensible, and does the line keep up?"""

from __future__ import annotations

import math

#: The most workers, places or jobs that a formula counts through one by one.
MOST = 1_000_000
#: A line whose spare capacity is a smaller share than this of its capacity does not keep up: that
#: of 100 workers at 1/600 a second against 1/6 a second is none, whatever the last bit says.
_ROUNDING = 1e-14


def spare(arrival_rate: float, service_rate: float, workers: int) -> float:
    """The spare capacity cμ − λ, jobs a second; 0 or less where the line does not keep up.

    ρ near 1 loses no digits in it, as it does in 1 − ρ.
    """
    capacity = workers * service_rate
    left = capacity - arrival_rate
    return min(left, 0.0) if left <= _ROUNDING * capacity else left


def check_rates(arrival_rate: float, service_rate: float) -> None:
    """Refuse rates that mean nothing: λ is 0 or more, μ above 0."""
    check_number("the arrival rate", arrival_rate)
    if not (math.isfinite(service_rate) and service_rate > 0):
        raise ValueError(f"the service rate is a number above 0, not {service_rate}")
    if math.isinf(arrival_rate / service_rate):
        raise ValueError(f"{arrival_rate} arrivals to a service rate of {service_rate}: too many")


def check_number(name: str, value: float) -> None:
    """Refuse what is no number or below 0."""
    if not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{name} is a number of 0 or more, not {value}")


def check_positive(name: str, value: float) -> None:
    """Refuse what is no number above 0; infinity is one."""
    if not value > 0:
        raise ValueError(f"{name} is above 0, not {value}")


def check_count(name: str, value: int, *, least: int = 1) -> None:
    """Refuse what is no count from `least` to `MOST`."""
    if not (least <= value <= MOST and value == int(value)):
        raise ValueError(f"{name} is a whole number from {least} to {MOST:,}, not {value}")
