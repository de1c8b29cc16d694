"""What it costs the market to break a rule: stepped prices, so that no clearing is ever infeasible.

The steps are this product's own, in the order in which an operator gives things up: the first of spin and of
the total, small overloads, the rest of reserves and ratings, load. They are no system operator's figures.
Prices of nested reserves add up: all of them short at once cost less than the first MWh of load, and a lack
of regulation down less than energy without a taker.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np

Step = tuple[float, float]
_RESERVE: Mapping[str, tuple[Step, ...]] = MappingProxyType(
    {
        "regulation": ((0.2, 700.0), (np.inf, 1_000.0)),
        "regulation_down": ((0.2, 250.0), (np.inf, 450.0)),
        "spin": ((0.2, 250.0), (np.inf, 850.0)),
        "total": ((0.2, 150.0), (np.inf, 850.0)),
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Penalties:
    """Stepped penalties; a step is (width as a share of the load, rating or requirement, price in $/MWh)."""

    short: tuple[Step, ...] = ((0.02, 3_000.0), (np.inf, 3_500.0))
    """Load not served, as shares of the bus's fixed load."""
    surplus_usd_per_mwh: float = 500.0
    """Energy without a taker. [$/MWh]"""
    line: tuple[Step, ...] = ((0.05, 500.0), (0.10, 1_000.0), (np.inf, 2_000.0))
    """Flow beyond the rating, as shares of the rating."""
    feeder_usd_per_mwh: float = 100_000.0
    """Excess over a feeder's limit, in MW of the DER that moves it most: given up last, since the limits that
    a DSO states can be kept."""
    reserve: Mapping[str, tuple[Step, ...]] = field(default_factory=lambda: _RESERVE)
    """Reserve not held, by kind of requirement; each kind with as many steps."""
    cap_usd_per_mwh: float = 3_500.0
    """Greatest price published. [$/MWh]"""
    floor_usd_per_mwh: float = -150.0
    """Least price published. [$/MWh]"""
