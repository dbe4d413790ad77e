"""What a load consists of: files in name only, or real ones of random bytes."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import time
from itertools import count
from typing import Protocol

from dropline.intake import Spool
from dropline.targets import Upload

#: Bytes that are written at a time, and drawn once.
BLOCK = 1 << 20
#: The folder that the files of a load have in their target.
FOLDER = "simulated load"


class Items(Protocol):
    """Makes what joins the line, and takes back what has left it."""

    def make(self, size: int) -> Upload:
        """The next one, of a size in bytes. Raises OSError."""
        ...

    def release(self, item: Upload) -> None:
        """It is not needed any more. Safe from any thread."""
        ...

    def close(self) -> None:
        """None is."""
        ...


class Names:
    """Files that are not there, for targets that don't look."""

    def __init__(self) -> None:
        self._numbers = count(1)

    def make(self, size: int) -> Upload:
        name = f"{FOLDER}/{next(self._numbers)}"
        return Upload(path=name, source="", name=name, size=size, mtime_ns=0)

    def release(self, item: Upload) -> None:
        pass

    def close(self) -> None:
        pass


class Files:
    """Real ones, in a spool's folder from when they are made until they are released.

    What a killed program leaves of them goes with the next sweep of the spool: at the next start of
    a window or a sender.
    """

    def __init__(self, spool: Spool) -> None:
        """Raises OSError."""
        self._spool = spool
        self._folder = spool.folder()
        os.mkdir(self._folder)
        self._numbers = count(1)
        self._block = random.Random(0).randbytes(BLOCK)

    def make(self, size: int) -> Upload:
        number = next(self._numbers)
        source = os.path.join(self._folder, str(number))
        with open(source, "wb") as file:
            left = size - file.write(f"{number}\n".encode()[:size])  # no two are alike
            while left:
                left -= file.write(self._block[:left])
        # A minute old: one that is new might still be written to, and is waited for.
        then = time.time_ns() - 60 * 10**9
        os.utime(source, ns=(then, then))
        name = f"{FOLDER}/{number}.bin"
        return Upload(path=source, source=source, name=name, size=size, mtime_ns=then)

    def release(self, item: Upload) -> None:
        with contextlib.suppress(OSError):
            os.unlink(item.source)

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)
        self._spool.close()
