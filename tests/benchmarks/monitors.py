"""What watching a fleet takes: of the monitor's processor, and of the fleet's throughput.

As a program it is a simulated fleet: monitors.py URL EVENTS_A_SECOND SECONDS LOG.
"""

from __future__ import annotations

import contextlib
import heapq
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import kombu
from celery import Celery
from grounds import Grounds
from messengers import Broker, rabbitmq
from report import Section, Table, alternate, middle, progress

from dropline.fleet import CeleryFleet
from dropline.fleet.sampling import BOUND
from dropline.meter import measure

#: Task events a second that are offered, and for how many seconds each time.
OFFERED, SECONDS = (1000, 2000, 4000, 8000), 12.0
#: Bounds above which a share is followed, at the last of these.
BOUNDS = (BOUND, BOUND / 2, BOUND / 4, BOUND / 8)
#: Events that a worker of Celery's sends in one message; events that tell of one task.
TOGETHER, OF_ONE = 10, 4
#: The simulated workers' utilisation, and how many there are.
LOAD, WORKERS = 0.8, 100
COMPARED = ("arrival_rate", "service_rate", "mean_in_system", "mean_response")
#: Tasks that do nothing, in each run of a real fleet.
TASKS, ROUNDS, BUDGET = 2000, 3, 180.0

app = Celery("monitors", set_as_current=False)
app.conf.update(task_ignore_result=True, worker_prefetch_multiplier=50)


@app.task(name="monitors.nothing")
def nothing() -> None:
    """Do nothing."""


# ---------------------------------------------------------------------- the simulated fleet


def simulate(url: str, rate: float, seconds: float, log: Path) -> None:
    """Tell what M/M/c workers do, as Celery's tell it, and keep a log of the truth."""
    chance, arriving = random.Random(7), rate / OF_ONE
    serving = arriving / (LOAD * WORKERS)
    start = time.time() + 0.5
    free, arrival, number = [start] * WORKERS, start, 0
    waiting: list[tuple[float, int, str, str]] = []
    truth: list[tuple[float, str, str]] = []
    with kombu.Connection(url) as connection:
        exchange = kombu.Exchange("celeryev", type="topic")
        out = connection.Producer(exchange=exchange, serializer="json", auto_declare=False)
        while (now := time.time()) < start + seconds:
            while arrival < now + 1:
                began = max(arrival, heapq.heappop(free))
                ended = began + chance.expovariate(serving)
                heapq.heappush(free, ended)
                task = f"{chance.getrandbits(128):032x}"
                for t, kind in ((arrival, "arrive"), (began, "start"), (ended, "finish")):
                    truth.append((t, kind, task))
                for t, kind in (
                    (arrival, "sent"),
                    (arrival, "received"),
                    (began, "started"),
                    (ended, "succeeded"),
                ):
                    number += 1
                    heapq.heappush(waiting, (t, number, kind, task))
                arrival += chance.expovariate(arriving)
            told = []
            while waiting and waiting[0][0] < now:
                t, _, kind, task = heapq.heappop(waiting)
                told.append(
                    {"type": f"task-{kind}", "uuid": task, "timestamp": t, "hostname": "w@h",
                     "utcoffset": 0, "pid": 1, "clock": number}
                )  # fmt: skip
            for first in range(0, len(told), TOGETHER):
                out.publish(told[first : first + TOGETHER], routing_key="task.multi")
            time.sleep(0.02)
    entries = [{"t": start - 1, "kind": "workers", "workers": WORKERS}]
    entries += [{"t": t, "kind": kind, "job": job} for t, kind, job in sorted(truth)]
    log.write_text("".join(f"{json.dumps(entry)}\n" for entry in entries))


def watch(broker: Broker, log: Path, rate: int, bound: float) -> list[str]:
    """One row: the monitor beside a fleet that tells so many events a second."""
    fleet = CeleryFleet(broker.url, bound=bound)
    fleet.start()
    command = [sys.executable, __file__, broker.url, str(rate), str(SECONDS), str(log)]
    with subprocess.Popen(command) as simulated:
        time.sleep(3.5)  # the share that is followed has been found
        first, busy, began = fleet.mark(fleet.now()), time.process_time(), time.monotonic()
        time.sleep(SECONDS - 5)
        share = (time.process_time() - busy) / (time.monotonic() - began)
        last = fleet.mark(fleet.now())
        behind = time.monotonic() - last.t
        factor = last.factor
        simulated.wait()
    told, _, _ = fleet.figures(first, last)
    fleet.close()
    true = measure(log, first.t + fleet.epoch, last.t + fleet.epoch)
    own = told.as_dict()
    errors = [f"{100 * (own[key] / true[key] - 1):+.1f}" for key in COMPARED]
    progress(f"{rate} events/s, bound {bound:g}: {share:.0%} of a core, 1 in {factor}, {errors}")
    followed = f"1 in {factor}" if factor > 1 else "all"
    return [f"{rate:,}", followed, f"{share:.0%}", f"{behind:.1f}", *errors]


# ---------------------------------------------------------------------- a real fleet


@contextlib.contextmanager
def worker(broker: Broker, folder: Path) -> Iterator[None]:
    """A Celery worker with two threads."""
    command = [sys.executable, "-m", "celery", "-A", "monitors", "-b", broker.url, "worker"]
    command += ["-P", "threads", "-c", "2", "-n", "w@h", "--without-mingle", "--without-gossip"]
    with (folder / "worker.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=Path(__file__).parent, stderr=log, stdout=log)
    try:
        while not app.control.ping(timeout=1):
            pass
        yield
    finally:
        process.kill()
        process.wait()


def run_tasks() -> float:
    """Tasks a second that the worker does."""
    done = _done()
    app.control.cancel_consumer("celery", reply=True, limit=1)
    for _ in range(TASKS):
        nothing.apply_async()
    app.control.add_consumer("celery", reply=True, limit=1)
    began = time.perf_counter()
    while _done() < done + TASKS:
        time.sleep(0.05)
    return TASKS / (time.perf_counter() - began)


def _done() -> int:
    (answer,) = app.control.inspect(destination=["w@h"], timeout=10).stats().values()
    return sum(answer["total"].values())


def throughput(broker: Broker, folder: Path) -> Table:
    """With events off, on, and with a monitor beside them."""
    app.conf.broker_url = broker.url

    def tell(on: bool) -> None:
        app.conf.task_send_sent_event = on
        app.control.broadcast("enable_events" if on else "disable_events", reply=True, limit=1)

    def off() -> float:
        tell(False)
        return run_tasks()

    def on() -> float:
        tell(True)
        return run_tasks()

    def attached() -> float:
        tell(True)
        command = [sys.executable, "-m", "dropline_desktop", "attach", "--celery", broker.url]
        with subprocess.Popen([*command, "--seconds", "600", "--json"], stdout=-3) as monitor:
            time.sleep(4)
            rate = run_tasks()
            monitor.kill()
        return rate

    contenders = {"events off": off, "events on": on, "events on, dropline attach": attached}
    table = Table(["fleet of two threads on RabbitMQ", "no-op tasks/s"])
    with worker(broker, folder):
        for name, rates in alternate(contenders, ROUNDS, BUDGET).items():
            table.rows.append([name, middle(rates)])
    return table


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """Eight loads, two when quick."""
    columns = ["events/s offered", "tasks followed", "of a core", "behind, s"]
    columns += [f"{name}, % off" for name in ("λ", "μ", "L", "τ")]
    table = Table(columns)
    rows = [(rate, 1e9) for rate in OFFERED] + [(OFFERED[-1], bound) for bound in BOUNDS]
    with grounds.fresh() as folder, rabbitmq(folder / "rabbitmq") as broker:
        for rate, bound in rows[3:5] if quick else rows:
            table.rows.append(watch(broker, folder / "log", rate, bound))
        cost = throughput(broker, folder)
    return Section(
        "A monitor beside a fleet",
        f"A simulated fleet ({WORKERS} workers, ρ {LOAD:g}) tells through RabbitMQ what it does; "
        f"the monitor follows every task, or a share, as it does above {BOUND:,.0f} events/s; "
        "lower bounds show what smaller shares do. Figures are compared with the fleet’s own log "
        "over the same seconds; monitor, broker and fleet share the machine. Times are behind by "
        "what is held back on purpose (0.5 s) at least.",
        [table, cost],
    )


def _main(url: str, rate: str, seconds: str, log: str) -> None:
    simulate(url, float(rate), float(seconds), Path(log))


if __name__ == "__main__":
    _main(*sys.argv[1:])
