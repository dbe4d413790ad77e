"""The sentences that core says and the window shows, found in core's code.

Each string of three words or more is one, unless it is a docstring or goes to the log. What an
f-string fills in stands as %1, %2 … in its template: `f"{path} is no file"` is "%1 is no file".
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

CORE = Path(__file__).resolve().parent.parent / "core" / "dropline"
#: The modules and rooms of core whose words reach the window.
SPEAKERS = (
    *("admission.py", "extras.py", "line.py", "intake", "journal", "load/line.py", "meter/log.py"),
    "targets",
    *("fleet/celery.py", "fleet/doubts.py", "fleet/members.py", "fleet/remote.py"),
    *("fleet/sizes.py", "fleet/steering.py", "fleet/troubles.py"),
    *("history/replay.py", "history/storage.py", "station/limit.py", "station/station.py"),
    *("receiver/answers.py", "receiver/app.py", "receiver/body.py", "receiver/database.py"),
    *("receiver/gate.py", "receiver/guard.py", "receiver/multipart.py", "receiver/problems.py"),
    *("receiver/receiver.py", "receiver/server.py", "receiver/tus.py"),
    *("receiver/unfinished.py", "receiver/upload.py", "receiver/writer.py", "whatif"),
)
#: What core puts together of pieces, and words that it fills in.
PIECES = (
    "%1 answered %2 (%3): %4",
    "%1 answered %2: %3",
    "%1 answers again",
    "%1 stays up",
    "%1 tasks",
    "%1, line %2: %3",
    "%1: check the URL, and that the broker runs",
    "%1: its pool can't change its size",
    "1 task",
    "Not found",
    "Recording to %1 stopped: %2. Free some space or choose another place, then record again.",
    "Task %1",
    "Too large",
    "a device",
    "a list",
    "a socket",
    "an object",
    "another place",
    "not JSON (%1)",
    "receiver",
    "server",
    # SQLite's own words
    "attempt to write a readonly database",
    "database disk image is malformed",
    "database is locked",
    "database or disk is full",
    "disk I/O error",
    "file is not a database",
    "unable to open database file",
    # Python's
    "[Errno %1] %2",
    "[Errno %1] %2: %3",
)
#: What the system says of files and connections.
ERRORS = (
    "Address already in use",
    "Connection refused",
    "Connection reset by peer",
    "Connection timed out",
    "Device or resource busy",
    "Disk quota exceeded",
    "File exists",
    "File name too long",
    "Input/output error",
    "Is a directory",
    "Network is unreachable",
    "No route to host",
    "No space left on device",
    "No such file or directory",
    "Not a directory",
    "Operation not permitted",
    "Operation timed out",
    "Permission denied",
    "Read-only file system",
    "Stale file handle",
    "Too many levels of symbolic links",
    "Too many open files",
)
#: Strings of several words that are for programs.
NO_SENTENCES = {"Callback with id .* already exists", "task events enabled"}
_WORDS = re.compile(r"(?:^|\s)[“(`]?[A-Za-z][\w'./-]*[”)`]?[.,:;?!]?(?=\s|$)")
#: Strings of several words that nobody says: SQL, XML, headers, patterns, code.
_UNSPOKEN = re.compile(
    r"\b(?:SELECT|INSERT|DELETE|UPDATE|WHERE|SET|BEGIN) "
    r"|[<\n]|\w=\w*,|; \w+[=(/]|^\w+, \w+|^[a-z]+ = "
)


def sentences() -> list[str]:
    """The templates of all that core says, sorted."""
    found = {text for path in _files() for text in _said(ast.parse(path.read_text("utf-8")))}
    return sorted({*found, *PIECES, *ERRORS} - NO_SENTENCES)


def _files() -> Iterator[Path]:
    for name in SPEAKERS:
        path = CORE / name
        yield from sorted(path.rglob("*.py")) if path.is_dir() else [path]


def _said(node: ast.AST) -> Iterator[str]:
    match node:
        case ast.Expr(value=ast.Constant()):  # a docstring
            return
        case ast.Call(func=ast.Attribute(value=ast.Name(id="_log" | "log"))):
            return
        case ast.Constant(value=str(text)):
            yield from [text] if _is_sentence(text) else []
        case ast.JoinedStr(values=values):
            filled = [each.value for each in values if isinstance(each, ast.FormattedValue)]
            number = iter(range(1, len(filled) + 1))
            text = "".join(
                str(each.value) if isinstance(each, ast.Constant) else f"%{next(number)}"
                for each in values
            )
            yield from [text] if _is_sentence(text) else []
            for each in filled:
                yield from _said(each)
        case _:
            for child in ast.iter_child_nodes(node):
                yield from _said(child)


def _is_sentence(text: str) -> bool:
    return len(_WORDS.findall(text)) >= 3 and not _UNSPOKEN.search(text)
