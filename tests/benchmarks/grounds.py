"""Where the contenders meet: the files to send, a fresh receiver for each, and who checks."""

from __future__ import annotations

import contextlib
import hashlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil
import requests

#: Bytes of a small file.
SMALL = 4096
#: Small files in one folder.
IN_FOLDER = 500
_SERVE = "import sys; from dropline.cli import main; sys.exit(main(sys.argv[1:]))"


class Grounds:
    """A folder for what is sent, which is made once, and for what is received, which goes.

    Not in a temporary folder: the line would hold what is dropped from there, and it may lie in
    memory, where syncing to disk costs nothing.
    """

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        (root / ".gitignore").write_text("*\n", "utf-8")
        self.root = root.resolve()

    def small_files(self, count: int) -> list[Path]:
        """Folders that together hold `count` files of 4 KiB, no two the same."""
        return self.files("small", [SMALL] * count)

    def files(self, name: str, sizes: Sequence[int]) -> list[Path]:
        """Folders of that name that together hold files of these sizes, no two the same.

        What is there already stays: a name stands for one series of sizes.
        """
        firsts = range(0, len(sizes), IN_FOLDER)
        folders = [self.root / name / f"{first // IN_FOLDER:03d}" for first in firsts]
        for first, folder in zip(firsts, folders, strict=True):
            if not _digests(folder).exists():
                self._make(folder, first, sizes[first : first + IN_FOLDER])
        return folders

    def large_file(self, size: int) -> Path:
        """A file of `size` bytes."""
        path = self.root / "large" / f"{size}.bin"
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            numbers = random.Random(size)
            with open(path.with_suffix(".part"), "wb") as file:
                for start in range(0, size, 1 << 20):
                    file.write(numbers.randbytes(min(1 << 20, size - start)))
            os.replace(path.with_suffix(".part"), path)
        return path

    @contextlib.contextmanager
    def fresh(self) -> Iterator[Path]:
        """An empty folder, gone afterwards; what earlier ones left to write is on disk by then."""
        folder = Path(tempfile.mkdtemp(dir=self.root, prefix="run-"))
        os.sync()
        try:
            yield folder
        finally:
            shutil.rmtree(folder)

    def _make(self, folder: Path, first: int, sizes: Sequence[int]) -> None:
        """Write a folder of files, and their digests beside it once it is complete."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        digests = []
        for number, size in enumerate(sizes, first):
            data = random.Random(number).randbytes(size)
            (folder / f"{number:06d}.bin").write_bytes(data)
            digests.append(f"{hashlib.sha256(data).hexdigest()} {number:06d}.bin\n")
        _digests(folder).parent.mkdir(exist_ok=True)
        _digests(folder).write_text("".join(digests), "utf-8")


def expected(paths: Iterable[Path]) -> dict[str, str]:
    """The SHA-256 of each file by its name, for files and folders of the grounds."""
    digests: dict[str, str] = {}
    for path in paths:
        if path.is_file():
            digests[path.name] = _known_sha256(path)
        else:
            for line in _digests(path).read_text("utf-8").splitlines():
                digest, name = line.split()
                digests[name] = digest
    return digests


def sha256_of(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


#: The same of a file that stays as it is, read once only.
_known_sha256 = cache(sha256_of)


def _digests(folder: Path) -> Path:
    return folder.parent.parent / "digests" / f"{folder.parent.name}-{folder.name}.txt"


@dataclass(frozen=True, slots=True)
class Server:
    """A running server; `check` raises RuntimeError unless it holds just these digests by name."""

    url: str
    pid: int
    check: Callable[[dict[str, str]], object]


@contextlib.contextmanager
def receiver(data: Path, *options: str) -> Iterator[Server]:
    """`dropline serve` in a process of its own."""
    command = [sys.executable, "-c", _SERVE, "serve", "--port", "0", "--data", str(data), *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        line = process.stdout.readline()
        found = re.search(r"http://[^;\s]+", line)
        if found is None:
            raise RuntimeError(f"the receiver did not start: {line!r}")
        yield Server(found[0], process.pid, partial(verify, found[0]))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()
        process.stdout.close()


def verify(url: str, wanted: dict[str, str], *, all_of_them: bool = True) -> int:
    """Check what the receiver says that it holds against the names and digests; return how many.

    Raises RuntimeError for a file that is missing (with `all_of_them`), double, or another's.
    """
    left = dict(wanted)
    after: str | None = None
    with requests.Session() as session:
        while True:
            query = {"limit": "1000", **({"after": after} if after else {})}
            answer = session.get(f"{url}/files", params=query, timeout=60)
            answer.raise_for_status()
            page = answer.json()
            for file in page["files"]:
                name = file["name"].rpartition("/")[2]
                if left.pop(name, None) != file["sha256"]:
                    raise RuntimeError(f"{file['name']} is stored twice, or not as it was sent")
            after = page["next"]
            if after is None:
                break
    if left and all_of_them:
        raise RuntimeError(f"{len(left)} of {len(wanted)} files are not stored")
    return len(wanted) - len(left)


class Watch:
    """Watches what a process takes while it is in use, its memory 100 times a second."""

    def __init__(self, pid: int) -> None:
        self._process = psutil.Process(pid)
        self._first = self._most = self._rss()
        self._cpu = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look_on, name=f"watch {pid}", daemon=True)

    @property
    def cpu(self) -> float:
        """Seconds of CPU that the process used."""
        return self._cpu

    @property
    def peak(self) -> float:
        """MiB of resident memory that the process had at most."""
        return self._most / 2**20

    @property
    def growth(self) -> float:
        """MiB of resident memory that the process grew by at most."""
        return (self._most - self._first) / 2**20

    def __enter__(self) -> Self:
        self._cpu = -self._cpu_so_far()
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._cpu += self._cpu_so_far()  # also of a process that ended, until it is waited for
        self._stop.set()
        self._thread.join()

    def _cpu_so_far(self) -> float:
        times = self._process.cpu_times()
        return float(times.user + times.system)

    def _rss(self) -> int:
        return int(self._process.memory_info().rss)

    def _look_on(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended
            while not self._stop.wait(0.01):
                self._most = max(self._most, self._rss())
