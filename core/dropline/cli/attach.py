"""Watch workers or queues that know nothing of Dropline, and tell their figures.

Celery: from its task events and the broker's counts. Without --json and --seconds a window opens,
with the charts and the control of workers. Each figure is exact or approximate, and notes say why,
with the remedy: workers must send events (celery worker -E, or --enable-events here), and
publishers task_send_sent_event = True. With --workers the fleet is given another size, and the
figures are taken once it has it; --restore gives it its own size back at the end.

AMQP: one queue, by a passive declare and RabbitMQ's management interface where that is. Kafka: the
lag of a consumer group on a topic, partition by partition. Nothing is consumed.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Protocol

from dropline.cli import USAGE_ERROR, CommandError
from dropline.cli.measure import format_figure
from dropline.cli.signals import stop_on_signals

if TYPE_CHECKING:
    from dropline.fleet import CeleryFleet
    from dropline.fleet.amqp import AmqpQueue
    from dropline.fleet.kafka import KafkaGroup
    from dropline.fleet.samples import Sample

#: Seconds to wait for the tasks to leave that came before the watch, whose times aren't whole.
SETTLE = 2.0
#: Seconds to wait for the fleet to have the size that was asked for.
RESIZE = 15.0
#: Seconds to watch when nobody says.
SECONDS = 10.0
#: Seconds between two looks at a queue or a topic.
LOOK_EVERY = 0.5

EXAMPLE = """example:
  dropline attach --celery amqp://guest@localhost// --seconds 60 --json
  dropline attach --celery redis://localhost/0 --workers 8 --restore
  dropline attach --amqp amqp://guest@localhost// --queue orders
  dropline attach --kafka localhost:9092 --group billing --topic orders"""


class Waits(Protocol):
    """A `Stop`, or an event of threading."""

    def wait(self, timeout: float, /) -> bool:
        """Wait at most `timeout` seconds; whether it was set."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--celery", metavar="URL", help="broker of Celery workers")
    what.add_argument("--amqp", metavar="URL", help="broker of a queue")
    what.add_argument("--kafka", metavar="HOSTS", help="brokers of a topic, host:port,…")
    parser.add_argument(
        "--queue",
        action="append",
        default=[],
        metavar="Q",
        help="the queue to watch; with --celery, one to count besides those that workers serve",
    )
    parser.add_argument("--management", metavar="URL", help="RabbitMQ's management interface")
    parser.add_argument("--group", metavar="G", help="consumer group")
    parser.add_argument("--topic", metavar="T", help="topic")
    parser.add_argument(
        "--enable-events",
        action="store_true",
        help="switch on task events of workers that have them off, while this runs",
    )
    parser.add_argument("--workers", type=int, metavar="N", help="give the fleet this size")
    parser.add_argument(
        "--restore", action="store_true", help="give it its own size back at the end"
    )
    parser.add_argument(
        "--seconds",
        type=_seconds,
        metavar="N",
        help=f"how long; {SECONDS:g} where no window is opened",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def wants_window(options: argparse.Namespace) -> bool:
    """Whether these options ask for the window, where there is a display."""
    return bool(options.celery) and not options.json and options.seconds is None


def run(options: argparse.Namespace) -> int:
    """Watch, then print."""
    from dropline.fleet import FleetError

    options.seconds = options.seconds or SECONDS
    try:
        report = _report(options)
    except FleetError as error:
        raise CommandError(str(error)) from error
    if options.json:
        print(json.dumps(report, ensure_ascii=False))
    else:
        _print_table(report)
    return 0


def _report(options: argparse.Namespace) -> dict[str, Any]:
    if options.celery:
        return _attach_celery(options)
    with stop_on_signals() as stop:
        if options.amqp:
            from dropline.fleet.amqp import AmqpQueue

            if len(options.queue) != 1:
                raise CommandError("--amqp needs one --queue Q", USAGE_ERROR)
            queue = AmqpQueue(options.amqp, options.queue[0], options.management)
            try:
                return watch_queue(queue, options.seconds, stop)
            finally:
                queue.close()
        from dropline.fleet.kafka import KafkaGroup

        if not (options.group and options.topic):
            raise CommandError("--kafka needs --group G and --topic T", USAGE_ERROR)
        group = KafkaGroup(options.kafka, options.group, options.topic)
        try:
            return watch_group(group, options.seconds, stop)
        finally:
            group.close()


# ---------------------------------------------------------------------- Celery


def _attach_celery(options: argparse.Namespace) -> dict[str, Any]:
    from dropline.fleet import CeleryFleet

    fleet = CeleryFleet(options.celery, queues=options.queue, enable_events=options.enable_events)
    try:
        fleet.start()
        with stop_on_signals() as stop:
            if options.workers is not None:
                _resize(fleet, options.workers, stop)
            report = watch(fleet, options.seconds, stop)
            if options.workers is not None and options.restore:
                fleet.undo()
                _wait_for_size(fleet, stop)
        return report
    finally:
        fleet.close()


def _resize(fleet: CeleryFleet, workers: int, stop: Waits) -> None:
    try:
        fleet.resize(workers)
    except ValueError as error:
        raise CommandError(str(error)) from error
    _wait_for_size(fleet, stop)


def _wait_for_size(fleet: CeleryFleet, stop: Waits) -> None:
    by = fleet.now() + RESIZE
    while fleet.now() < by and not stop.wait(0.05):
        now = fleet.snapshot()
        if now.workers == now.wanted:
            return


def watch(fleet: CeleryFleet, seconds: float, stop: Waits) -> dict[str, Any]:
    """The figures of the next `seconds`, or of those until `stop`."""
    from dropline.fleet import qualities

    told: list[dict[str, str]] = []
    settled_by = fleet.now() + SETTLE
    while not fleet.settled() and fleet.now() < settled_by and not stop.wait(0.1):
        pass
    first = fleet.mark(fleet.now())
    while (left := first.t + seconds - fleet.now()) > 0 and not stop.wait(min(left, LOOK_EVERY)):
        told += [{"time": _iso(time.time()), "what": each.what} for each in fleet.events()]
    last = fleet.mark(min(fleet.now(), first.t + seconds))
    figures, little, doubts = fleet.figures(first, last)
    now = fleet.snapshot()
    return {
        "start": _iso(first.t + fleet.epoch),
        "end": _iso(last.t + fleet.epoch),
        "seconds": last.t - first.t,
        **figures.as_dict(),
        "mean_service": _difference(figures.mean_response, figures.mean_wait),
        "littles_law_error": little.error,
        "quality": qualities(doubts),
        "notes": [doubt.why for doubt in doubts],
        "events": told,
        "ready": now.ready,
        "reserved": now.reserved,
        "running": now.running,
        "wanted": now.wanted,
        "actual": now.workers,
        "queues": now.queues,
        "lanes": fleet.lanes(),
        "workers": [
            {
                "name": member.name,
                "pool": member.pool,
                "workers": member.workers,
                "queues": list(member.queues),
                "events": not member.silent,
                "refusal": member.refusal,
            }
            for member in now.members
        ],
    }


# ---------------------------------------------------------------------- queues and topics


def watch_queue(queue: AmqpQueue, seconds: float, stop: Waits) -> dict[str, Any]:
    """The figures of a queue over the next `seconds`, or of those until `stop`."""
    from dropline.fleet.samples import time_to_clear

    report, wrong = _watch_looks(queue.look, seconds, stop)
    return {
        **report,
        "notes": [*wrong, *(doubt.why for doubt in queue.doubts())],
        "queue": queue.queue,
        "in_consumers": queue.in_consumers,
        "time_to_clear": time_to_clear(
            report["waiting"], report["arrival_rate"], report["throughput"]
        ),
    }


def watch_group(group: KafkaGroup, seconds: float, stop: Waits) -> dict[str, Any]:
    """The figures of a group over the next `seconds`, or of those until `stop`."""
    from dropline.fleet.samples import time_to_clear

    group.look()
    before = {partition.number: partition for partition in group.partitions}
    report, wrong = _watch_looks(group.look, seconds, stop)
    partitions = []
    for partition in group.partitions:
        was = before.get(partition.number, partition)
        arriving = (partition.end - was.end) / report["seconds"]
        leaving = (partition.committed - was.committed) / report["seconds"]
        partitions.append(
            {
                "partition": partition.number,
                "lag": partition.lag,
                "arrival_rate": arriving,
                "throughput": leaving,
                "time_to_clear": time_to_clear(partition.lag, arriving, leaving),
            }
        )
    clears = [each["time_to_clear"] for each in partitions]
    return {
        **report,
        "notes": [*wrong, *(doubt.why for doubt in group.doubts())],
        "lag": sum(partition.lag for partition in group.partitions),
        "skew": group.skew,
        "time_to_clear": None if None in clears else max(clears, default=0.0),
        "partitions": partitions,
    }


def _watch_looks(
    look: Callable[[], Sample], seconds: float, stop: Waits
) -> tuple[dict[str, Any], list[str]]:
    """The figures, and what is wrong. A broker that is away in between is waited for."""
    from dropline.fleet import FleetError
    from dropline.fleet.samples import all_approximate, figures, troubles

    epoch = time.time() - time.monotonic()
    samples, events, away = [look()], [], False
    end = samples[0].t + seconds
    while not stop.wait(max(0.0, min(end - time.monotonic(), LOOK_EVERY))):
        try:
            samples.append(look())
        except FleetError as error:
            if not away:
                events.append({"time": _iso(time.time()), "what": str(error)})
            away = True
        else:
            if away:
                events.append({"time": _iso(time.time()), "what": "The broker answers again"})
            away = False
        if time.monotonic() >= end:
            break
    if away or len(samples) < 2:
        samples.append(look())
    report = {
        "start": _iso(samples[0].t + epoch),
        "end": _iso(samples[-1].t + epoch),
        "seconds": samples[-1].t - samples[0].t,
        **figures(samples),
        "quality": all_approximate(),
        "waiting": samples[-1].waiting,
        "consumers": samples[-1].workers,
        "events": events,
    }
    return report, troubles(samples)


# ---------------------------------------------------------------------- printing


def _print_table(report: dict[str, Any]) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table("figure", "value", "quality")
    quality = report["quality"]
    for key, value in report.items():
        if value is None or isinstance(value, int | float):
            table.add_row(key, format_figure(value), quality.get(key, ""))
    console = Console()
    console.print(table)
    for event in report.get("events", ()):
        console.print(f"• {event['time'][11:19]} {event['what']}", soft_wrap=True)
    for note in report["notes"]:
        console.print(f"• {note}", soft_wrap=True)


def _difference(a: float | None, b: float | None) -> float | None:
    return None if a is None or b is None else a - b


def _iso(t: float) -> str:
    return datetime.fromtimestamp(t, UTC).isoformat()


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise argparse.ArgumentTypeError(f"{text}: use a number of seconds above 0")
    return seconds
