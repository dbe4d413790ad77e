"""Names of files that a program has not finished yet, by which it says so itself."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable

#: Patterns of names, as of a shell; upper and lower case are the same.
UNFINISHED = (
    "*.part",  # Firefox, curl, yt-dlp and others
    "*.partial",
    "*.filepart",  # WinSCP
    "*.crdownload",  # Chrome
    "*.download",  # Safari
    "*.!qB",  # qBittorrent
    "*.tmp",
    "*.temp",
    "*~",  # backups of editors
    "~$*",  # Microsoft Office
    ".~lock*",  # LibreOffice
    ".#*",  # Emacs
    ".*.sw?",  # Vim
    ".*.??????",  # rsync, mkstemp
    ".goutputstream-*",  # GNOME
    ".fuse_hidden*",
    ".nfs*",
)


class Ignored:
    """Which paths below a folder are not for sending, by the names of their parts."""

    def __init__(self, folder: str, patterns: Iterable[str] = UNFINISHED) -> None:
        self._start = len(folder.rstrip(os.sep)) + 1
        self._names = re.compile(
            "|".join(fnmatch.translate(pattern) for pattern in patterns) or "(?!)", re.IGNORECASE
        )

    def __contains__(self, path: str) -> bool:
        """Whether a file or one of the folders between is named so."""
        return any(self._names.match(name) for name in path[self._start :].split(os.sep))
