"""`dropline attach --celery` beside the tasks' own log, on workers that know nothing of us."""

from __future__ import annotations

import contextlib
import json
import random
import subprocess
import sys
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from celery import Celery

from dropline.cli.attach import watch
from dropline.fleet import CeleryFleet
from dropline.meter import measure
from ports import free_port

from .conftest import Broker, StartWorker
from .plain_app import note


@contextlib.contextmanager
def load(
    broker: Broker, folder: Path, *, rate: float, seconds: float, sent: bool
) -> Iterator[None]:
    """Tasks that arrive at random, as another program sends them, while the block runs."""
    chance = random.Random(7)
    end = threading.Event()

    def send() -> None:
        with Celery(broker=broker.url, set_as_current=False) as app:
            app.conf.task_send_sent_event = sent
            while not end.wait(chance.expovariate(rate)):
                job = uuid.uuid4().hex
                note(str(folder), "arrive", job)
                arguments = (str(folder), seconds, chance.random() < 0.1)
                app.send_task("plain.work", arguments, task_id=job)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def attach(broker: Broker, seconds: float, **options: Any) -> dict[str, Any]:
    """What the command prints."""
    fleet = CeleryFleet(broker.url, **options)
    try:
        fleet.start()
        return watch(fleet, seconds, threading.Event())
    finally:
        fleet.close()


def truth(folder: Path, report: dict[str, Any]) -> dict[str, Any]:
    """The figures of the tasks' own log over the same time."""
    lines = [json.loads(line) for line in (folder / "truth.jsonl").read_text().splitlines()]
    lines.sort(key=lambda line: line["t"])
    log = folder / "sorted.jsonl"
    log.write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    start, end = (datetime.fromisoformat(report[key]).timestamp() for key in ("start", "end"))
    return measure(log, start, end)


@pytest.mark.quiet
def test_figures_are_those_of_the_tasks_own_log(
    workers: StartWorker, brokers: dict[str, Broker], tmp_path: Path
) -> None:
    """Behind each broker, a worker of threads and one of processes serve one queue."""
    folders = {name: tmp_path / name for name in ("rabbitmq", "redis")}
    with contextlib.ExitStack() as stack, ThreadPoolExecutor() as threads:
        for name, folder in folders.items():
            folder.mkdir()
            stack.enter_context(load(brokers[name], folder, rate=10, seconds=0.2, sent=True))
        reports = {
            name: threads.submit(attach, brokers[name], 5, enable_events=True) for name in folders
        }
        wait(reports.values())
    for name, folder in folders.items():
        report = reports[name].result()
        true = truth(folder, report)
        assert set(report["quality"].values()) == {"exact"}, report["notes"]
        for key in ("arrivals", "finished", "failed", "retried", "cancelled"):
            # One that comes just at an edge counts on the other side of it.
            assert abs(report[key] - true[key]) <= 2, (name, key)
        for key in ("service_rate", "mean_busy", "mean_in_system", "mean_response"):
            assert report[key] == pytest.approx(true[key], rel=0.1), (name, key)
        assert report["mean_workers"] == 2 * len(report["workers"])
        assert report["littles_law_error"] == 0
        assert {each["pool"].split(":")[0] for each in report["workers"]} >= {
            "celery.concurrency.thread",
            "celery.concurrency.prefork",
        }


@pytest.mark.quiet
def test_arrivals_that_nobody_tells_are_taken_from_the_queue(
    workers: StartWorker, brokers: dict[str, Broker], tmp_path: Path
) -> None:
    broker = brokers["rabbitmq"]
    with load(broker, tmp_path, rate=10, seconds=0.2, sent=False):
        report = attach(broker, 4, enable_events=True)
    true = truth(tmp_path, report)
    quality = report["quality"]
    assert quality["arrivals"] == quality["mean_response"] == "approximate"
    assert quality["finished"] == quality["service_rate"] == "exact"
    assert "task_send_sent_event" in report["notes"][0]
    assert abs(report["arrivals"] - true["arrivals"]) <= 5
    assert abs(report["finished"] - true["finished"]) <= 2


def test_workers_that_send_no_events_are_found(
    workers: StartWorker, brokers: dict[str, Broker], tmp_path: Path
) -> None:
    """Those behind RabbitMQ; the other tests switched them on, and off again."""
    with load(brokers["rabbitmq"], tmp_path, rate=14, seconds=0.1, sent=True):
        report = attach(brokers["rabbitmq"], 3)
    assert set(report["quality"].values()) == {"approximate"}, report["notes"]
    assert any("no task events come from prefork-rabbitmq@test" in n for n in report["notes"]), (
        report["notes"]
    )
    assert any("--enable-events" in note for note in report["notes"])


def test_a_broker_that_is_not_there_is_one_sentence() -> None:
    url = f"amqp://guest:secret@127.0.0.1:{free_port()}//"
    command = [sys.executable, "-m", "dropline_desktop", "attach", "--celery", url, "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "no broker answers at amqp://guest" in done.stderr
    assert "check the URL" in done.stderr
    assert "secret" not in done.stderr
    assert done.stderr.count("\n") == 1
