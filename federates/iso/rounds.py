"""Rounds of a day-ahead market: what prices to expect next, and which round stands.

Whoever holds stored energy values it against prices that it expects, and hourly bids are right for those
alone. So a round's prices are passed down, bids are made anew, and the market is cleared again. Two rules
keep that from swinging: what is expected is the mean of all rounds so far, and the award is that of the round
whose prices came nearest to those expected of it. Where they meet, every hourly bid was made at the very
prices that it met.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.messages import DerOffers
from federates.iso.day_ahead import DayAhead
from federates.iso.market import DerBook


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One clearing, and the offers that it answers."""

    cleared: DayAhead
    book: list[DerOffers]
    """Offers of the DERs, in wiring order."""
    books: list[DerBook] | None
    """The same hour by hour; None: none."""
    price_usd_per_mwh: FloatArray
    """Prices at the buses of those who bid, shape (24, ldas). [$/MWh]"""


class Rounds:
    """The rounds of one market day.

    Parameters
    ----------
    rounds_count
        How many there are.
    forecast_usd_per_mwh
        First forecast at the buses of those who bid, shape (24, ldas). [$/MWh]
    """

    def __init__(self, rounds_count: int, forecast_usd_per_mwh: FloatArray) -> None:
        self._rounds_count = rounds_count
        self._forecast = forecast_usd_per_mwh
        self._prices: list[FloatArray] = []
        self._miss: list[float] = []
        self._best: Round | None = None

    @property
    def expected_usd_per_mwh(self) -> FloatArray:
        """Mean of the rounds so far, of the first one the forecast, shape (24, ldas). [$/MWh]"""
        return np.asarray(np.mean(self._prices, axis=0)) if self._prices else self._forecast

    @property
    def miss_usd_per_mwh(self) -> tuple[float, ...]:
        """How far each round's prices were from those expected of it, on average. [$/MWh]"""
        return tuple(self._miss)

    @property
    def are_over(self) -> bool:
        """Whether all rounds are cleared."""
        return len(self._miss) == self._rounds_count

    def add(self, one: Round) -> None:
        """Take up a round."""
        miss = float(np.abs(one.price_usd_per_mwh - self.expected_usd_per_mwh).mean())
        if self._best is None or miss < min(self._miss):
            self._best = one
        self._miss.append(miss)
        self._prices.append(one.price_usd_per_mwh)

    @property
    def best(self) -> Round:
        """The round whose prices came nearest to those expected of it, the first of equals."""
        assert self._best is not None, "no round is cleared yet"
        return self._best
