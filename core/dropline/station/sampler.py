"""Read a station's instruments at a fixed pace, so that who displays them waits on no lock."""

from __future__ import annotations

import threading
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Callable
from typing import Any

from dropline.meter import Meter, Window, time_left
from dropline.meter.tally import to_seconds
from dropline.station.counts import Counts
from dropline.station.reading import Instruments, Reading
from dropline.station.station import Station

#: Seconds between readings.
PERIOD = 0.1
#: The widest window that figures are kept for, in seconds.
MAX_WINDOW = 3600.0


class Sampler:
    """A thread that hands a `Reading` of the station to `post` every `PERIOD` seconds."""

    def __init__(
        self,
        station: Station[Any, Any],
        meter: Meter,
        post: Callable[[Reading], None],
        *,
        window: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`window`: the seconds that figures are taken over; may be set while it runs."""
        self.window = window
        self._station = station
        self._meter = meter
        self._post = post
        self._clock = clock
        self._lock = threading.Lock()
        self._bytes: deque[tuple[float, int]] = deque()
        self._stop = threading.Event()
        self._thread = threading.Thread(
            target=self._run, name=f"{station.name} sampler", daemon=True
        )

    def start(self) -> None:
        """Begin to read."""
        self._thread.start()

    def close(self) -> None:
        """Stop reading."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def instruments(self, seconds: float) -> Instruments:
        """As `read`, with all that has added up since the station began."""
        reading = self.read(seconds)
        return Instruments(reading, *self._meter.whole(reading.t))

    def read(self, seconds: float) -> Reading:
        """The instruments now, over the last `seconds`."""
        with self._lock:
            counts = self._station.counts()
            now = self._clock()
            window = self._meter.window(seconds, now)
            bytes_rate = self._bytes_rate(now, seconds, counts.bytes_done)
        low, eta, high = _eta(counts, window, bytes_rate, self._station.limit.rate)
        return Reading(
            station=self._station.name,
            t=now,
            paused=counts.paused,
            wanted=counts.wanted,
            running=counts.running,
            busy=counts.busy,
            waiting=counts.waiting,
            in_system=counts.waiting + counts.serving,
            finished=window.totals.finished,
            failed=counts.failed,
            cancelled=counts.cancelled,
            oldest=window.state.oldest_age,
            bytes_rate=bytes_rate,
            eta=eta,
            eta_low=low,
            eta_high=high,
            window=window.figures.end - window.figures.start,
            figures=window.figures,
            p50=window.response.quantile(0.50),
            p95=window.response.quantile(0.95),
            p99=window.response.quantile(0.99),
            little=window.littles_law,
            responses=to_seconds(window.totals.response_sum),
            next_try=counts.next_try,
        )

    def _run(self) -> None:
        while not self._stop.wait(PERIOD):
            reading = self.read(self.window)
            self._post(reading)

    def _bytes_rate(self, now: float, seconds: float, total: int) -> float | None:
        samples = self._bytes
        while samples and samples[0][0] < now - MAX_WINDOW:
            samples.popleft()
        samples.append((now, total))
        first = max(0, bisect_right(samples, now - seconds, key=lambda sample: sample[0]) - 1)
        since, before = samples[first]
        return (total - before) / (now - since) if now > since else None


def _eta(
    counts: Counts, window: Window, bytes_rate: float | None, limit: float | None
) -> tuple[float | None, float | None, float | None]:
    """Seconds until the line is empty: at least, as expected, at most; see `Reading`.

    Bytes cannot go faster than the limit. A running job counts as half of one, besides its bytes.
    """
    if not counts.waiting + counts.serving:
        return 0.0, 0.0, 0.0
    if counts.paused or not counts.wanted:
        return None, None, None
    if counts.service is None:
        return None, _by_pace(counts, window, bytes_rate), None
    left = time_left(
        counts.service,
        counts.waiting + counts.serving / 2,
        counts.bytes_left,
        counts.squares_left,
        counts.wanted,
        largest=counts.largest_left,
    )
    least = counts.bytes_left / limit if limit else 0.0
    return max(left.low, least), max(left.expected, least), max(left.high, least)


def _by_pace(counts: Counts, window: Window, bytes_rate: float | None) -> float | None:
    """By the window's pace alone: the slower of items and bytes decides."""
    throughput = window.figures.throughput
    if not throughput:
        return counts.bytes_left / bytes_rate if bytes_rate else None
    by_bytes = counts.bytes_left / bytes_rate if bytes_rate else 0.0
    return max((counts.waiting + counts.serving) / throughput, by_bytes)
