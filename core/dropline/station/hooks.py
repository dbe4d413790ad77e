"""What a station tells of its jobs, and of itself."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from dropline.station.queue import Order
from dropline.station.work import ItemT, Job, ResultT_contra


class Hooks(Protocol[ItemT, ResultT_contra]):
    """Who is told what happens to the jobs. Called in worker threads; must be quick."""

    def arrived(self, jobs: Sequence[Job[ItemT]]) -> None:
        """Jobs are about to join the queue."""

    def rejoined(self, jobs: Sequence[Job[ItemT]]) -> None:
        """Failed jobs are about to arrive once more."""

    def started(self, jobs: Sequence[Job[ItemT]], worker: int) -> None:
        """A worker begins an attempt at each of the jobs."""

    def progressed(self, job: Job[ItemT], done: int) -> None:
        """`done` bytes of the running attempt are through; not told where all went at once."""

    def checkpointed(self, job: Job[ItemT]) -> None:
        """The item of the running attempt says how a later attempt can go on from there."""

    def finished(self, served: Sequence[tuple[Job[ItemT], ResultT_contra]], seconds: float) -> None:
        """An attempt at each of the jobs succeeded; it took `seconds` of the worker's time."""

    def retried(self, job: Job[ItemT], reason: str, delay: float) -> None:
        """An attempt failed in passing; the job waits, `delay` seconds at least."""

    def failed(self, jobs: Sequence[tuple[Job[ItemT], str]]) -> None:
        """The jobs failed for good, each for a reason."""

    def cancelled(self, jobs: Sequence[Job[ItemT]]) -> None:
        """Jobs were taken out of the line."""

    def held(self, jobs: Sequence[Job[ItemT]], held: bool) -> None:
        """Jobs were held, or released again."""

    def prioritised(self, jobs: Sequence[Job[ItemT]]) -> None:
        """Jobs have another priority."""

    def resized(self, before: int, wanted: int) -> None:
        """The wanted number of workers changed."""

    def paused(self, paused: bool) -> None:
        """The station was paused or resumed."""

    def ordered(self, order: Order) -> None:
        """The order of the queue changed."""

    def target_went(self, down: bool, reason: str) -> None:
        """The target went down, for a reason, or is up again."""

    def drained(self, finished: int, failed: int, cancelled: int) -> None:
        """Nothing waits or runs any more; counts since the line last was empty."""
