"""The contenders that send files, each in a process of its own and to a receiver of its own.

    python tests/benchmarks/senders.py dropline|script --to URL [--workers N] PATH…

A sender says "ready" once all is imported, waits for a line on standard input, sends, and says
"done" or ends. So the start of an interpreter is measured for nobody.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

import requests
from grounds import Grounds, Server, Watch, expected, receiver

from dropline.bus import MemoryBus
from dropline.cli import collect_seldom
from dropline.events import FileFailed, FileRefused, Message, ScanFinished
from dropline.home import Home
from dropline.line import Line
from dropline.targets import ReceiverTarget


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a contender: its seconds, and what sender and receiver took."""

    seconds: float
    sender: Watch
    receiver: Watch


#: The command that sends these paths to this address; the folder is for what it needs besides.
Sender = Callable[[str, Sequence[Path], Path], Sequence[str]]


#: A server with a fresh folder for what it gets.
Place = Callable[[Path], AbstractContextManager[Server]]


def run(grounds: Grounds, sender: Sender, paths: Sequence[Path], place: Place = receiver) -> Run:
    """Let a sender send the paths to a fresh server, and check that every byte is there."""
    with grounds.fresh() as folder, place(folder / "data") as server:
        run = _time(sender(server.url, paths, folder), server, folder)
        server.check(expected(paths))
        return run


def _time(command: Sequence[str], server: Server, folder: Path) -> Run:
    environment = {**os.environ, "DROPLINE_HOME": str(folder / "home")}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        with Watch(process.pid) as sending, Watch(server.pid) as receiving:
            began = time.monotonic()
            print(file=process.stdin, flush=True)
            process.stdout.readline()
            seconds = time.monotonic() - began
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:4])} … ended with {process.returncode}")
    return Run(seconds, sending, receiving)


def python(kind: str, workers: int = 1) -> Sender:
    """A sender of this module: `dropline` or `script`."""

    def command(url: str, paths: Sequence[Path], _folder: Path) -> Sequence[str]:
        options = ["--to", url, "--workers", str(workers)]
        return [sys.executable, __file__, kind, *options, *map(str, paths)]

    return command


def curl(*options: str, put: str | None = None) -> Sender:
    """One invocation of curl, with a configuration file that has one transfer for each file.

    Each is a form, or with `put` a bare file (`-T`) that goes below that path.
    """

    def command(url: str, paths: Sequence[Path], folder: Path) -> Sequence[str]:
        if shutil.which("curl") is None:
            raise SystemExit("curl is not installed: it is what Dropline is compared with.")
        end = 'output = "/dev/null"\nfail\nsilent\nshow-error\n'
        if put is not None:
            transfers = (
                f'url = "{url}{put}"\nupload-file = "{path}"\n{end}' for path in files(paths)
            )
        else:
            form = f'url = "{url}/upload"\nform = "file=@\\"'
            transfers = (f'{form}{path}\\""\n{end}' for path in files(paths))
        config = folder / "curl.config"
        config.write_text("next\n".join(transfers), "utf-8")
        return when_told("curl", "--no-progress-meter", *options, "--config", str(config))

    return command


def when_told(*command: str) -> Sequence[str]:
    """The command of another program, as a sender: it starts once there is a line to read."""
    return ["sh", "-c", 'echo ready && read -r line && exec "$@"', "sh", *command]


def files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files at the paths and in the folders there, in order."""
    for path in paths:
        if path.is_dir():
            yield from sorted(path.iterdir())
        else:
            yield path


# --- inside the process of a sender -------------------------------------------------------------


def send_by_line(url: str, paths: Sequence[Path], workers: int) -> Callable[[], None]:
    """The station of the window and of `dropline send`, from the drop until it is drained."""
    collect_seldom()  # as every command does
    home = Home.default()
    bus = MemoryBus()
    walked = threading.Event()
    trouble: list[Message] = []
    bus.subscribe(ScanFinished, lambda _: walked.set())
    bus.subscribe("dropline.file.", lambda batch: None, batches=True)  # somebody looks on
    for topic in (FileFailed, FileRefused):
        bus.subscribe(topic, trouble.append)
    line = Line(
        ReceiverTarget(url, installation=home.installation()), bus, home=home, workers=workers
    )
    line.start()

    def send() -> None:
        line.drop([str(path) for path in paths])
        walked.wait()
        line.station.wait_drained()
        print("done", flush=True)
        line.close()
        bus.close()
        if trouble:
            raise RuntimeError(f"{len(trouble)} not sent; the first: {trouble[0].data}")

    return send


def send_by_script(url: str, paths: Sequence[Path], workers: int) -> Callable[[], None]:
    """What one writes in ten minutes: a pool of threads, and a session of `requests` in each."""
    local = threading.local()

    def send_one(path: Path) -> None:
        if not hasattr(local, "session"):
            local.session = requests.Session()
        with open(path, "rb") as file:
            local.session.post(f"{url}/upload", files={"file": file}).raise_for_status()

    def send() -> None:
        with ThreadPoolExecutor(workers) as pool:
            for _ in pool.map(send_one, files(paths)):
                pass
        print("done", flush=True)

    return send


def main() -> None:
    """Be a sender."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["dropline", "script"])
    parser.add_argument("--to", required=True)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("paths", nargs="+", type=Path)
    options = parser.parse_args()
    prepare = send_by_line if options.kind == "dropline" else send_by_script
    send = prepare(options.to, options.paths, options.workers)
    print("ready", flush=True)
    sys.stdin.readline()
    send()


if __name__ == "__main__":
    main()
