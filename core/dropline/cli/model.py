"""Compute what a queueing formula predicts of a line that has settled.

NAME is one of mm1, mmc, mg1, ggc (Allen–Cunneen), mmck, erlang_b and erlang_c. Rates are in any one
unit of time, in which the times are too: 10 a minute and 0.1 a minute give minutes.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from dropline import theory
from dropline.cli import USAGE_ERROR, CommandError

EXAMPLE = """example:
  dropline model mmc --arrival-rate 10 --service-rate 0.1 --workers 101 --percentile 0.95
  dropline model mmck --arrival-rate 2 --service-rate 1 --capacity 5 --json"""

#: The plain name and the sign of each key of the JSON.
NAMES = {
    "erlang_b": ("share of jobs lost, all workers being busy", "B"),
    "erlang_c": ("share of jobs that wait", "C"),
    "rho": ("utilisation", "ρ"),
    "p0": ("chance that nobody is there", "p₀"),
    "p_wait": ("chance to wait", "P(Wq > 0)"),
    "p_block": ("chance to be turned away", "P(full)"),
    "Lq": ("jobs waiting, mean", "Lq"),
    "L": ("jobs in the system, mean", "L"),
    "Wq": ("wait, mean", "Wq"),
    "W": ("response time, mean", "τ = W"),
    "X": ("completions in a unit of time", "X"),
    "growth": ("growth of the queue in it", "λ − cμ"),
    "Wq_pct": ("wait of all but the last {rest:.3g} %", "Wq p{percent:g}"),
    "W_pct": ("response time of all but the last {rest:.3g} %", "τ p{percent:g}"),
    "Wq_sf": ("chance to wait longer than {time:g}", "P(Wq > {time:g})"),
    "W_sf": ("chance that the response takes longer than {time:g}", "P(τ > {time:g})"),
}


@dataclass(frozen=True, slots=True)
class Model:
    """A formula, and the options that it takes; the others must be as it assumes them."""

    formula: Callable[[argparse.Namespace], Mapping[str, float | None]]
    takes: frozenset[str]


def _steady(line: theory.Steady) -> dict[str, float | None]:
    return {
        "rho": line.utilisation,
        "p0": line.p_empty,
        "p_wait": line.p_wait,
        "p_block": line.p_blocked,
        "Lq": line.mean_waiting,
        "L": line.mean_in_system,
        "Wq": line.mean_wait,
        "W": line.mean_response,
        "X": line.throughput,
        "growth": line.growth,
    }


def _mmc(o: argparse.Namespace) -> dict[str, float | None]:
    figures = _steady(theory.mmc(o.arrival_rate, o.service_rate, o.workers))
    tails = theory.tails(o.arrival_rate, o.service_rate, o.workers)
    if o.percentile is not None:
        figures["Wq_pct"] = tails.wait_percentile(o.percentile)
        figures["W_pct"] = tails.response_percentile(o.percentile)
    if o.time is not None:
        figures["Wq_sf"] = tails.wait_tail(o.time)
        figures["W_sf"] = tails.response_tail(o.time)
    return figures


def _mg1(o: argparse.Namespace) -> dict[str, float | None]:
    return _steady(theory.mg1(o.arrival_rate, o.service_rate, o.scv_service))


def _ggc(o: argparse.Namespace) -> dict[str, float | None]:
    line = theory.ggc(o.arrival_rate, o.service_rate, o.workers, o.scv_arrival, o.scv_service)
    return _steady(line)


def _mmck(o: argparse.Namespace) -> dict[str, float | None]:
    if o.capacity is None:
        raise CommandError("mmck needs --capacity K, the most jobs in the system", USAGE_ERROR)
    return _steady(theory.mmck(o.arrival_rate, o.service_rate, o.workers, o.capacity))


def _erlang_b(o: argparse.Namespace) -> dict[str, float | None]:
    return {"erlang_b": theory.erlang_b(_load(o), o.workers)}


def _erlang_c(o: argparse.Namespace) -> dict[str, float | None]:
    return {"erlang_c": theory.erlang_c(_load(o), o.workers)}


def _load(o: argparse.Namespace) -> float:
    theory.check_rates(o.arrival_rate, o.service_rate)
    return float(o.arrival_rate / o.service_rate)


MODELS = {
    "mm1": Model(_mmc, frozenset({"percentile", "time"})),
    "mmc": Model(_mmc, frozenset({"workers", "percentile", "time"})),
    "mg1": Model(_mg1, frozenset({"scv_service"})),
    "ggc": Model(_ggc, frozenset({"workers", "scv_arrival", "scv_service"})),
    "mmck": Model(_mmck, frozenset({"workers", "capacity"})),
    "erlang_b": Model(_erlang_b, frozenset({"workers"})),
    "erlang_c": Model(_erlang_c, frozenset({"workers"})),
}
#: What a model that does not take the option assumes.
ASSUMED = {"workers": 1, "capacity": None, "scv_arrival": 1.0, "scv_service": 1.0}


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("name", choices=MODELS, metavar="NAME", help=", ".join(MODELS))
    parser.add_argument(
        "--arrival-rate", type=float, required=True, metavar="λ", help="arrivals in a unit of time"
    )
    parser.add_argument(
        "--service-rate",
        type=float,
        required=True,
        metavar="μ",
        help="jobs a worker could do in it",
    )
    parser.add_argument("--workers", type=int, default=1, metavar="c", help="workers (%(default)s)")
    parser.add_argument(
        "--capacity", type=int, metavar="K", help="most jobs in the system, those in service too"
    )
    parser.add_argument(
        "--scv-arrival",
        type=float,
        default=1.0,
        metavar="ca²",
        help="variance/mean² of the times between arrivals (%(default)s: exponential)",
    )
    parser.add_argument(
        "--scv-service",
        type=float,
        default=1.0,
        metavar="cs²",
        help="variance/mean² of the service times (%(default)s: exponential)",
    )
    parser.add_argument(
        "--percentile", type=float, metavar="p", help="a share such as 0.95 (mm1, mmc)"
    )
    parser.add_argument("--time", type=float, metavar="t", help="a time to exceed (mm1, mmc)")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(options: argparse.Namespace) -> int:
    """Compute and print."""
    model = MODELS[options.name]
    for option in ("workers", "capacity", "scv_arrival", "scv_service", "percentile", "time"):
        if option not in model.takes and getattr(options, option) != ASSUMED.get(option):
            able = ", ".join(name for name in MODELS if option in MODELS[name].takes)
            flag = "--" + option.replace("_", "-")
            raise CommandError(f"{options.name} takes no {flag}: use {able}", USAGE_ERROR)
    try:
        figures = model.formula(options)
    except ValueError as error:
        raise CommandError(f"{error}: see dropline model --help", USAGE_ERROR) from error
    known = {key: value for key, value in figures.items() if value is not None}
    if options.json:
        print(json.dumps({key: "inf" if math.isinf(v) else v for key, v in known.items()}))
    else:
        _print_table(known, options)
    return 0


def _print_table(figures: Mapping[str, float], options: argparse.Namespace) -> None:
    # Not at the top: JSON is done before this would be imported.
    from rich.console import Console
    from rich.table import Table

    share = 0.0 if options.percentile is None else options.percentile
    asked = {"percent": 100 * share, "rest": 100 * (1 - share), "time": options.time or 0.0}
    table = Table("figure", "sign", "value")
    for key, value in figures.items():
        name, sign = NAMES[key]
        table.add_row(name.format(**asked), sign.format(**asked), f"{value:.6g}")
    Console().print(table)
