"""Which WSGI server carries the receiver: cheroot or waitress, measured on the receiver's own app.

    python tests/benchmarks/servers.py [--seconds 5] [--gigabytes 1]

For each: files of 4 KiB per second over 16 keep-alive connections, one file a request and 64; then
one multipart upload of 1 GiB, with its speed and how far the server's peak memory grew.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import resource
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CONNECTIONS = 16
SMALL = 4096
BOUNDARY = "dropline-benchmark"
_HEAD = (
    f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
    'name="file"; filename="photos/a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
).encode()
_TAIL = f"--{BOUNDARY}--\r\n".encode()


def serve(kind: str, data: Path) -> None:
    """Serve until stdin closes; tell the port first, then memory and processor time when asked."""
    from dropline.bus import MemoryBus
    from dropline.receiver.app import create_app
    from dropline.receiver.feed import Feed
    from dropline.receiver.gate import Gate
    from dropline.receiver.guard import Guard
    from dropline.receiver.metrics import Metrics
    from dropline.receiver.server import THREADS, Server, listen
    from dropline.receiver.store import Store

    bus = MemoryBus()
    store = Store(data, None, bus)
    listener = listen("127.0.0.1", 0)
    port = listener.getsockname()[1]
    gate, feed = Gate(), Feed(store, bus, tuple)
    app = create_app(
        store,
        bus,
        Guard("127.0.0.1", port, None),
        None,
        gate=gate,
        rate=None,
        feed=feed,
        metrics=Metrics(store, bus, gate, feed, tuple),
    )
    if kind == "cheroot":
        Server(listener, app, THREADS).start()
    else:
        from waitress.server import create_server

        waitress = create_server(
            app, sockets=[listener], threads=THREADS, max_request_body_size=1 << 40
        )
        threading.Thread(target=waitress.run, daemon=True).start()
    print(port, flush=True)
    for _ in sys.stdin:
        used = resource.getrusage(resource.RUSAGE_SELF)
        print(used.ru_maxrss, used.ru_utime + used.ru_stime, flush=True)
    os._exit(0)  # waitress cannot be stopped from another thread without a complaint


def request(parts: int) -> bytes:
    """A whole upload of small files."""
    body = (_HEAD + bytes(SMALL) + b"\r\n") * parts + _TAIL
    return _headers(len(body)) + body


def _headers(length: int) -> bytes:
    return (
        "POST /upload HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n"
        f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def answer(connection: socket.socket) -> dict[str, object]:
    """Read one response."""
    data = _some(connection)
    while b"\r\n\r\n" not in data:
        data += _some(connection)
    head, _, body = data.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0])
    while len(body) < length:
        body += _some(connection)
    if b" 201 " not in head[:20]:
        raise RuntimeError(f"{head.decode()}\n{body.decode()}")
    return json.loads(body)


def _some(connection: socket.socket) -> bytes:
    if data := connection.recv(65536):
        return data
    raise RuntimeError("the server closed the connection")


def small_files(port: int, parts: int, seconds: float) -> float:
    """Files stored per second."""
    message = request(parts).replace(b"%d", str(port).encode(), 1)
    counts = [0] * CONNECTIONS
    end = time.monotonic() + seconds

    def client(number: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while time.monotonic() < end:
                connection.sendall(message)
                answer(connection)
                counts[number] += parts

    threads = [threading.Thread(target=client, args=(n,)) for n in range(CONNECTIONS)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(counts) / (time.monotonic() - began)


def large_file(port: int, size: int) -> float:
    """MiB per second of one upload."""
    piece = bytes(1 << 20)
    head = _headers(len(_HEAD) + size + 2 + len(_TAIL)).replace(b"%d", str(port).encode(), 1)
    began = time.monotonic()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(head + _HEAD)
        for _ in range(size // len(piece)):
            connection.sendall(piece)
        connection.sendall(b"\r\n" + _TAIL)
        answer(connection)
    return size / 2**20 / (time.monotonic() - began)


@contextlib.contextmanager
def running(kind: str, root: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A server in a process of its own with an empty data folder, and its port."""
    data = tempfile.mkdtemp(dir=root)
    command = [sys.executable, __file__, "--serve", kind, "--data", data]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait()


class Use(NamedTuple):
    """What a server process has used so far: peak resident memory in KiB, processor seconds."""

    memory: int
    seconds: float


def used(process: subprocess.Popen[str]) -> Use:
    """Ask the server."""
    assert process.stdin is not None
    assert process.stdout is not None
    print(file=process.stdin, flush=True)
    memory, seconds = process.stdout.readline().split()
    return Use(int(memory), float(seconds))


def small(process: subprocess.Popen[str], port: int, parts: int, seconds: float) -> str:
    """Files per second, and the server's processor time for one in microseconds."""
    before = used(process)
    began = time.monotonic()
    rate = small_files(port, parts, seconds)
    files = rate * (time.monotonic() - began)
    each = (used(process).seconds - before.seconds) / files * 1e6
    return f"{rate:,.0f} ({each:,.0f} µs)"


def main() -> None:
    """Measure both and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    parser.add_argument("--data", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        serve(options.serve, options.data)
        return
    size = int(options.gigabytes * 1024) << 20
    print(
        f"{'server':10s} {'files/s (processor a file), 1 a request':>40s} "
        f"{'64 a request':>20s} {'large, MiB/s':>14s} {'memory, +MiB':>14s}"
    )
    # All is kept to the end: ext4 is slow to make files where many have just been removed.
    with tempfile.TemporaryDirectory() as root:
        for kind in ("cheroot", "waitress"):
            with running(kind, root) as (process, port):
                small_files(port, 1, 1.0)  # warm up
                one = small(process, port, 1, options.seconds)
                many = small(process, port, 64, options.seconds)
            with running(kind, root) as (process, port):
                small_files(port, 1, 1.0)
                before = used(process)
                speed = large_file(port, size)
                grown = (used(process).memory - before.memory) / 1024
            print(f"{kind:10s} {one:>40s} {many:>20s} {speed:14,.0f} {grown:14,.1f}", flush=True)


if __name__ == "__main__":
    main()
