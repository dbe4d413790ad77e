"""The formulas against reference values: every row of what is built, by module and by command."""

from __future__ import annotations

import csv
import json
import math
from collections.abc import Callable
from pathlib import Path

import pytest

from dropline import theory
from dropline.cli import main

DATA = Path(__file__).parents[1] / "data"
Row = dict[str, str]


def rows(name: str) -> list[Row]:
    with (DATA / name).open(newline="") as file:
        return list(csv.DictReader(file))


def assert_close(got: float | str, wanted: str, tolerance: str) -> None:
    assert float(got) == pytest.approx(float(wanted), rel=float(tolerance), abs=0)


# --- queueing.csv ---------------------------------------------------------------------------------

COLUMNS = {
    "lambda": "--arrival-rate",
    "mu": "--service-rate",
    "c": "--workers",
    "K": "--capacity",
    "scv_arrival": "--scv-arrival",
    "scv_service": "--scv-service",
    "p": "--percentile",
    "t": "--time",
}


def test_the_command_prints_every_row_of_the_reference(capsys: pytest.CaptureFixture[str]) -> None:
    known = rows("queueing.csv")
    assert len(known) == 334
    for row in known:
        options = [f"{flag}={row[column]}" for column, flag in COLUMNS.items() if row[column]]
        assert main(["model", row["model"], *options, "--json"]) == 0
        figures = json.loads(capsys.readouterr().out)
        got = figures[row["quantity"]]
        assert got == "inf" if row["value"] == "inf" else isinstance(got, float | int)
        assert_close(got, row["value"], row["rel_tol"])


def test_the_module_gives_every_row_of_the_reference() -> None:
    for row in rows("queueing.csv"):
        load = float(row["lambda"]) / float(row["mu"])
        if row["model"].startswith("erlang"):
            got = getattr(theory, row["model"])(load, int(row["c"]))
        elif row["quantity"] in {"W_pct", "Wq_pct", "W_sf"}:
            got = tail(row)
        else:
            got = figure(steady(row), row["quantity"])
        assert_close(got, row["value"], row["rel_tol"])


def steady(row: Row) -> theory.Steady:
    arrivals, service, workers = float(row["lambda"]), float(row["mu"]), int(row["c"])
    match row["model"]:
        case "mm1":
            return theory.mm1(arrivals, service)
        case "mmc":
            return theory.mmc(arrivals, service, workers)
        case "mg1":
            return theory.mg1(arrivals, service, float(row["scv_service"]))
        case "ggc":
            scv = float(row["scv_arrival"]), float(row["scv_service"])
            return theory.ggc(arrivals, service, workers, *scv)
        case "mmck":
            return theory.mmck(arrivals, service, workers, int(row["K"]))
    raise AssertionError(row)


def tail(row: Row) -> float:
    line = theory.tails(float(row["lambda"]), float(row["mu"]), int(row["c"]))
    match row["quantity"]:
        case "W_pct":
            return line.response_percentile(float(row["p"]))
        case "Wq_pct":
            return line.wait_percentile(float(row["p"]))
        case "W_sf":
            return line.response_tail(float(row["t"]))
    raise AssertionError(row)


def figure(line: theory.Steady, quantity: str) -> float:
    figures = {
        "rho": line.utilisation,
        "p0": line.p_empty,
        "p_wait": line.p_wait,
        "erlang_c": line.p_wait,
        "p_block": line.p_blocked,
        "Lq": line.mean_waiting,
        "L": line.mean_in_system,
        "Wq": line.mean_wait,
        "W": line.mean_response,
        "X": line.throughput,
        "growth": line.growth,
    }
    value = figures[quantity]
    assert value is not None
    return value


# --- queueing_more.csv ----------------------------------------------------------------------------

#: Rows that concern nothing that is built.
NOT_BUILT = {
    "M/D/1": "the distribution of the wait for equal service times",
    "M/D/c": "exact figures of equal service times; ggc approximates them (see below)",
    "GI/M/1": "exact figures of arrivals that are not Poisson; ggc approximates them",
    "G/G/1-KingmanBound": "a bound, not a prediction",
    "G/G/c-Sakasegawa": "another approximation of what ggc approximates",
    "G/G/c-KLB": "another approximation of what ggc approximates",
    "MX/M/c": "batches that arrive at random; a batch gets its drain time",
}
LIKE_GGC = {"M/G/c", "G/G/1-Kingman", "G/G/c-AllenCunneen"}


def reason_left_out(row: Row) -> str | None:
    if row["model"] in NOT_BUILT:
        return NOT_BUILT[row["model"]]
    if row["c"] == "0":
        return "a paused line settles to nothing: no workers are refused"
    if row["quantity"] == "log_p0":
        return "p₀ is 0 where no float is as small"
    if row["model"] == "M/M/c/K" and row["quantity"] == "P_wait_gt_t":
        return "tails are built for M/M/c"
    return None


MORE = [row for row in rows("queueing_more.csv") if reason_left_out(row) is None]


def test_most_of_the_further_rows_are_looked_at() -> None:
    assert len(rows("queueing_more.csv")) == 435
    assert len(MORE) == 341


@pytest.mark.parametrize("row", MORE, ids=lambda row: row["id"])
def test_a_further_row(row: Row) -> None:
    # A value of 0 there is one below the smallest float.
    assert_close(further(row), row["value"], row["tolerance"])


def further(row: Row) -> float:
    arrivals, service = float(row["lambda"]), float(row["mu"])
    if row["model"] == "M/M/c-sizing":
        return workers_for(row, arrivals, service)
    workers = int(row["c"])
    quantity = row["quantity"]
    if quantity in DRAINS:
        return DRAINS[quantity](int(row["n"]), arrivals, service, workers)
    if quantity == "erlang_b":
        return theory.erlang_b(arrivals / service, workers)
    if quantity == "P_wait_gt_t":
        return theory.tails(arrivals, service, workers).wait_tail(float(row["t"]))
    name, _, percent = quantity.partition("_p")
    if percent.isdigit():
        line = theory.tails(arrivals, service, workers)
        p = int(percent) / 100
        return line.wait_percentile(p) if name == "Wq" else line.response_percentile(p)
    return figure(further_steady(row, arrivals, service, workers), quantity)


DRAINS: dict[str, Callable[[int, float, float, int], float]] = {
    "drain_mean": theory.mean_drain_time,
    "drain_fluid": theory.fluid_drain_time,
    "drain_to_c": theory.time_to_no_queue,
}


def further_steady(row: Row, arrivals: float, service: float, workers: int) -> theory.Steady:
    if row["model"] in LIKE_GGC:
        scv = float(row["scv_arrival"]), float(row["scv_service"])
        return theory.ggc(arrivals, service, workers, *scv)
    match row["model"]:
        case "M/M/1" | "M/M/c":
            return theory.mmc(arrivals, service, workers)
        case "M/M/c/K":
            return theory.mmck(arrivals, service, workers, int(row["K"]))
        case "M/G/1":
            return theory.mg1(arrivals, service, float(row["scv_service"]))
    raise AssertionError(row)


def workers_for(row: Row, arrivals: float, service: float) -> float:
    if row["quantity"] == "c_stable":
        return theory.workers_to_keep_up(arrivals, service)
    _, _, time, *percent = row["quantity"].split("_")
    find = theory.workers_for_wait if time == "Wq" else theory.workers_for_response
    p = int(percent[0][1:]) / 100 if percent else None
    found = find(arrivals, service, float(row["slo"]), p)
    return math.inf if found is None else found


def test_allen_cunneen_is_near_the_exact_values_of_equal_service_times() -> None:
    exact = [r for r in rows("queueing_more.csv") if r["model"] == "M/D/c"]
    errors = []
    for row in exact:
        line = theory.ggc(float(row["lambda"]), float(row["mu"]), int(row["c"]), 1, 0)
        errors.append(figure(line, row["quantity"]) / float(row["value"]) - 1)
    assert -0.045 < min(errors) < max(errors) < 0
