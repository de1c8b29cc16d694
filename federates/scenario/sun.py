"""A clear-sky day, for photovoltaics that follow no series."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray

SUNRISE_S, SUNSET_S = 6.5 * 3_600, 18.5 * 3_600
"""An equinox day in local standard time, noon at 12:30."""
GREATEST = 0.85
"""Greatest output over rated power."""


def clear_sky(second_of_day: IntArray) -> FloatArray:
    """Output over rated power at seconds from midnight: a half sine between sunrise and sunset."""
    phase = (second_of_day - SUNRISE_S) / (SUNSET_S - SUNRISE_S)
    sun: FloatArray = np.where(
        (phase > 0) & (phase < 1), GREATEST * np.sin(np.pi * np.clip(phase, 0, 1)), 0.0
    )
    return sun
