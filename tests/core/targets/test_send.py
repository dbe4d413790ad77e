"""`dropline send` to other targets: the options, and where passwords come from."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dropline.cli import main

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture(autouse=True)
def no_secrets_of_this_machine(monkeypatch: pytest.MonkeyPatch, memory: Any) -> None:
    for name in ("DROPLINE_PASSWORD", "DROPLINE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Call:
    """`call(options…)`: send a folder with one file; status, output, errors."""
    (tmp_path / "tree").mkdir()
    (tmp_path / "tree" / "a b").write_bytes(b"content")

    def run(*options: str) -> tuple[int, str, str]:
        try:
            status = main(["send", str(tmp_path / "tree"), "--again", *options])
        except SystemExit as end:
            status = int(end.code or 0)
        return (status, *capsys.readouterr())

    return run


def test_it_tells_how_far_each_file_is_verified(nginx: Any, call: Call) -> None:
    url = f"{nginx.url}/dav/send"
    status, output, errors = call("--to", f"webdav+{url}", "--json")
    assert (status, errors) == (0, "")
    [sent] = json.loads(output)["sent"]
    assert (sent["proof"], sent["file_id"]) == ("size", f"{url}/tree/a%20b")
    status, output, _ = call("--to", url, "--via", "webdav")
    assert status == 0
    assert output.startswith("1 file sent, of which the server confirmed the size, 7 bytes.\n")


def test_a_form_with_its_fields(rogue: Any, call: Call) -> None:
    server = rogue(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    status, output, _ = call(
        "--to", f"multipart+{server.url}/form", "--field", "photo", "--form", "album=1 = 2",
    )  # fmt: skip
    assert status == 0
    assert output.startswith("1 file sent, but not verified by the server, 7 bytes.\n")
    body = server.requests[0].body
    assert b'name="photo"; filename="tree/a b"' in body
    assert b'name="album"\r\n\r\n1 = 2\r\n' in body


def test_what_a_target_refuses_is_listed(nginx: Any, call: Call) -> None:
    status, output, errors = call("--to", f"webdav+{nginx.url}/locked", "--json")
    assert (status, errors) == (1, "")
    [failed] = json.loads(output)["failed"]
    assert "answered 401 (Unauthorized): check the user and password" in failed["reason"]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--to", "webdav+ftp://h"], "is no address of a folder"),
        (["--to", "http://h", "--via", "ftp"], "invalid choice: 'ftp'"),
        (["--to", "http://h", "--header", "X-Team"], "--header “X-Team” has no value"),
        (["--to", "http://h", "--form", "x"], "--form “x” has no value: use --form 'NAME=VALUE'"),
        (["--to", "http://h", "--user", "a:b"], "“a:b” is no user name"),
        (["--to", "http://h", "--ca", "/nowhere"], "/nowhere is no file"),
        (["--to", "http://h", "--client-key", "/k"], "is a key without its certificate"),
        (["--to", "http://h", "--proxy", "h:1"], "the proxy is no address"),
        (["--to", "s3://b", "--header", "X: y"], "S3 takes no token and no headers"),
        (["--to", "http://h", "--password", "x"], "unrecognized arguments: --password"),
    ],
)
def test_wrong_options_are_told_in_one_line(call: Call, options: list[str], sentence: str) -> None:
    status, output, errors = call(*options)
    assert (status, output) == (2, "")
    [line] = errors.splitlines()
    assert sentence in line


def test_the_password_comes_from_the_environment_or_the_keyring(
    rclone: Any, call: Call, memory: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = f"webdav+{rclone.url}/dav"
    status, output, errors = call("--to", url, "--user", "ada")
    assert (status, output) == (1, "")
    assert "no password of ada at" in errors
    assert "set DROPLINE_PASSWORD, or call it on a terminal" in errors
    memory.set_password(f"dropline {url}", "ada", "secret")
    assert call("--to", url, "--user", "ada")[0] == 0
    monkeypatch.setenv("DROPLINE_PASSWORD", "wrong")
    assert call("--to", url, "--user", "ada")[0] == 1
    memory.kept.clear()
    monkeypatch.setenv("DROPLINE_PASSWORD", "secret")
    status, output, _ = call("--to", url, "--user", "ada", "--json")
    assert json.loads(output)["sent"][0]["proof"] == "digest"
    assert "secret" not in output


def test_the_token_comes_from_the_environment_or_the_keyring(
    call: Call, memory: Any, monkeypatch: pytest.MonkeyPatch, folder: Any
) -> None:
    server = folder()
    url = f"webdav+{server.url}"
    memory.set_password(f"dropline {url}", "(token)", "kept")
    assert call("--to", url)[0] == 0
    monkeypatch.setenv("DROPLINE_TOKEN", "given")
    assert call("--to", url)[0] == 0
    said = [request.headers["Authorization"] for request in server.seen]
    assert said == [*["Bearer kept"] * 3, *["Bearer given"] * 3]


ASKED = """
import pty, sys
sys.exit(pty.spawn([sys.executable, "-m", "dropline_desktop", *sys.argv[1:]]) >> 8)
"""


def test_a_terminal_is_asked_for_the_password(rclone: Any, call: Call, tmp_path: Path) -> None:
    """The terminal doesn't show what is typed, and where nothing can keep it that is said."""
    no_keyring = {"PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    environment = os.environ | no_keyring | {"TERM": "dumb"}
    command = ["send", str(tmp_path / "tree"), "--to", f"webdav+{rclone.url}/dav"]
    with subprocess.Popen(
        [sys.executable, "-c", ASKED, *command, "--user", "ada"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        seen = b""
        for question, answer in ((b"Password of ada at", b"secret\n"), (b"[y/N]", b"y\n")):
            while question not in seen:
                seen += os.read(process.stdout.fileno(), 1024)
            process.stdin.write(answer)
            process.stdin.flush()
        seen += process.stdout.read()
        assert process.wait(30) == 0, seen
    assert b"Not kept: this system has no keyring" in seen
    assert b"1 file sent and verified" in seen
    assert b"secret" not in seen
