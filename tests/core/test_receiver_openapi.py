"""The description of the HTTP interface: valid, complete, and true to what is answered."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from dropline.bus import MemoryBus
from dropline.receiver import Receiver
from dropline.receiver.app import create_app
from dropline.receiver.feed import Feed
from dropline.receiver.gate import Gate
from dropline.receiver.guard import Guard
from dropline.receiver.metrics import Metrics
from dropline.receiver.openapi import describe
from dropline.receiver.store import Store

HOOKS = Path(__file__).with_name("schemathesis_hooks.py")
#: What schemathesis compares of each answer.
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "use_after_free",
    "ensure_resource_availability",
)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("token", [None, "s3cret"])
def test_answers_are_as_described(tmp_path: Path, token: str | None) -> None:
    """Generated requests, good ones and bad ones, get only answers that are described."""
    receiver = Receiver(tmp_path / "received", port=0, token=token)
    receiver.start()
    try:
        command = [Path(sys.executable).with_name("schemathesis"), "run"]
        command += [f"{receiver.url}/openapi.json", "--exclude-path", "/events"]  # it never ends
        command += ["--checks", ",".join(CHECKS), "--max-examples", "20", "--seed", "7"]
        command += ["--request-timeout", "20", "--no-color", "--generation-database", ":memory:"]
        if token:
            command += ["--header", f"Authorization: Bearer {token}"]
        hooks = os.environ | {"SCHEMATHESIS_HOOKS": str(HOOKS)}
        done = subprocess.run(
            command, capture_output=True, text=True, cwd=tmp_path, env=hooks, check=False
        )
    finally:
        receiver.stop()
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr[-2000:]


def test_every_route_is_described(tmp_path: Path, bus: MemoryBus) -> None:
    store = Store(tmp_path, None, bus)
    feed, gate = Feed(store, bus, tuple), Gate()
    metrics = Metrics(store, gate, feed, tuple)
    guard = Guard("127.0.0.1", 1, None)
    app = create_app(store, bus, guard, None, gate=gate, rate=None, feed=feed, metrics=metrics)
    feed.close()
    store.close()
    routes = {
        (method.lower(), re.sub(r"<.*?>", "{}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
        if not rule.rule.startswith("/tus/")  # whose routes take every method, to answer for it
    }
    described = {
        (method, re.sub(r"{.*?}", "{}", path))
        for path, methods in describe()["paths"].items()
        for method in methods
        if not path.startswith("/tus/")
    }
    assert routes == described
