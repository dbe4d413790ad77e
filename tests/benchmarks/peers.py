"""Dropline beside the tools that people would use instead, on four kinds of load."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import socket
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import psutil
import requests
from grounds import SMALL, Grounds, Server, receiver, sha256_of
from report import ROUNDS, Section, Table, alternate, middle, ratio, told
from senders import Place, Run, Sender, curl, files, python, run, when_told

#: Seconds that all rounds on one load may take together.
BUDGET = 100.0
#: What each sends at the same time; curl keeps its own default, 50.
PARALLEL = 4
SEED = 20_260
MIB = 1 << 20
MEASURES = ("sender’s CPU, s", "server’s", "sender’s peak, MiB", "server’s")
DROPLINE = "Dropline, 4 workers"
TUS = Path(__file__).with_name("tus_sender.js")
#: What bootstrap installs for tests.
MODULES = Path(__file__).parents[2] / "build" / "node" / "node_modules"


@dataclass(frozen=True, slots=True)
class Load:
    """Files to send. `count` is given where files a second say more than bytes."""

    title: str
    paths: Sequence[Path]
    size: int
    count: int | None = None

    @property
    def unit(self) -> str:
        """What the speed is in."""
        return "MB/s" if self.count is None else "files/s"

    @property
    def amount(self) -> float:
        """How much of that unit it is."""
        return self.size / 1e6 if self.count is None else self.count


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to send: to what server, and why it can't be tried here, if it can't.

    `memory`: how many times the largest file it has in memory.
    """

    place: Place
    sender: Sender
    missing: str = ""
    memory: float = 0.0


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """All of them on all loads, on small ones when quick."""
    peers = contenders(grounds)
    tables = [_compare(grounds, load, peers, quick=quick) for load in _loads(grounds, quick)]
    return Section(
        "Dropline and its peers",
        "Each contender to a fresh server of its own, one after the other; all checked afterwards "
        "by number, name and SHA-256. “× Dropline” compares speeds. `dropline serve` hashes what "
        "it gets and syncs every file and row to disk before it answers; `rclone serve webdav` "
        "does neither, so compare those two rows with each other; rclone waits 10 ms between two "
        "calls of WebDAV. Dropline compares the SHA-256 of every answer, rclone sizes, the others "
        "trust the status. Dropline, the script, rclone "
        f"and tus-js-client send {PARALLEL} files at a time, curl its default of 50. Peaks are of "
        "resident memory, looked at 100 times a second, programs and interpreters included.",
        [part for load in tables for part in load],
    )


def _loads(grounds: Grounds, quick: bool) -> list[Load]:
    """The four loads, made where they are missing."""
    small, medium, mixed = (200, 20, 40) if quick else (10_000, 1_000, 2_000)
    large = 64 * MIB if quick else 4096 * MIB
    sizes = _mix(mixed)
    return [
        Load(
            f"{small:,} files of 4 KiB",
            grounds.files("few", [SMALL] * small) if quick else grounds.small_files(small),
            SMALL * small,
            small,
        ),
        Load(
            f"{medium:,} files of 1 MiB", grounds.files(f"mebi-{medium}", [MIB] * medium),
            MIB * medium,
        ),
        Load(f"One file of {large // MIB:,} MiB", [grounds.large_file(large)], large),
        Load(
            f"A mix: {mixed:,} files of log-normal sizes, median 64 KiB, σ 1.5, at most 64 MiB; "
            f"{sum(sizes) / 1e6:,.0f} MB in all",
            grounds.files(f"mix-{mixed}", sizes),
            sum(sizes),
            mixed,
        ),
    ]  # fmt: skip


def _mix(count: int) -> list[int]:
    """Sizes as people's folders have them: many small ones, and most bytes in a few."""
    numbers = random.Random(SEED)
    return [min(int(65_536 * numbers.lognormvariate(0.0, 1.5)), 64 * MIB) for _ in range(count)]


def contenders(grounds: Grounds) -> dict[str, Contender]:
    """All by their names, with those that can’t be tried here."""
    no_curl, no_rclone = (
        "" if shutil.which(program) else f"–, needs Debian’s {program}"
        for program in ("curl", "rclone")
    )
    return {
        DROPLINE: Contender(receiver, python("dropline", PARALLEL)),
        "curl --parallel": Contender(receiver, curl("--parallel"), no_curl),
        "script, 4 threads": Contender(receiver, python("script", PARALLEL), memory=2.5),
        "tus-js-client → /tus/": Contender(receiver, _tus, _no_tus(grounds)),
        "rclone copy → webdav": Contender(_webdav, partial(_rclone, grounds.root), no_rclone),
        "curl -T --parallel → webdav": Contender(
            _webdav, curl("--parallel", put="/"), no_curl or no_rclone
        ),
    }


def _compare(
    grounds: Grounds, load: Load, peers: dict[str, Contender], *, quick: bool
) -> list[str | Table]:
    """A table of all on one load."""
    runs: dict[str, list[Run]] = {name: [] for name in peers}

    def speed(name: str, contender: Contender) -> float:
        runs[name].append(run(grounds, contender.sender, load.paths, contender.place))
        return load.amount / runs[name][-1].seconds

    missing = {
        name: contender.missing or _crowded(contender, load) for name, contender in peers.items()
    }
    able: dict[str, Callable[[], float]] = {
        name: partial(speed, name, contender)
        for name, contender in peers.items()
        if not missing[name]
    }
    figures = alternate(able, 1 if quick else ROUNDS, BUDGET)
    table = Table(["sender", load.unit, "× Dropline", *MEASURES])
    for name in peers:
        if missing[name]:
            table.rows.append([name, missing[name], "", *[""] * len(MEASURES)])
        else:
            against = ratio(figures[name], figures[DROPLINE])
            table.rows.append([name, middle(figures[name]), against, *_taken(runs[name])])
    return [f"**{load.title}.** {told(figures[DROPLINE])}.", table]


def _crowded(contender: Contender, load: Load) -> str:
    """What to say where the contender would take more memory than is free."""
    needed = contender.memory * max(path.stat().st_size for path in files(load.paths))
    free = psutil.virtual_memory().available
    return f"–, needs {needed / 2**30:.0f} GiB of memory" if needed > free else ""


def _taken(runs: Sequence[Run]) -> list[str]:
    """CPU and memory of both sides."""
    cpu = [[run.sender.cpu for run in runs], [run.receiver.cpu for run in runs]]
    peak = [[run.sender.peak for run in runs], [run.receiver.peak for run in runs]]
    return [f"{statistics.median(times):.2f}" for times in cpu] + [middle(sizes) for sizes in peak]


# --- rclone, and its WebDAV server ----------------------------------------------------------------


@contextlib.contextmanager
def _webdav(data: Path) -> Iterator[Server]:
    """`rclone serve webdav` in a process of its own."""
    data.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    command = ["rclone", "serve", "webdav", "--quiet", "--config", os.devnull, "--addr", address]
    process = subprocess.Popen([*command, str(data)])
    try:
        _wait_for(f"http://{address}/", process)
        yield Server(f"http://{address}", process.pid, partial(verify_folder, data))
    finally:
        process.terminate()
        process.wait()


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    deadline = time.monotonic() + 20
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError):
            requests.get(url, timeout=10).close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"no server answers at {url}")


def verify_folder(folder: Path, wanted: dict[str, str]) -> int:
    """Check the files in and below a folder against the names and digests; return how many.

    Raises RuntimeError for a file that is missing, double, or another's.
    """
    left = dict(wanted)
    for path in folder.rglob("*"):
        if path.is_file() and left.pop(path.name, None) != sha256_of(path):
            raise RuntimeError(f"{path.name} is stored twice, or not as it was sent")
    if left:
        raise RuntimeError(f"{len(left)} of {len(wanted)} files are not stored")
    return len(wanted)


def _rclone(root: Path, url: str, paths: Sequence[Path], folder: Path) -> Sequence[str]:
    """`rclone copy` of the files that a list names."""
    names = folder / "rclone.list"
    names.write_text("".join(f"{path.relative_to(root)}\n" for path in files(paths)), "utf-8")
    what = ["--files-from-raw", str(names), str(root), ":webdav:", "--webdav-url", url]
    how = ["--transfers", str(PARALLEL), "--quiet", "--config", os.devnull]
    return when_told("rclone", "copy", *how, *what)


# --- tus ------------------------------------------------------------------------------------------


def _no_tus(grounds: Grounds) -> str:
    """Why tus can't be tried, if it can't."""
    if shutil.which("node") is None:
        return "–, needs Debian’s nodejs and npm"
    if not (MODULES / "tus-js-client").is_dir():
        return "–, needs make test once, which installs tus-js-client"
    with grounds.fresh() as folder, receiver(folder / "data") as server:
        answer = requests.options(f"{server.url}/tus/", timeout=10)
    return "" if answer.status_code == 204 else "–, no /tus/ here"


def _tus(url: str, paths: Sequence[Path], folder: Path) -> Sequence[str]:
    names = folder / "tus.list"
    names.write_text("".join(f"{path}\n" for path in files(paths)), "utf-8")
    node = ["node", str(TUS), f"{url}/tus/", str(PARALLEL), str(names)]
    return ["env", f"NODE_PATH={MODULES}", *node]
