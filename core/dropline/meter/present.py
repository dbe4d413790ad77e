"""The jobs present in a line, each with its time of arrival, in a few bits a job.

Files join a line in batches: jobs numbered one after the other that arrive at one time. Such a
*run* needs no entry for each of its jobs, only its first number, its length, its time, and a bit
for each that has left. Any other job (a name, a number out of order, an arrival of its own) stands
in a dictionary.
"""

from bisect import bisect_right
from collections import OrderedDict
from itertools import islice

Job = str | int | None
"""What a log calls a job; None is never present."""

LONGEST = 1024
"""Jobs of a run: its bits are one integer, and a longer one would make each departure slower."""


class Run:
    """Jobs from `first` on that arrived at `time`: `size` of them, and `left` are still here."""

    __slots__ = ("first", "gone", "left", "size", "time")

    def __init__(self, first: int, time: int, size: int) -> None:
        self.first = first
        self.time = time
        self.size = self.left = size
        self.gone = 0
        """Bit k is set when the job `first + k` has left."""


class Present:
    """Who is present, and since when; not thread-safe.

    Times come in order: none is earlier than that of an arrival before it.
    """

    def __init__(self) -> None:
        self.count = 0
        """How many are present; plain, for it is read at each entry of a log."""
        # In order of arrival; ordered, so that the first is found however many before it left.
        self._singles: OrderedDict[Job, int] = OrderedDict()
        # In order of number, and so of arrival. Those that are empty go when they are the most.
        self._runs: list[Run] = []
        self._firsts: list[int] = []
        self._empty = 0
        self._head = 0  # runs at the start that are known to be empty
        self._time = 0  # of the last arrival

    def __contains__(self, job: Job) -> bool:
        return job in self._singles or (bool(self._runs) and self._run(job) is not None)

    def add(self, job: Job, time: int) -> bool:
        """Let a job arrive; False when it is present already, and nothing changes."""
        if job in self._singles or (self._runs and self._run(job) is not None):
            return False
        if time != self._time or not isinstance(job, int) or not self._join(job, time):
            self._singles[job] = time
        self._time = time
        self.count += 1
        return True

    def remove(self, job: Job) -> int:
        """Let a job leave; its time of arrival. Raises KeyError when it isn't present."""
        time = self._singles.pop(job, None)
        if time is None:
            time = self._leave(job)
        self.count -= 1
        if not self.count:
            self._singles.clear()  # what was large would stay large
        return time

    def oldest(self) -> int | None:
        """The earliest time of arrival of those present; None when nobody is."""
        runs = self._runs
        while self._head < len(runs) and not runs[self._head].left:
            self._head += 1
        times = [run.time for run in runs[self._head : self._head + 1]]
        times += islice(self._singles.values(), 1)
        return min(times, default=None)

    def _run(self, job: Job) -> Run | None:
        """The run in which a job is present."""
        if not isinstance(job, int):
            return None
        place = bisect_right(self._firsts, job)
        if not place:
            return None
        run = self._runs[place - 1]
        offset = job - run.first
        return run if offset < run.size and not run.gone >> offset & 1 else None

    def _join(self, job: int, time: int) -> bool:
        """Let a job join that of the number before in a run; False when they can't make one."""
        if self._runs:
            last = self._runs[-1]
            end = last.first + last.size
            if job == end and time == last.time and last.left and last.size < LONGEST:
                last.size += 1
                last.left += 1
                return True
            if job <= end:  # it came back, or its number is out of order
                return False
        first = job - 1
        if self._singles.get(first) != time:
            return False
        del self._singles[first]
        self._runs.append(Run(first, time, size=2))
        self._firsts.append(first)
        return True

    def _leave(self, job: Job) -> int:
        run = self._run(job)
        if run is None:
            raise KeyError(job)
        run.gone |= 1 << (job - run.first)  # type: ignore[operator]  # only numbers have runs
        run.left -= 1
        if not run.left:
            self._empty += 1
            if 2 * self._empty > len(self._runs):
                self._runs = [run for run in self._runs if run.left]
                self._firsts = [run.first for run in self._runs]
                self._empty = self._head = 0
        return run.time
