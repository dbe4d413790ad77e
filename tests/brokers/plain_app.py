"""A Celery application that knows nothing of Dropline; its tasks keep a log of what they did."""

from __future__ import annotations

import os
import time
from pathlib import Path

from celery import Celery

app = Celery("plain", broker=os.environ.get("PLAIN_BROKER"), set_as_current=False)
app.conf.update(
    task_ignore_result=True,
    broker_connection_retry_on_startup=True,
)


def note(folder: str, kind: str, job: str) -> None:
    """One line of the log: appended whole, by any process."""
    line = f'{{"t":{time.time()!r},"kind":"{kind}","job":"{job}"}}\n'
    with Path(folder, "truth.jsonl").open("a") as log:
        log.write(line)


@app.task(name="plain.work", bind=True)
def work(self, folder: str, seconds: float, fail: bool = False) -> None:  # type: ignore[no-untyped-def]
    """Take some time, and say when."""
    note(folder, "start", self.request.id)
    time.sleep(seconds)
    note(folder, "fail" if fail else "finish", self.request.id)
    if fail:
        raise ValueError("as it was asked to")


@app.task(name="plain.hold")
def hold(gate: str) -> None:
    """Run until a file is there."""
    while not Path(gate).exists():
        time.sleep(0.02)
