"""Random streams of one simulated feeder, seeded on integers alone."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

_DAY_ORIGIN = 1 << 20  # days before the study's first keep a positive number


class Stream(IntEnum):
    """What is drawn; the numbers are part of the results and never change."""

    PLACEMENT = 1
    YIELD = 2
    FLEXIBLE = 3
    PARTICIPATION = 4
    JITTER = 5
    EV_PLACEMENT = 6
    EV_SESSIONS = 7
    DEMAND_NOISE = 8


def generator(seed_id: int, stream: Stream, day: int = 0) -> np.random.Generator:
    """Generator of one stream of one feeder and day (counted from the study's first day)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed_id, stream, day + _DAY_ORIGIN])))
