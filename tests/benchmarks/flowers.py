"""`dropline attach` and Flower on the same fleet, beside the tasks' own log."""

from __future__ import annotations

import contextlib
import json
import os
import random
import re
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from celery import Celery
from grounds import Grounds
from messengers import Broker, daemons, rabbitmq
from report import Section, Table, progress

from brokers.plain_app import note
from dropline.meter import measure
from ports import free_port

PLAIN_APP = Path(__file__).resolve().parents[1] / "brokers"
#: Tasks a second, the mean seconds of one, threads, and how long it is watched.
RATE, SERVICE, THREADS, SECONDS = 20.0, 0.1, 4, 30.0


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """30 s, 8 when quick."""
    seconds = 8.0 if quick else SECONDS
    table = Table(["figure", "the tasks' own log", "dropline attach", "Flower"])
    with (
        grounds.fresh() as folder,
        rabbitmq(folder / "rabbitmq") as broker,
        _fleet(broker, folder),
        _flower(broker, folder) as address,
    ):
        end = threading.Event()
        load = threading.Thread(target=_load, args=(broker, folder, end))
        load.start()
        time.sleep(2)
        before, began = _metrics(address), time.time()
        command = [sys.executable, "-m", "dropline_desktop", "attach", "--celery", broker.url]
        done = subprocess.run(
            [*command, "--seconds", str(seconds), "--json"], capture_output=True, check=True
        )
        after, flower_seconds = _metrics(address), time.time() - began
        end.set()
        load.join()
        ours = json.loads(done.stdout)
        true = _truth(folder, ours)
        progress(f"notes: {ours['notes']}")
    flower = {key: after[key] - before[key] for key in after if not key.endswith("now")}
    told = {
        "arrival_rate": flower["sent"] / flower_seconds,
        "throughput": flower["succeeded"] / flower_seconds,
        "mean_service": flower["runtime"] / flower["count"],
    }
    true["mean_service"] = true["mean_response"] - true["mean_wait"]
    for key in ("arrival_rate", "throughput", "service_rate", "mean_service", "mean_in_system",
                "mean_waiting", "mean_response", "mean_wait", "utilisation"):  # fmt: skip
        values = (true[key], ours[key], told.get(key))
        table.rows.append([key, *("–" if each is None else f"{each:.4f}" for each in values)])
    return Section(
        "Beside Flower",
        f"{RATE:g} tasks a second by chance, {SERVICE:g} s each by chance, {THREADS} threads, "
        f"RabbitMQ, {seconds:g} s. Flower’s are of its `/metrics`, over the same time and the "
        "seconds that attaching takes; what it doesn’t tell is –.",
        [table],
    )


@contextlib.contextmanager
def _run(command: list[str], folder: Path, name: str, **more: Any) -> Iterator[None]:
    with (folder / f"{name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, **more)
    try:
        yield
    finally:
        process.kill()
        process.wait()


@contextlib.contextmanager
def _fleet(broker: Broker, folder: Path) -> Iterator[None]:
    command = [sys.executable, "-m", "celery", "-A", "plain_app", "worker", "-E", "-P", "threads"]
    environment = {**os.environ, "PLAIN_BROKER": broker.url, "PYTHONPATH": str(PLAIN_APP)}
    with (
        _run([*command, "-c", str(THREADS)], folder, "worker", env=environment),
        Celery(broker=broker.url, set_as_current=False) as app,
    ):
        while not app.control.ping(timeout=1):
            pass
        yield


@contextlib.contextmanager
def _flower(broker: Broker, folder: Path) -> Iterator[str]:
    port = free_port()
    command = [sys.executable, "-m", "celery", "-b", broker.url, "flower"]
    options = ["--address=127.0.0.1", f"--port={port}"]
    with _run([*command, *options], folder, "flower"):
        daemons.wait_until(lambda: daemons.listens(port), "Flower")
        yield f"http://127.0.0.1:{port}/metrics"


def _metrics(address: str) -> dict[str, float]:
    """Sums of what Flower has counted so far."""
    text = requests.get(address, timeout=10).text

    def total(pattern: str) -> float:
        return sum(float(value) for value in re.findall(pattern + r"\S* (\S+)$", text, re.M))

    return {
        "sent": total(r'^flower_events_total\{[^}]*type="task-sent"[^}]*\}'),
        "succeeded": total(r'^flower_events_total\{[^}]*type="task-succeeded"[^}]*\}'),
        "runtime": total(r"^flower_task_runtime_seconds_sum"),
        "count": total(r"^flower_task_runtime_seconds_count"),
    }


def _load(broker: Broker, folder: Path, end: threading.Event) -> None:
    chance = random.Random(7)
    with Celery(broker=broker.url, set_as_current=False) as app:
        app.conf.task_send_sent_event = True
        while not end.wait(chance.expovariate(RATE)):
            job = uuid.uuid4().hex
            note(str(folder), "arrive", job)
            arguments = (str(folder), chance.expovariate(1 / SERVICE))
            app.send_task("plain.work", arguments, task_id=job)


def _truth(folder: Path, ours: dict[str, Any]) -> dict[str, Any]:
    """The figures of the tasks' own log over the time of ours."""
    lines = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    start, end = (datetime.fromisoformat(ours[key]).timestamp() for key in ("start", "end"))
    lines.append({"t": 0.0, "kind": "workers", "workers": THREADS})
    lines.sort(key=lambda line: float(line["t"]))
    log = folder / "sorted.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return measure(log, start, end)
