"""What it costs the market to break a rule: stepped prices, so that no clearing is ever infeasible.

The steps are this product's own, in the order in which an operator gives things up: line ratings before
load. They are no system operator's figures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

Step = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalties:
    """Stepped penalties; a step is (width as a share of the load or rating, price in $/MWh)."""

    short: tuple[Step, ...] = ((0.02, 1_000.0), (np.inf, 3_500.0))
    """Load not served, as shares of the bus's fixed load."""
    surplus_usd_per_mwh: float = 500.0
    """Energy without a taker. [$/MWh]"""
    line: tuple[Step, ...] = ((0.05, 500.0), (0.10, 1_000.0), (np.inf, 2_000.0))
    """Flow beyond the rating, as shares of the rating."""
    headroom_usd_per_mwh: float = 300.0
    """Headroom that a commitment does not keep. [$/MWh]"""
    cap_usd_per_mwh: float = 3_500.0
    """Greatest price published. [$/MWh]"""
    floor_usd_per_mwh: float = -150.0
    """Least price published. [$/MWh]"""
