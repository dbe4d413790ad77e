"""How programs talk to a running Dropline: status, and paths for it to take in.

HTTP on a loopback port of the system's choice, with a token that only the run file (mode 0600)
holds, so that only the same user gets in. The standard library's server does: its few requests come
from programs of ours, it is there at once, and it ends at once.
"""

from __future__ import annotations

import hmac
import json
import logging
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any

import requests

from dropline.announcer import STATION
from dropline.home import Home
from dropline.line import Line
from dropline.station import Reading

_log = logging.getLogger(__name__)

#: The window of the figures in `dropline status`, in seconds.
STATUS_WINDOW = 60.0
#: The control port closes within this many seconds.
POLL_SECONDS = 0.05
#: Prometheus' text format.
METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def station_status(reading: Reading) -> dict[str, Any]:
    """A reading as `dropline status` gives it: the figures of the window, and the state now.

    `failed` is the state: how many failed files wait to be sent again or given up.
    """
    return {
        **reading.figures.as_dict(),
        "wanted": reading.wanted,
        "running": reading.running,
        "busy": reading.busy,
        "waiting": reading.waiting,
        "failed": reading.failed,
        "paused": reading.paused,
        "response_p50": reading.p50,
        "response_p95": reading.p95,
        "response_p99": reading.p99,
        "bytes_per_second": reading.bytes_rate,
        "eta": reading.eta,
        "eta_low": reading.eta_low,
        "eta_high": reading.eta_high,
        "window": reading.window,
    }


def line_status(line: Line, receiver: str | None) -> dict[str, Any]:
    """What `dropline status` says of a line and the receiver beside it."""
    return {
        "receiver": receiver,
        "target": line.target.url,
        "stations": {STATION: station_status(line.read(STATUS_WINDOW))},
    }


def line_metrics(line: Line) -> bytes:
    """What a line tells Prometheus."""
    from dropline.station.metrics import exposition

    return exposition([line.instruments(STATUS_WINDOW)])


class ControlServer:
    """Answers other programs of the same user, and says in the run file how to reach it."""

    def __init__(
        self,
        home: Home,
        *,
        status: Callable[[], dict[str, Any]],
        drop: Callable[[Sequence[str]], None] | None = None,
        metrics: Callable[[], bytes] | None = None,
    ) -> None:
        """All are called in the server's threads; without `metrics` there are none to be had."""
        self._home = home
        self._status = status
        self._drop = drop
        self._metrics = metrics
        self._server: _Server | None = None
        self._thread: threading.Thread | None = None

    def start(self, **details: Any) -> None:
        """Listen, and write the run file with `details` (such as the receiver's URL).

        Raises OSError.
        """
        token = secrets.token_hex(32)
        self._server = _Server(token, self._status, self._drop, self._metrics)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(POLL_SECONDS,), name="control", daemon=True
        )
        self._thread.start()
        port = self._server.server_address[1]
        self._home.write_run(
            {
                "pid": os.getpid(),
                **details,
                "control": f"http://127.0.0.1:{port}",
                "token": token,
            }
        )

    def close(self) -> None:
        """Remove the run file and stop listening."""
        if self._server is not None and self._thread is not None:
            self._home.clear_run()
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()


class _Server(ThreadingTCPServer):
    daemon_threads = True

    def __init__(
        self,
        token: str,
        status: Callable[[], dict[str, Any]],
        drop: Callable[[Sequence[str]], None] | None,
        metrics: Callable[[], bytes] | None,
    ) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.authorization = f"Bearer {token}".encode()
        self.status = status
        self.drop = drop
        self.metrics = metrics

    def handle_error(self, *_: object) -> None:
        _log.exception("a request to the control port failed")  # and its connection is closed


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = 10.0

    def do_GET(self) -> None:
        metrics = self.server.metrics
        if self.path == "/metrics" and metrics is not None:
            if self._is_allowed("/metrics"):
                self._send(200, METRICS_TYPE, metrics())
        elif self._is_allowed("/status"):
            self._answer(200, self.server.status())

    def do_POST(self) -> None:
        if not self._is_allowed("/drop"):
            return
        if self.server.drop is None:
            self._answer(405, {"error": "This program takes no paths."})
            return
        try:
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            paths = request["paths"]
        except (KeyError, TypeError, ValueError):
            paths = None
        if not isinstance(paths, list) or not all(isinstance(path, str) for path in paths):
            self._answer(400, {"error": 'Send JSON: {"paths": [PATH, …]}.'})
            return
        self.server.drop(paths)
        self._answer(200, {"status": "success"})

    def _is_allowed(self, path: str) -> bool:
        given = self.headers.get("Authorization", "").encode("latin-1", "replace")
        if not hmac.compare_digest(given, self.server.authorization):
            self._answer(403, {"error": "The token stands in the run file."})
        elif self.path != path:
            self._answer(404, {"error": f"There is no {self.command} {self.path}."})
        else:
            return True
        return False

    def _answer(self, status: int, value: dict[str, Any]) -> None:
        self._send(status, "application/json", json.dumps(value).encode())

    def _send(self, status: int, kind: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        _log.debug(format, *args)


class Running:
    """A running Dropline, found by its run file."""

    def __init__(self, run: dict[str, Any]) -> None:
        self.run = run
        self._session = requests.Session()
        self._session.trust_env = False
        self._session.headers["Authorization"] = f"Bearer {run['token']}".encode()

    @classmethod
    def find(cls, home: Home) -> Running | None:
        """The program that the run file names; None when it does not answer (or never ran)."""
        run = home.read_run()
        if run is None or not {"control", "token"} <= run.keys():
            return None
        running = cls(run)
        try:
            running.status()
        except requests.RequestException:
            return None
        return running

    def status(self) -> dict[str, Any]:
        """The figures; raises `requests.RequestException` when the program does not answer."""
        response = self._session.get(f"{self.run['control']}/status", timeout=5)
        response.raise_for_status()
        value = response.json()
        if not isinstance(value, dict):
            raise requests.exceptions.InvalidJSONError("the status is no JSON object")
        return value

    def drop(self, paths: Sequence[str]) -> None:
        """Hand paths over; raises `requests.RequestException` when they were not taken."""
        response = self._session.post(
            f"{self.run['control']}/drop",
            json={"paths": [os.path.abspath(path) for path in paths]},
            timeout=30,
        )
        response.raise_for_status()
