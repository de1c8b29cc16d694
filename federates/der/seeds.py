"""Random streams of one simulated feeder, seeded on integers alone."""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from federates.core.arrays import FloatArray, IntArray

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
    OPT_OUT = 9
    HVAC_PLACEMENT = 10
    HVAC_ROOMS = 11
    WEATHER = 12
    WATER_PLACEMENT = 13
    WATER_DRAWS = 14
    PROCESS_PLACEMENT = 15
    PROCESS_ENERGY = 16
    GENERATOR_PLACEMENT = 17
    METER_PLACEMENT = 18
    METER_NOISE = 19
    HEAD_NOISE = 20


def generator(seed_id: int, stream: Stream, day: int = 0) -> np.random.Generator:
    """Generator of one stream of one feeder and day (counted from the study's first day)."""
    return np.random.Generator(np.random.Philox(np.random.SeedSequence([seed_id, stream, day + _DAY_ORIGIN])))


def device_draws(seed_id: IntArray, rank: IntArray, stream: Stream, day: int, columns: int) -> FloatArray:
    """Uniform draws of each device for one day; a device's do not hang on which others are asked for.

    Parameters
    ----------
    seed_id, rank
        Feeder of each device, and its place among that feeder's devices, shape (ders,).

    Returns
    -------
    numpy.ndarray
        In [0, 1), shape (ders, columns).
    """
    drawn = np.empty((seed_id.size, columns))
    for seed in np.unique(seed_id).tolist():
        mine = seed_id == seed
        rows = int(rank[mine].max()) + 1
        drawn[mine] = generator(seed, stream, day).random((rows, columns))[rank[mine]]
    return drawn
