"""What a drop or the clipboard holds: local paths, and what is not one."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Iterable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from PySide6.QtCore import QMimeData, QUrl


@dataclass(slots=True)
class Dropped:
    """Local paths, and the addresses that lead elsewhere (a web page, another computer)."""

    paths: list[str] = field(default_factory=list)
    foreign: list[str] = field(default_factory=list)


def from_urls(urls: Iterable[QUrl]) -> Dropped:
    """Sort the URLs of a drop. Looks at no file: whoever dragged waits for the answer."""
    dropped = Dropped()
    for url in urls:
        path = local_path(url)
        if path is None:
            dropped.foreign.append(url.toDisplayString())
        else:
            dropped.paths.append(path)
    return dropped


def from_clipboard(mime: QMimeData) -> Dropped:
    """Copied files, or text that is one path or `file:` URL a line."""
    if mime.hasUrls():
        return from_urls(mime.urls())
    dropped = Dropped()
    for line in filter(None, (line.strip().strip('"') for line in mime.text().splitlines())):
        path = os.path.expanduser(line)
        if line.lower().startswith("file:"):
            found = from_urls([QUrl.fromEncoded(line.encode())])
            dropped.paths += found.paths
            dropped.foreign += found.foreign
        elif os.path.isabs(path):
            dropped.paths.append(path)
        else:
            dropped.foreign.append(line)
    return dropped


def local_path(url: QUrl) -> str | None:
    """The path that a `file:` URL names; None for any other address.

    A name that is not UTF-8 keeps its bytes, as `os.fsdecode` gives them: `QUrl.toLocalFile`
    alone would put U+FFFD in their place.
    """
    if not url.isLocalFile():
        return None
    if sys.platform == "win32":
        return url.toLocalFile()
    if url.host() and url.host().lower() not in {"localhost", socket.gethostname().lower()}:
        return None
    encoded = url.path(QUrl.ComponentFormattingOption.FullyEncoded)
    path = os.fsdecode(unquote_to_bytes(encoded))
    return path.rstrip("\0") or None  # some drags on macOS end in NUL


def to_url(path: str) -> QUrl:
    """The `file:` URL of a path, whatever bytes its name is made of."""
    if sys.platform == "win32":
        return QUrl.fromLocalFile(path)
    encoded = "".join(
        chr(byte) if chr(byte) in _PLAIN else f"%{byte:02X}" for byte in os.fsencode(path)
    )
    return QUrl.fromEncoded(f"file://{encoded}".encode())


_PLAIN = frozenset("/-._~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789")
