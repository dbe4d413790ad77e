"""Where a job's row is, in four bytes a job.

Ids of jobs count up as long as a journal lives, and those of one list are mostly neighbours: they
are kept by pages of neighbouring ids, and the ids of lists long gone take nothing.
"""

from __future__ import annotations

from array import array

#: Ids on a page.
PAGE = 4096


class Places:
    """The row of each job."""

    def __init__(self) -> None:
        self._pages: dict[int, array[int]] = {}

    def __setitem__(self, job: int, row: int) -> None:
        number, place = divmod(job, PAGE)
        page = self._pages.get(number)
        if page is None:
            page = self._pages[number] = array("i", [-1]) * PAGE
        page[place] = row

    def get(self, job: int) -> int | None:
        """The job's row; None for a job that has none."""
        page = self._pages.get(job // PAGE)
        row = -1 if page is None else page[job % PAGE]
        return row if row >= 0 else None
