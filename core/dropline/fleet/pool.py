"""A pool of threads for Celery workers that grows and shrinks while tasks run.

For any application, without a change to it:

    CELERY_CUSTOM_WORKER_POOL=dropline.fleet.pool:TaskPool celery -A app worker -P custom -c 4

Celery's own thread pool can't change its size; prefork's grows, and shrinks only while processes
are idle. This one answers the same remote controls, `pool_grow` and `pool_shrink`: surplus threads
end between two tasks, so no task is interrupted, and the prefetch follows.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import Any

from celery.concurrency.base import BasePool, apply_target

_log = logging.getLogger(__name__)


class Handed:
    """A task that was handed to the pool; Celery keeps a weak reference to it."""


class TaskPool(BasePool):
    """Threads that take tasks in their order; never more than `limit` tasks run at once, once those
    that ran when it was lowered have ended.
    """

    body_can_be_buffer = True
    signal_safe = False

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.limit: int = self.limit or 1
        self._wake = threading.Condition()
        self._waiting: deque[Callable[[], None]] = deque()
        self._threads: set[threading.Thread] = set()
        self._stopped = False

    def on_start(self) -> None:
        """Start the threads."""
        with self._wake:
            self._fill()

    def on_apply(
        self,
        target: Callable[..., Any],
        args: Any = None,
        kwargs: Any = None,
        callback: Callable[..., Any] | None = None,
        accept_callback: Callable[..., Any] | None = None,
        **_: Any,
    ) -> Handed:
        """Take a task to be run by the next thread that is free."""

        def run() -> None:
            apply_target(target, args, kwargs, callback, accept_callback)

        with self._wake:
            self._waiting.append(run)
            self._wake.notify()
        return Handed()

    def grow(self, n: int = 1) -> None:
        """Run `n` tasks more at once, from now on."""
        with self._wake:
            self.limit += n
            self._fill()

    def shrink(self, n: int = 1) -> None:
        """Run `n` tasks less at once, as soon as running ones have ended. At least one thread
        stays.
        """
        with self._wake:
            if self.limit - n < 1:
                raise ValueError(f"{self.limit} threads can't become {self.limit - n}: keep one")
            self.limit -= n
            self._wake.notify_all()

    def on_stop(self) -> None:
        """Let running tasks end; those that wait are delivered again by the broker."""
        with self._wake:
            self._stopped = True
            self._waiting.clear()
            self._wake.notify_all()
            threads = list(self._threads)
        for thread in threads:
            thread.join()

    def _get_info(self) -> dict[str, Any]:
        with self._wake:
            return {**super()._get_info(), "threads": len(self._threads)}

    def _fill(self) -> None:
        """Start the threads that are lacking; the lock is held."""
        while len(self._threads) < self.limit:
            # Daemons: a worker that is told to stop at once doesn't wait for tasks.
            thread = threading.Thread(target=self._work, name="task thread", daemon=True)
            self._threads.add(thread)
            thread.start()

    def _work(self) -> None:
        me = threading.current_thread()
        while True:
            with self._wake:
                self._wake.wait_for(
                    lambda: self._waiting or self._stopped or len(self._threads) > self.limit
                )
                if self._stopped or len(self._threads) > self.limit:
                    self._threads.discard(me)
                    return
                run = self._waiting.popleft()
            try:
                run()
            except BaseException:  # noqa: BLE001 - tasks raise SystemExit too; no thread may be lost
                _log.exception("a task ended its thread's work")
