"""The names and paths of the rows, in hardly more than the bytes of the files' own names.

Two strings a row would take more memory than all the rest. A row's name and its path end alike, in
the file's own name: its *leaf*. What comes before, its *folder*, is as a rule that of the row
before, since a folder is walked in one go. So a row keeps its leaf, and a folder its first row.
"""

from __future__ import annotations

from array import array
from bisect import bisect_right
from typing import Any

import numpy as np

Numbers = np.ndarray[Any, np.dtype[np.intp]]
#: What parts the folders in a name; no leaf holds it, so it can part leaves too.
SLASH = "/"


class Texts:
    """A list of strings that only grows, one after the other in one buffer of bytes.

    It takes 4 GiB of them, and raises OverflowError then.
    """

    def __init__(self) -> None:
        self._bytes = bytearray()
        self._ends = array("I", [0])

    def append(self, text: str) -> None:
        """Add a string, whatever it holds."""
        # A byte of a name that is not UTF-8 is half a surrogate pair, and must come back as such.
        text_bytes = text.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._bytes) + len(text_bytes))
        self._bytes += text_bytes

    def __getitem__(self, number: int) -> str:
        return self.joined(number, number + 1)

    def joined(self, first: int, last: int) -> str:
        """The strings from number `first` to before number `last`, one after the other."""
        return self._bytes[self._ends[first] : self._ends[last]].decode("utf-8", "surrogatepass")


class Names:
    """The name under which each row's file is sent, and the path where it lies."""

    def __init__(self) -> None:
        self._leaves = Texts()  # a slash after each
        self._count = 0
        self._firsts = array("I")  # the first row of each folder
        self._names = Texts()  # of the folders
        self._paths = Texts()
        self._newest: tuple[str, str] | None = None

    def append(self, name: str, path: str) -> None:
        """Add a row."""
        leaf = name[name.rfind(SLASH) + 1 :]
        if not path.endswith(leaf):
            leaf = ""  # they have nothing in common
        folder = name[: len(name) - len(leaf)], path[: len(path) - len(leaf)]
        if folder != self._newest:
            self._newest = folder
            self._firsts.append(self._count)
            self._names.append(folder[0])
            self._paths.append(folder[1])
        self._leaves.append(leaf + SLASH)
        self._count += 1

    def name(self, row: int) -> str:
        """The name under which the row's file is sent."""
        return self._names[self._folder(row)] + self._leaf(row)

    def path(self, row: int) -> str:
        """Where the row's file lies."""
        return self._paths[self._folder(row)] + self._leaf(row)

    def leaves(self, first: int, last: int) -> str:
        """The leaves of the rows from `first` to before `last`, a slash after each."""
        return self._leaves.joined(first, last)

    def folders(self, first: int, last: int) -> tuple[list[str], Numbers]:
        """What comes before those leaves, and which of it before each of them."""
        lowest, highest = self._folder(first), self._folder(last - 1)
        others = self._firsts[lowest + 1 : highest + 1]
        numbers: Numbers = np.searchsorted(others, np.arange(first, last), side="right")
        return [self._names[number] for number in range(lowest, highest + 1)], numbers

    def _folder(self, row: int) -> int:
        return bisect_right(self._firsts, row) - 1

    def _leaf(self, row: int) -> str:
        return self._leaves[row][: -len(SLASH)]
