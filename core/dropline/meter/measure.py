"""The figures of a recorded log over one window."""

from collections.abc import Callable
from os import PathLike

from dropline.meter.log import T_LIMIT, read_log, warn
from dropline.meter.percentiles import RELATIVE_ERROR, Spread
from dropline.meter.tally import Tally, Totals, to_ticks
from dropline.meter.window import figures


def measure(
    path: str | PathLike[str],
    start: float,
    end: float,
    notice: Callable[[str], object] = warn,
) -> dict[str, float | int | None]:
    """The figures of the log at `path` over [start, end) seconds, jobs that came before included.

    Beside the keys of `Figures.as_dict`: `response_p50`, `response_p95` and `response_p99` of
    the jobs finished in the window, each within the share `percentile_error` of the true one;
    and `ignored`, the entries up to `end` that couldn't follow from what came before and so
    count nowhere. `notice` gets the sentence about a last line cut short.

    Streams: memory grows with the jobs present, not with the log. Raises LogError when the log
    can't be read, ValueError when the window doesn't end after its start.
    """
    if not -T_LIMIT <= start < end <= T_LIMIT:
        raise ValueError(f"the window must end after its start: {end:g} s is not after {start:g} s")
    # No log begins before this, and up to its first entry there is nothing to add up.
    tally = Tally(to_ticks(-T_LIMIT))
    first: Totals | None = None
    spread = Spread()
    for entry in read_log(path, notice):
        if first is None and entry.t >= start:
            first = tally.at(to_ticks(start))
        if entry.t >= end:
            break
        served = tally.apply(to_ticks(entry.t), entry)
        if served is not None and first is not None:
            spread.add(served)
    if first is None:
        first = tally.at(to_ticks(start))
    return {
        **figures(first, tally.at(to_ticks(end))).as_dict(),
        "response_p50": spread.response.quantile(0.50),
        "response_p95": spread.response.quantile(0.95),
        "response_p99": spread.response.quantile(0.99),
        "percentile_error": RELATIVE_ERROR,
        "ignored": tally.ignored,
    }
