"""Our receiver beside nginx's WebDAV and `@tus/server`, all with one and the same client."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import psutil
from grounds import SMALL, Grounds, Server, Watch, receiver
from report import Section, Table, middle, progress
from servers import BOUNDARY
from wire import Connection, Request

#: Connections that send at the same time, files in a bundle, and clients that only listen.
CONNECTIONS, BUNDLE, LISTENERS = 8, 64, 500
#: Uploads whose latency is taken, one after the other.
UPLOADS = 200
MIB = 1 << 20
ROOT = Path(__file__).resolve().parents[2]
TUS = ROOT / "tests" / "core" / "targets" / "tus_server.mjs"
PACKAGES = ROOT / "build" / "node"
NGINX = """
daemon off;
worker_processes 2;
user {user};
pid {root}/nginx.pid;
error_log {root}/error.log;
events {{}}
http {{
  access_log off;
  keepalive_requests 1000000;
  client_body_temp_path {root}/body;
  proxy_temp_path {root}/proxy;
  fastcgi_temp_path {root}/fastcgi;
  uwsgi_temp_path {root}/uwsgi;
  scgi_temp_path {root}/scgi;
  client_max_body_size 0;
  server {{
    listen 127.0.0.1:{port};
    root {root}/files;
    location / {{ dav_methods PUT; }}
  }}
}}
"""

#: How one file of a number and a size is sent in one request.
Ask = Callable[[int, int], Request]


@dataclass(frozen=True, slots=True)
class Peer:
    """A server, and how it is asked to keep a file."""

    place: Callable[[Path], contextlib.AbstractContextManager[Server]]
    ask: Ask
    missing: str = ""


def bench(grounds: Grounds, *, quick: bool) -> Section:
    """5,000 small files and one of 1 GiB to each; 200 and 64 MiB when quick."""
    count, large = (200, 64 * MIB) if quick else (5_000, 1024 * MIB)
    table = Table(
        ["server", "4 KiB, files/s", "CPU, µs a file", f"{large // MIB:,} MiB, MB/s",
         "at rest, MiB", "peak, small", "peak, large"]
    )  # fmt: skip
    for name, peer in _peers().items():
        if peer.missing:
            table.rows.append([name, peer.missing, *[""] * 5])
            continue
        table.rows.append([name, *_figures(grounds, peer, count, large)])
    bundled = Peer(receiver, _put)
    table.rows.append([f"dropline serve, {BUNDLE} a request", *_bundled(grounds, bundled, count)])
    return Section(
        "The receiver and its peers",
        f"{CONNECTIONS} kept connections of one client program, the same bytes; tus creates "
        "with the bytes in the same request. The client shares the cores, and trusts the status. "
        "`dropline serve` hashes all and syncs every file and row to disk before it answers, the "
        "others neither hash nor sync. One run each. Resident memory of the server "
        "with its children, looked at 100 times a second.",
        [table, *_listening(grounds, quick=quick)],
    )


def _peers() -> dict[str, Peer]:
    no_nginx = "" if shutil.which("nginx") else "–, needs Debian’s nginx"
    no_node = "" if shutil.which("node") else "–, needs Debian’s nodejs"
    if not no_node and not (PACKAGES / "node_modules/@tus/server").is_dir():
        no_node = "–, needs the npm packages that `make test` installs"
    return {
        "dropline serve, PUT": Peer(receiver, _put),
        "dropline serve, tus": Peer(receiver, partial(_tus, "/tus/")),
        "nginx, WebDAV": Peer(_nginx, _dav, no_nginx),
        "@tus/server": Peer(_tus_server, partial(_tus, "/files"), no_node),
    }


# --- how each is asked ----------------------------------------------------------------------------


def _put(number: int, size: int) -> Request:
    return Request("PUT", f"/files/by-name/{number:06d}.bin", {}, size)


def _dav(number: int, size: int) -> Request:
    return Request("PUT", f"/{number:06d}.bin", {}, size)


def _tus(path: str, _number: int, size: int) -> Request:
    headers = {
        "Tus-Resumable": "1.0.0",
        "Upload-Length": str(size),
        "Content-Type": "application/offset+octet-stream",
    }
    return Request("POST", path, headers, size)


def _form(_number: int, size: int) -> Request:
    """A bundle of files of that size."""
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; "
        'name="file"; filename="photos/a.jpg"\r\n\r\n'
    ).encode()
    body = (head + os.urandom(size) + b"\r\n") * BUNDLE + f"--{BOUNDARY}--\r\n".encode()
    kind = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    return Request("POST", "/upload", kind, len(body), body)


# --- what is measured -----------------------------------------------------------------------------


def _figures(grounds: Grounds, peer: Peer, count: int, large: int) -> list[str]:
    """A row of the table."""
    with grounds.fresh() as folder, peer.place(folder / "data") as server:
        _send(server.url, peer.ask, CONNECTIONS, SMALL)  # warm up
        rest = _memory(server.pid)
        with _Peak(server.pid) as small:
            seconds = _send(server.url, peer.ask, count, SMALL)
    with grounds.fresh() as folder, peer.place(folder / "data") as server:
        _send(server.url, peer.ask, CONNECTIONS, SMALL)
        with _Peak(server.pid) as big:
            took = _send(server.url, peer.ask, 1, large)
    progress(f"{count / seconds:,.0f} files/s, {large / took / 1e6:,.0f} MB/s")
    return [
        middle([count / seconds]), f"{small.cpu / count * 1e6:,.0f}",
        middle([large / took / 1e6]), f"{rest:.0f}", f"{small.peak:.0f}", f"{big.peak:.0f}",
    ]  # fmt: skip


def _bundled(grounds: Grounds, peer: Peer, count: int) -> list[str]:
    """The same for files in bundles, which only our receiver takes."""
    bundles = max(CONNECTIONS, count // BUNDLE)
    with grounds.fresh() as folder, peer.place(folder / "data") as server:
        _send(server.url, _form, CONNECTIONS, SMALL)
        rest = _memory(server.pid)
        with _Peak(server.pid) as peak:
            seconds = _send(server.url, _form, bundles, SMALL)
    files = bundles * BUNDLE
    return [
        middle([files / seconds]), f"{peak.cpu / files * 1e6:,.0f}", "", f"{rest:.0f}",
        f"{peak.peak:.0f}", "",
    ]  # fmt: skip


def _listening(grounds: Grounds, *, quick: bool) -> list[str | Table]:
    """What 500 idle clients of the events cost an upload and the memory."""
    uploads = 50 if quick else UPLOADS
    table = Table(["clients that listen", "upload, median ms", "99 of 100 within", "memory, MiB"])
    with grounds.fresh() as folder, receiver(folder / "data") as server:
        _latencies(server.url, CONNECTIONS)
        for listeners in (0, LISTENERS):
            with _listeners(server.url, listeners):
                taken = _latencies(server.url, uploads)
                within = statistics.quantiles(taken, n=100)[98]
                table.rows.append(
                    [f"{listeners}", f"{statistics.median(taken):.2f}", f"{within:.2f}",
                     f"{_memory(server.pid):.0f}"]
                )  # fmt: skip
    return [f"**Listeners.** {uploads} uploads of 4 KiB, one after the other.", table]


def _send(url: str, ask: Ask, count: int, size: int) -> float:
    """Send `count` requests over the connections; returns seconds."""
    lanes = min(CONNECTIONS, count)

    def lane(first: int) -> None:
        with Connection(url) as connection:
            for number in range(first, count, lanes):
                connection.send(ask(number, size))

    began = time.monotonic()
    with ThreadPoolExecutor(lanes) as pool:
        list(pool.map(lane, range(lanes)))
    return time.monotonic() - began


def _latencies(url: str, count: int) -> list[float]:
    """Milliseconds of each upload, one after the other."""
    taken = []
    with Connection(url) as connection:
        for number in range(count):
            began = time.perf_counter()
            connection.send(_put(number, SMALL))
            taken.append((time.perf_counter() - began) * 1000)
    return taken


@contextlib.contextmanager
def _listeners(url: str, count: int) -> Iterator[None]:
    """Clients of `/events`, who read when all is over. Raises RuntimeError if one was cut off."""
    address = urlsplit(url)
    request = f"GET /events HTTP/1.1\r\nHost: {address.netloc}\r\n\r\n".encode()
    with contextlib.ExitStack() as all_of_them:
        clients = []
        for _ in range(count):
            client = socket.create_connection((address.hostname or "", address.port or 0))
            clients.append(all_of_them.enter_context(client))
            client.sendall(request)
            if not client.recv(1024).startswith(b"HTTP/1.1 200"):
                raise RuntimeError("a listener was refused")
        yield
        for client in clients:
            client.setblocking(False)
            with contextlib.suppress(BlockingIOError):
                while client.recv(1 << 16):
                    pass
                raise RuntimeError("a listener was cut off")


def _family(pid: int) -> list[psutil.Process]:
    process = psutil.Process(pid)
    return [process, *process.children(recursive=True)]


def _memory(pid: int) -> float:
    """MiB resident."""
    return sum(process.memory_info().rss for process in _family(pid)) / MIB


class _Peak:
    """The CPU and the peak memory of a server and its children, each one's peak added up."""

    def __init__(self, pid: int) -> None:
        self._watches = [Watch(process.pid) for process in _family(pid)]

    @property
    def cpu(self) -> float:
        return sum(watch.cpu for watch in self._watches)

    @property
    def peak(self) -> float:
        return sum(watch.peak for watch in self._watches)

    def __enter__(self) -> _Peak:
        for watch in self._watches:
            watch.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        for watch in self._watches:
            watch.__exit__(None, None, None)


# --- the peers ------------------------------------------------------------------------------------


@contextlib.contextmanager
def _nginx(data: Path) -> Iterator[Server]:
    (data / "files").mkdir(parents=True)
    port = _free_port()
    configuration = NGINX.format(root=data, port=port, user=getpass.getuser())
    (data / "nginx.conf").write_text(configuration, "utf-8")
    with _program(["nginx", "-c", str(data / "nginx.conf"), "-p", str(data)], port) as server:
        yield server


@contextlib.contextmanager
def _tus_server(data: Path) -> Iterator[Server]:
    port = _free_port()
    command = ["node", str(TUS), str(PACKAGES), str(data / "files"), str(port)]
    with _program(command, port) as server:
        yield server


@contextlib.contextmanager
def _program(command: list[str], port: int) -> Iterator[Server]:
    """A server in a process of its own that listens on the port."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", port)).close()
                break
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{command[0]} did not start")
            threading.Event().wait(0.05)
        yield Server(f"http://127.0.0.1:{port}", process.pid, lambda _wanted: None)
    finally:
        process.terminate()
        process.wait()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])
