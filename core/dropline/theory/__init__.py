"""Queueing formulas: numbers in, numbers out, by `math` alone; `usl` and `validity` need NumPy."""

from dropline.theory.chain import Chain, chain
from dropline.theory.drain import (
    Range,
    batch_time,
    fluid_drain_time,
    mean_drain_time,
    relaxation_time,
    time_to_no_queue,
)
from dropline.theory.load import check_rates
from dropline.theory.sizing import workers_for_response, workers_for_wait, workers_to_keep_up
from dropline.theory.steady import Steady, erlang_b, erlang_c, ggc, mg1, mm1, mmc, mmck
from dropline.theory.tails import Tails, tails

__all__ = [
    "Chain",
    "Range",
    "Steady",
    "Tails",
    "batch_time",
    "chain",
    "check_rates",
    "erlang_b",
    "erlang_c",
    "fluid_drain_time",
    "ggc",
    "mean_drain_time",
    "mg1",
    "mm1",
    "mmc",
    "mmck",
    "relaxation_time",
    "tails",
    "time_to_no_queue",
    "workers_for_response",
    "workers_for_wait",
    "workers_to_keep_up",
]
