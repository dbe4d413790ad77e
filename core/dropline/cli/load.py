"""Put a line under a load, and see what is measured of it beside what theory says.

Jobs come by an arrival law, and each keeps a worker busy for a time that is drawn from a service
law: nothing is sent. With --to real files of random bytes, made for the purpose and removed
afterwards, are sent to a real target; there they stay, in the folder “simulated load”.

Without options: 30 jobs a second by chance, exponential service of 0.1 s on average, 4 workers,
30 seconds. The first moments, until the line has settled, are left out of the figures. Theory is of
the long run; between what a run of this length lies by chance stands beside it. Ends with 0 unless
jobs failed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from dropline.bus import MemoryBus
from dropline.cli import USAGE_ERROR, CommandError, destination
from dropline.cli.comparison import Comparison
from dropline.cli.live import live_row
from dropline.cli.signals import Stop, stop_on_signals
from dropline.events import Message, RecordingEnded
from dropline.home import Home
from dropline.intake import Spool
from dropline.load import (
    Arrivals,
    Batch,
    Even,
    Expected,
    Exponential,
    Files,
    Fixed,
    Items,
    Law,
    Listed,
    Load,
    LoadLine,
    LogNormal,
    Names,
    Poisson,
    Ramp,
    Recorded,
    Service,
    SimulatedTarget,
    expect,
    scv,
)
from dropline.meter import LogError
from dropline.station import MAX_WORKERS, Reading
from dropline.targets import Target
from dropline.theory import Range
from dropline.tuning.observed import Observed, Snapshot

EXAMPLE = """example:
  dropline load --rate 30 --service exp --mean 0.1 --workers 4
  dropline load --arrivals batch --jobs 200 --service lognormal --scv 2
  dropline load --rate 5 --last-rate 60 --arrivals ramp --seconds 60 --record ramp.jsonl
  dropline load --rate 200 --to http://127.0.0.1:8765 --size 4096,65536 --workers 8"""

#: Seconds that files wait for a target that is down.
PATIENCE = 20.0
#: Relaxation times after which a line that began empty has settled, and the most of the run.
SETTLED, MOST = 5.0, 0.25
SECONDS, JOBS, RATE = 30.0, 100, 30.0


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add = parser.add_argument
    add("--rate", type=float, default=RATE, metavar="λ", help="arrivals a second (%(default)g)")
    add(
        "--arrivals",
        default="poisson",
        metavar="LAW",
        help="poisson (by chance), even, batch (all at once), ramp (from --rate to --last-rate), "
        "or a recorded LOG, whose jobs come as they came then (%(default)s)",
    )
    add("--last-rate", type=float, metavar="λ", help="where a ramp ends, after --seconds")
    add("--service", choices=("exp", "fixed", "lognormal"), default="exp", help="(%(default)s)")
    add("--mean", type=float, default=0.1, metavar="S", help="seconds of service (%(default)g)")
    add("--scv", type=float, metavar="CS²", help="variability of lognormal service: variance/mean²")
    add("--contention", type=float, default=0.0, metavar="α", help="workers wait for each other")
    add("--coherency", type=float, default=0.0, metavar="β", help="and for what each pair shares")
    add("--workers", type=int, default=4, metavar="N", help="workers (%(default)s)")
    add("--seconds", type=float, metavar="T", help=f"how long ({SECONDS:g})")
    add("--jobs", type=int, metavar="N", help="end after so many jobs, all served")
    add("--seed", type=int, default=1, help="another one draws other times (%(default)s)")
    add("--record", type=Path, metavar="LOG", help="record a log, as of any line")
    add("--json", action="store_true", help="print JSON")
    add("--to", metavar="URL", help="send real files there instead of simulating")
    add(
        "--size",
        metavar="BYTES",
        help="of the files; several, with commas, are drawn from (16384 with --to)",
    )
    add("--size-law", choices=("exp", "fixed", "lognormal"), default="fixed", help="(%(default)s)")
    add("--size-scv", type=float, metavar="CV²", help="variability of lognormal sizes")
    destination.configure(parser)


def run(options: argparse.Namespace) -> int:
    """Let it run, show how it goes, and compare."""
    if not 1 <= options.workers <= MAX_WORKERS:
        raise CommandError(f"--workers {options.workers}: use 1 to {MAX_WORKERS}", USAGE_ERROR)
    try:
        load, service = _load(options), _service(options)
        expected = (
            None if options.to else expect(load.arrivals, load.sizes, service, options.workers)
        )
    except ValueError as error:
        raise CommandError(str(error), USAGE_ERROR) from error
    target, items = _target(options, service)
    bus = MemoryBus("dropline/load")
    bus.subscribe(RecordingEnded, _warn)
    line = LoadLine(load, target, bus, items=items, workers=options.workers, patience=PATIENCE)
    observed = Observed(time.monotonic())
    line.station.watch(observed)
    settling = expected.settling if expected else 0.0
    with stop_on_signals() as stop:
        try:
            line.record(options.record)
            line.start()
            reading, seen, seconds = _look_on(
                line, observed, load, stop, settling=settling, quiet=options.json
            )
            failed = line.station.counts().failed
        finally:
            line.close()
            bus.close()
    if line.problem:
        raise CommandError(line.problem)
    is_whole = options.to is None and not stop.is_set()
    comparison = Comparison(
        reading,
        seen,
        seconds,
        options.workers,
        expected or _expect_measured(load, seen, options.workers),
        by_chance=_replicate(load, service, options.workers, reading, seconds) if is_whole else {},
    )
    _report(comparison, as_json=options.json)
    if failed:
        _print_error(f"{failed} jobs failed, the last for this reason: {line.last_failure}")
    if stop.is_set():
        return 128 + stop.signal
    return 1 if failed else 0


def _warn(message: Message) -> None:
    assert isinstance(message.data, RecordingEnded)
    if message.data.problem:
        _print_error(f"dropline load: {message.data.problem}")


def _print_error(text: str) -> None:
    Console(stderr=True, soft_wrap=True).print(escape(text), style="red")


def _report(comparison: Comparison, *, as_json: bool) -> None:
    if as_json:
        print(json.dumps(comparison.as_dict()))
        return
    console = Console(soft_wrap=True)
    console.print(comparison.table())
    console.print(escape(comparison.verdict()[1]))


# --- from the options -----------------------------------------------------------------------


def _load(options: argparse.Namespace) -> Load:
    arrivals = _arrivals(options)
    jobs, seconds = options.jobs, options.seconds
    ends = isinstance(arrivals, Batch | Recorded)
    if jobs is not None and jobs < 1:
        raise ValueError(f"--jobs {jobs}: use 1 or more")
    if seconds is not None and not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"--seconds {seconds:g}: use more than 0")
    if jobs is None and seconds is None and not ends:
        seconds = SECONDS
    return Load(arrivals, _sizes(options), jobs=jobs, seconds=seconds, seed=options.seed)


def _arrivals(options: argparse.Namespace) -> Arrivals:
    if options.last_rate is not None and options.arrivals != "ramp":
        raise ValueError("--last-rate is of a ramp: add --arrivals ramp")
    match options.arrivals:
        case "poisson":
            return Poisson(options.rate)
        case "even":
            return Even(options.rate)
        case "batch":
            return Batch(JOBS if options.jobs is None else options.jobs)
        case "ramp" if options.last_rate is None:
            raise ValueError("a ramp ends at another rate: add --last-rate λ")
        case "ramp":
            return Ramp(options.rate, options.last_rate, options.seconds or SECONDS)
        case log:
            try:
                return Recorded.of(log)
            except LogError as error:
                raise ValueError(
                    f"--arrivals: use poisson, even, batch, ramp or a recorded log ({error})"
                ) from error


def _service(options: argparse.Namespace) -> Service:
    return Service(
        _law(options.service, options.mean, options.scv, "--scv"),
        contention=options.contention,
        coherency=options.coherency,
    )


def _sizes(options: argparse.Namespace) -> Law:
    text = options.size if options.size is not None else "16384" if options.to else "0"
    try:
        sizes = [int(part) for part in text.split(",")]
    except ValueError as error:
        raise ValueError(
            f"--size {text}: write bytes, such as 4096, or several: 4096,65536"
        ) from error
    if len(sizes) > 1:
        return Listed(sizes)
    return _law(options.size_law, sizes[0], options.size_scv, "--size-scv")


def _law(name: str, mean: float, scv: float | None, flag: str) -> Law:
    if scv is not None and name != "lognormal":
        raise ValueError(f"{flag} is of lognormal values: those that are {name} have their own")
    match name:
        case "exp":
            return Exponential(mean)
        case "fixed":
            return Fixed(mean)
        case _:
            return LogNormal(mean, 1.0 if scv is None else scv)


def _target(options: argparse.Namespace, service: Service) -> tuple[Target, Items]:
    if options.to is None:
        return SimulatedTarget(service, seed=options.seed), Names()
    home = Home.default()
    try:
        target = destination.open_for(options, options.to, home.installation())
        return target, Files(Spool(home.spool))
    except ValueError as error:
        raise CommandError(f"--to: {error}", USAGE_ERROR) from error
    except OSError as error:
        raise CommandError(
            f"the data folder {home.root} cannot be used ({error.strerror}): "
            "set DROPLINE_HOME to one that can be written"
        ) from error


# --- while it runs --------------------------------------------------------------------------


def _look_on(
    line: LoadLine, observed: Observed, load: Load, stop: Stop, *, settling: float, quiet: bool
) -> tuple[Reading, Snapshot, float]:
    """Wait for the end; what was measured until nothing more came, or until a batch was done."""
    with live_row(quiet=quiet, done="done") as show:

        def until(is_over: Callable[[float], bool]) -> None:
            while not (stop.is_set() or is_over(0.1)):
                if show is not None:
                    show(line.read(10.0))

        until(line.wait_arrived)
        if isinstance(load.arrivals, Batch):
            until(line.station.wait_drained)
        now = time.monotonic()
        seconds = now - (now if line.began is None else line.began)
        reading = line.read(seconds - min(SETTLED * settling, MOST * seconds))
        seen = observed.snapshot(now)
        if load.seconds is None:  # those that were served since tell of service times, too
            until(line.station.wait_drained)
            seen = replace(seen, services=observed.snapshot(time.monotonic()).services)
    return reading, seen, seconds


def _replicate(
    load: Load, service: Service, workers: int, reading: Reading, seconds: float
) -> dict[str, Range]:
    # Not at the top: it takes NumPy, which a run need not wait for.
    from dropline.load.replicas import replicate

    skipped = max(0.0, 1 - reading.window / seconds) if seconds else 0.0
    return replicate(load, service, workers, skipped)


def _expect_measured(load: Load, seen: Snapshot, workers: int) -> Expected | None:
    """What theory says for the service times that were seen."""
    mean = math.fsum(seen.services) / len(seen.services) if seen.services else 0.0
    if not mean:
        return None
    service = Service(LogNormal(mean, scv(seen.services)))
    return expect(load.arrivals, load.sizes, service, workers)
