"""When the interpreter itself crashes: the stacks are kept on this computer, and shown next time.

Nothing is sent anywhere. What Python can still catch is for `errors.py`.
"""

from __future__ import annotations

import contextlib
import faulthandler
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from PySide6.QtCore import QLibraryInfo

from dropline import __version__


class CrashReport:
    """The file `crash.txt` in a folder, open while the program runs."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "crash.txt"
        self._file: BinaryIO | None = None

    def begin(self) -> str:
        """Keep watch from now on; returns what the last run left when it crashed, or "".

        What it left stays beside the log, under its date. A run that was killed leaves nothing.
        """
        found = self._last()
        with contextlib.suppress(OSError):  # a full disk must not keep the window shut
            self._file = self._path.open("wb")
            self._file.write(f"{_heading()}\n".encode())
            self._file.flush()
            faulthandler.enable(self._file)
        return found

    def end(self) -> None:
        """The program ends as it should."""
        faulthandler.disable()
        if self._file is not None:
            self._file.close()
            self._file = None
            self._path.unlink(missing_ok=True)

    def _last(self) -> str:
        try:
            text = self._path.read_text("utf-8", "replace")
            if len(text.splitlines()) < 2:  # the heading alone
                return ""
            when = datetime.fromtimestamp(self._path.stat().st_mtime, UTC)
            self._path.rename(self._path.with_stem(f"crash-{when:%Y%m%dT%H%M%SZ}"))
        except OSError:
            return ""
        return text


def _heading() -> str:
    qt = ".".join(map(str, QLibraryInfo.version().segments()))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return (
        f"Dropline {__version__}, Python {platform.python_version()}, Qt {qt}, "
        f"{platform.platform()}, started {now}"
    )
