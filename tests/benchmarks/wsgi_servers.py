"""The receiver's WSGI servers, measured by `servers.py`, which can also be run by itself."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from grounds import Grounds
from report import Section

SERVERS = Path(__file__).with_name("servers.py")


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """3 seconds a figure and 1 GiB; 1 second and 64 MiB when quick."""
    size = ["--seconds", "1", "--gigabytes", "0.0625"] if quick else ["--seconds", "3"]
    with grounds.fresh() as folder:
        done = subprocess.run(
            [sys.executable, str(SERVERS), *size],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            env={**os.environ, "TMPDIR": str(folder)},
        )
    return Section(
        "Cheroot or waitress under the receiver",
        "The receiver's application on either server (`servers.py`): requests a second of 16 "
        "clients that are always busy, and one large upload.",
        [f"```\n{done.stdout.rstrip()}\n```"],
    )
