"""Many rows in few statements.

A statement a row would let go of the interpreter at each, and wait for it behind other threads; one
for just as many rows as there are would be made out anew each time.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

#: Rows in one statement.
_SIZES = (100, 25, 5, 1)


def tables(rows: Sequence[Sequence[Any]], first: str = "") -> Iterator[tuple[list[Any], str]]:
    """The values of the rows, statement by statement, and the places for them there.

    They follow `VALUES`; `first` stands before those of each row.
    """
    for size in _SIZES:
        whole = len(rows) // size * size
        for at in range(0, whole, size):
            values = list(itertools.chain.from_iterable(rows[at : at + size]))
            places = ", ".join([first] * bool(first) + ["?"] * len(rows[at]))
            yield values, ", ".join([f"({places})"] * size)
        rows = rows[whole:]
