"""Walk dropped files and folders, in batches, so that the first upload starts before the walk ends.

Symbolic links are followed. Real folders come first and linked ones last, and every folder is
walked once, so a loop of links ends and a file keeps the name of its real place. A link to a folder
that it lies in itself leads to nothing that was dropped, and is not followed.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from dropline.value import value

#: A batch goes out when it holds this many items or is this old (seconds), whichever comes first.
BATCH_ITEMS = 500
BATCH_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Root:
    """A dropped path; `source` is where its bytes are read when they are held elsewhere."""

    path: str
    source: str

    @property
    def name(self) -> str:
        """The name that its files are sent under."""
        return os.path.basename(os.path.abspath(self.path))


class Found(NamedTuple):
    """A file to send, or an empty folder (`name` ends in "/").

    `name` is relative to the drop with "/" between its parts; a name that is not UTF-8 holds
    surrogate escapes.
    """

    path: str
    source: str
    name: str
    size: int
    mtime_ns: int


class Refused(NamedTuple):
    """Something that cannot be sent, and a sentence that says why and what to do."""

    path: str
    reason: str


@dataclass(slots=True)
class Batch:
    """What the walk found since the batch before."""

    found: list[Found] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.found) + len(self.refused)


@value
class _Folder:
    path: str
    source: str
    name: str


def walk(
    roots: Iterable[Root],
    stop: Callable[[], bool] = lambda: False,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Batch]:
    """Yield batches of what the roots hold. Ends early, with what it has, once `stop()` is true."""
    batch = Batch()
    born = clock()
    for item in _items(roots):
        if stop():
            break
        if isinstance(item, Found):
            batch.found.append(item)
        elif isinstance(item, Refused):
            batch.refused.append(item)
        # None: time passes without a find (a folder of folders), and the batch may be due.
        size = len(batch)
        if size >= BATCH_ITEMS or (size and clock() - born >= BATCH_SECONDS):
            yield batch
            batch, born = Batch(), clock()
    if len(batch):
        yield batch


def find(path: str, folder: str) -> Found | None:
    """A file in a folder, under the name that a walk of the folder gives it; None if none is there.

    Both are absolute.
    """
    name = os.path.join(os.path.basename(folder), os.path.relpath(path, folder))
    item = _inspect(path, path, name.replace(os.sep, "/"))
    return item if isinstance(item, Found) else None


def _items(roots: Iterable[Root]) -> Iterator[Found | Refused | None]:
    folders: deque[_Folder] = deque()
    links: deque[_Folder] = deque()
    walked: set[tuple[int, int]] = set()
    for root in roots:
        if not root.name:
            yield Refused(root.path, "The whole file system was dropped: drop the folders in it.")
            continue
        item = _inspect(root.path, root.source, root.name)
        if isinstance(item, _Folder):
            folders.append(item)
        else:
            yield item
    while folders or links:
        linked = not folders
        folder = links.popleft() if linked else folders.pop()
        if linked and _leads_up(folder.source):
            continue
        try:
            status = os.stat(folder.source)
            if (status.st_dev, status.st_ino) in walked:
                continue
            walked.add((status.st_dev, status.st_ino))
            with os.scandir(folder.source) as entries:
                is_there, empty = folder.path == folder.source, True
                for entry in entries:
                    empty = False
                    path = entry.path if is_there else os.path.join(folder.path, entry.name)
                    item = _inspect(path, entry.path, f"{folder.name}/{entry.name}", entry)
                    yield _sort(item, entry, folders, links)
        except OSError as error:
            yield Refused(folder.path, _why(folder.path, error))
        else:
            if empty:
                yield Found(folder.path, folder.source, folder.name + "/", 0, status.st_mtime_ns)


def _sort(
    item: Found | Refused | _Folder,
    entry: os.DirEntry[str],
    folders: deque[_Folder],
    links: deque[_Folder],
) -> Found | Refused | None:
    """Put a folder where it waits to be walked; hand anything else on."""
    if not isinstance(item, _Folder):
        return item
    (links if entry.is_symlink() else folders).append(item)
    return None


def _inspect(
    path: str, source: str, name: str, entry: os.DirEntry[str] | None = None
) -> Found | Refused | _Folder:
    """Tell what a path is; `entry`, when there is one, already knows most of it."""
    try:
        if entry is not None and entry.is_dir():
            return _Folder(path, source, name)
        status = entry.stat() if entry is not None else os.stat(source)
    except OSError as error:
        return Refused(path, _why(path, error))
    except ValueError:  # a NUL in it
        return Refused(path, f"{path!r} is no path: drop the file itself.")
    if stat.S_ISREG(status.st_mode):
        return Found(path, source, name, status.st_size, status.st_mtime_ns)
    if stat.S_ISDIR(status.st_mode):
        return _Folder(path, source, name)
    return Refused(path, f"“{path}” is {_kind(status.st_mode)}: only files are sent.")


def _kind(mode: int) -> str:
    if stat.S_ISFIFO(mode):
        return "a named pipe, which has no end"
    if stat.S_ISSOCK(mode):
        return "a socket"
    if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
        return "a device"
    return "not a regular file"


def _why(path: str, error: OSError) -> str:
    if isinstance(error, PermissionError):
        return f"“{path}” may not be read: give yourself permission to, then drop it again."
    if isinstance(error, FileNotFoundError):
        if os.path.islink(path):
            return f"“{path}” is a link to something that is not there: put that back or leave it."
        return f"“{path}” is not there any more: put it back, then drop it again."
    if error.errno == errno.ELOOP:
        return f"“{path}” is a link that leads round to itself: remove it."
    if error.errno == errno.ENAMETOOLONG:
        return f"“{path}” lies too deep to be read: move it further up, then drop it again."
    return (
        f"“{path}” cannot be read ({error.strerror or error}): check its disk, then drop it again."
    )


def inside(path: str, folder: str) -> bool:
    """Whether the path is the folder or lies in it, both being real paths."""
    return path == folder or path.startswith(folder.rstrip(os.sep) + os.sep)


def _leads_up(link: str) -> bool:
    return inside(os.path.realpath(os.path.dirname(link)), os.path.realpath(link))
