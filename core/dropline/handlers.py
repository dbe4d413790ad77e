"""What is done with each file that is stored: functions of the user's, and how they are found.

    from dropline.handlers import StoredFile, handler

    @handler("file.stored")
    def count(file: StoredFile) -> None:
        with file.open() as content:
            print(file.name, sum(1 for line in content))

Functions may be coroutines. They come from files (`dropline serve --handlers FILE`) and from
installed packages, by entry points of the group `dropline.handlers`. Each file is handed to each
function at least once: again, after a pause, when it raised, and again after a crash in between.
One that raises `PermanentError`, or too often, becomes a dead letter, which can be replayed.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import BinaryIO, Protocol

from dropline.station import PermanentError

__all__ = ["Handler", "HandlerError", "PermanentError", "StoredFile", "find_handlers", "handler"]

GROUP = "dropline.handlers"
#: What a handler can be for.
TOPICS = ("file.stored",)


class StoredFile(Protocol):
    """A file as a handler sees it. `stored_at` is UTC, ISO 8601; `sha256` hexadecimal."""

    file_id: str
    name: str
    size: int
    sha256: str
    media_type: str
    stored_at: str

    def open(self) -> BinaryIO:
        """Its bytes. Raises FileNotFoundError when it was deleted meanwhile."""
        ...

    def note(self, facts: Mapping[str, object], thumbnail: bytes | None = None) -> None:
        """Keep what was found out (as JSON) and a small picture (PNG) with the file."""
        ...


Function = Callable[[StoredFile], Awaitable[None] | None]


@dataclass(frozen=True, slots=True)
class Handler:
    """A function and the name under which its work is kept, which so must not change."""

    name: str
    call: Function


class HandlerError(Exception):
    """Handlers could not be loaded; the message is a sentence with the remedy."""


def handler(topic: str) -> Callable[[Function], Function]:
    """Have the function called for each event of the topic, `file.stored`."""
    if topic not in TOPICS:
        raise ValueError(f"There is no topic {topic!r} for handlers; use {', '.join(TOPICS)}.")

    def mark(function: Function) -> Function:
        function.__dict__["dropline_topic"] = topic
        return function

    return mark


def find_handlers(files: Sequence[Path] = ()) -> list[Handler]:
    """Those in the files, and those that installed packages bring. Raises HandlerError."""
    found = [each for path in files for each in _in_file(path)]
    for point in metadata.entry_points(group=GROUP):
        try:
            found.append(Handler(f"{point.value}", point.load()))
        except Exception as error:
            raise HandlerError(
                f"The handler {point.value} could not be loaded: {error}."
            ) from error
    names = [each.name for each in found]
    if doubled := {name for name in names if names.count(name) > 1}:
        raise HandlerError(f"Two handlers are called {min(doubled)}; rename one.")
    return found


def _in_file(path: Path) -> Iterator[Handler]:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise HandlerError(f"{path} is no Python file; name one that ends in .py.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise HandlerError(f"The handlers in {path} could not be loaded: {error!r}.") from error
    marked = [each for each in vars(module).values() if hasattr(each, "dropline_topic")]
    if not marked:
        raise HandlerError(f'{path} has no function marked with @handler("file.stored").')
    for function in marked:
        yield Handler(f"{path.stem}:{function.__name__}", function)
