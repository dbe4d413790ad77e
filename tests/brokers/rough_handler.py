"""A handler of files that does as their names say: kill its process, wait, or take a moment."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path
from typing import Any

from dropline.fleet.handle import File


def handle(path: Path, file: File) -> Any:
    """Count the file's lines, and keep a log of the runs."""
    with Path(os.environ["HANDLER_LOG"]).open("a") as log:
        log.write(f"{file.name}\n")
    if file.name.startswith("poison"):
        time.sleep(0.3)  # what comes of no moment, no worker can tell of
        os.kill(os.getpid(), signal.SIGKILL)
    while file.name.startswith("long") and not Path(os.environ["HANDLER_GATE"]).exists():
        time.sleep(0.02)
    time.sleep(float(os.environ.get("HANDLER_SECONDS", "0")))
    return {"lines": path.read_text().count("\n")}
