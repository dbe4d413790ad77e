"""Small files to try the line with."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path

#: Files in one set, and bytes in each.
COUNT, SIZE = 300, 4096


def make_samples(folder: Path) -> Path:
    """Make a new folder of sample files in `folder`, and return it. Raises OSError.

    Those made more than an hour ago, which have long been sent, make room.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("try-*"):
        if old.stat().st_mtime < time.time() - 3600:
            shutil.rmtree(old, ignore_errors=True)
    made = Path(tempfile.mkdtemp(prefix="try-", dir=folder), "samples")  # as the list names it
    made.mkdir()
    for number in range(1, COUNT + 1):
        (made / f"sample-{number:03}.bin").write_bytes(os.urandom(SIZE))
    return made
