"""From bars to a picture, a pixel at a time: each shows for how much of its time what was done.

Everything here is arithmetic on arrays, for a thread of its own: the GUI thread draws one image,
however many bars are in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dropline_desktop.charts.lanes.bars import Outcome, Rows

#: Of a picture: 0xAARRGGBB.
Pixels = NDArray[np.uint32]
_Shares = NDArray[np.float32]

#: Lanes are no higher than this, in device-independent pixels.
HIGHEST = 18
#: Pixels that an end which was no success is drawn long at least.
_SEEN = 3.0
#: Pixels from which on a bar is drawn a pixel short, so that it stands apart from the next.
_APART = 4.0


class Look(IntEnum):
    """What a pixel of a lane may show; later ones lie over earlier ones."""

    WAIT = 0
    SERVICE = 1
    BUNDLE = 2
    CANCELLED = 3
    RETRIED = 4
    FAILED = 5


#: Where each look is seen, of (upper half, lower half, line below): what failed differs from the
#: rest in height too.
_PARTS = {
    Look.WAIT: slice(2, 3),
    Look.SERVICE: slice(0, 2),
    Look.BUNDLE: slice(0, 2),
    Look.CANCELLED: slice(0, 2),
    Look.RETRIED: slice(0, 1),
    Look.FAILED: slice(0, 3),
}


@dataclass(frozen=True)
class Ground:
    """What is drawn on: size in device pixels, of which `ratio` make one of the window's."""

    width: int
    height: int
    ratio: float
    surface: int  # 0xRRGGBB, like the colour of each look
    colours: tuple[int, ...]


def looks_of(rows: Rows) -> NDArray[np.int8]:
    """The look of each bar."""
    looks = np.where(rows["files"] > 1, np.int8(Look.BUNDLE), np.int8(Look.SERVICE))
    for outcome, look in (
        (Outcome.CANCELLED, Look.CANCELLED),
        (Outcome.RETRIED, Look.RETRIED),
        (Outcome.FAILED, Look.FAILED),
    ):
        looks[rows["outcome"] == outcome] = look
    return looks


def lane_edges(lanes: int, height: int, ratio: float) -> NDArray[np.intp]:
    """The pixel at which each of the lanes begins, and that at which the last one ends."""
    each = min(height / max(lanes, 1), HIGHEST * ratio)
    return np.rint(np.arange(lanes + 1) * each).astype(np.intp)


def draw(rows: Rows, lanes: int, start: float, end: float, ground: Ground) -> Pixels:
    """The picture of [start, end]: the wait is a thin line under what was done after it."""
    width = ground.width
    scale = width / (end - start)
    left, right = (rows["start"] - start) * scale, (rows["end"] - start) * scale
    looks = looks_of(rows)
    bad = looks >= Look.CANCELLED
    left[bad] = np.minimum(left[bad], right[bad] - _SEEN)
    right -= (right - left >= _APART) & ~bad
    since = (rows["waited_from"] - start) * scale
    surface = _channels(ground.surface)
    upper, lower, line = (
        np.broadcast_to(surface, (lanes, width, 3)).astype(np.float32) for _ in range(3)
    )
    known = ~np.isnan(since)
    wait = _cover(rows["lane"][known], since[known], left[known], lanes, width)
    for look in Look:
        chosen = looks == look
        share = wait
        if look is not Look.WAIT:
            share = _cover(rows["lane"][chosen], left[chosen], right[chosen], lanes, width)
        for part in (upper, lower, line)[_PARTS[look]]:
            part += share[:, :, None] * (_channels(ground.colours[look]) - part)
    return _spread(upper, lower, line, surface, ground)


def _cover(
    lane: NDArray[np.int16], left: NDArray[np.float64], right: NDArray[np.float64],
    lanes: int, width: int,
) -> _Shares:  # fmt: skip
    """How much of each pixel lies in [left, right] of some bar: an array (lanes, width), 0 to 1.

    Each end adds the two steps of its pixel; sums along the lane make the covered share of them.
    """
    ends = np.clip(np.concatenate([left, right]), 0.0, width)
    sign = np.repeat((1.0, -1.0), len(left))
    whole = np.floor(ends)
    part = (ends - whole) * sign
    place = np.tile(lane.astype(np.intp), 2) * (width + 2) + whole.astype(np.intp)
    size = lanes * (width + 2)
    steps = np.bincount(place, sign - part, size) + np.bincount(place + 1, part, size)[:size]
    covered = np.cumsum(steps.reshape(lanes, width + 2), axis=1, dtype=np.float64)[:, :width]
    shares: _Shares = np.clip(covered, 0.0, 1.0).astype(np.float32)
    return shares


def _spread(
    upper: _Shares, lower: _Shares, line: _Shares, surface: _Shares, ground: Ground
) -> Pixels:
    """Give each lane its rows: two halves of what was done, below them a line, and a gap."""
    lanes = len(upper)
    nothing = np.broadcast_to(surface, (1, ground.width, 3))
    sources = _packed(np.concatenate([upper, lower, line, nothing]))
    source = np.full(ground.height, 3 * lanes)
    edges = lane_edges(lanes, ground.height, ground.ratio)
    for lane, (top, bottom) in enumerate(pairwise(edges.tolist())):
        height = bottom - top
        gap = round(ground.ratio) if height >= 5 * ground.ratio else int(height >= 3)
        below = bottom - gap
        above = below - (max(round(height / 5), 1) if height >= 4 else 0)
        source[top:above] = lane
        source[(top + above + 1) // 2 : above] = lanes + lane
        source[above:below] = 2 * lanes + lane
    picture: Pixels = sources[source]
    return picture


def _channels(colour: int) -> _Shares:
    return np.array([colour >> 16 & 255, colour >> 8 & 255, colour & 255], np.float32)


def _packed(channels: _Shares) -> Pixels:
    """0xAARRGGBB of red, green and blue in the last axis."""
    whole = channels.round().astype(np.uint32)
    packed = whole[..., 0] << 16 | whole[..., 1] << 8 | whole[..., 2] | np.uint32(0xFF000000)
    return packed.astype(np.uint32, copy=False)
