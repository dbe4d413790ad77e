"""How far a fleet's figures can be trusted: each is exact, or approximate for a reason."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, fields

from dropline.meter import Figures

EXACT = "exact"
APPROXIMATE = "approximate"

KEYS = tuple(f.name for f in fields(Figures) if f.name not in ("start", "end"))

ARRIVALS = ("arrivals", "arrival_rate")
ENDS = ("finished", "failed", "retried", "throughput")
LEVELS = ("mean_in_system", "mean_waiting")
SERVICE = ("service_rate", "mean_busy")
CAPACITY = ("mean_workers", "utilisation")
TIMES = ("mean_response", "mean_wait")


@dataclass(frozen=True, slots=True)
class Doubt:
    """Why some figures are approximate, and what can be done about it."""

    keys: tuple[str, ...]
    why: str
    """A sentence; with the remedy, where there is one."""


def qualities(doubts: Iterable[Doubt]) -> dict[str, str]:
    """`exact` or `approximate` for each figure."""
    doubted = {key for doubt in doubts for key in doubt.keys}
    return {key: APPROXIMATE if key in doubted else EXACT for key in KEYS}
