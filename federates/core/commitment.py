"""When capacity of total DSOs is committed, and what of it the study's events call."""

from __future__ import annotations

from collections.abc import Sequence

from federates.core.settings import CapacitySettings, EventSettings, ReserveCall
from federates.core.time import Clock, SimTime


def committed_intervals(capacity: CapacitySettings, clock: Clock, day: int) -> range:
    """Beginnings of the market intervals of the study in which a day's capacity can be called."""
    begin = clock.midnight(day) + capacity.begin_s
    first = max(begin, 0)
    return range(first, max(min(begin + capacity.duration_s, clock.duration_s), first), clock.market_s)


def called_share(events: Sequence[EventSettings], product: str, t: SimTime) -> float:
    """Share of the awards of a product that events of the study call at ``t``."""
    active = [
        e.share
        for e in events
        if isinstance(e, ReserveCall) and e.product == product and e.at_s <= t < e.at_s + e.duration_s
    ]
    return max(active, default=0.0)
