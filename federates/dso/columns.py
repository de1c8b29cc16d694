"""What a feeder's DERs offer in one interval, as arrays: price blocks above a floor.

Injection positive: PV offers from zero up to what the sun allows, a battery from full charge to full
discharge at the worth of its energy, a flexible load from its base consumption (negative) up to zero at the
value of use.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError

KW_PER_MW = 1e3


def blocks_below_kw(floor_kw: FloatArray, der: IntArray, width_kw: FloatArray) -> FloatArray:
    """Injection at which each block of a DER begins, from its floor upward, shape (blocks,). [kW]"""
    total = np.cumsum(width_kw) - width_kw
    first = np.searchsorted(der, der)
    return np.asarray(floor_kw[der] + total - total[first])


@dataclass(frozen=True, slots=True, kw_only=True)
class DerColumns:
    """What a feeder's DERs offer in one interval; B blocks of D DERs.

    DER d injects its floor plus its blocks. A DER's blocks stand one after the other, prices not falling.
    """

    der: IntArray
    """DER of each block, shape (B,)."""
    width_kw: FloatArray
    """Width of each block, >= 0, shape (B,). [kW]"""
    price_usd_per_mwh: FloatArray
    """Price of each block, shape (B,). [$/MWh]"""
    floor_kw: FloatArray
    """Least injection, shape (D,). [kW]"""
    base_kw: FloatArray
    """Injection in the base state, to which limits are relaxed; cut to the offer's range, shape (D,). [kW]"""
    q_kvar: FloatArray
    """Reactive injection, held unless ``q_limit_kvar`` frees it, shape (D,). [kvar]"""
    q_limit_kvar: FloatArray
    """Greatest |Q| that the DSO may ask for; all zero where DERs keep their Q, shape (D,). [kvar]"""

    def __post_init__(self) -> None:
        if not (self.der.shape == self.width_kw.shape == self.price_usd_per_mwh.shape):
            raise ConfigError("DER columns: blocks, widths and prices must be as many")
        if (self.width_kw < 0).any():
            raise ConfigError("DER columns: a block's width must not be negative")
        same = np.diff(self.der) == 0
        if (np.diff(self.der) < 0).any() or (np.diff(self.price_usd_per_mwh)[same] < 0).any():
            raise ConfigError("DER columns: blocks must be sorted by DER, then by price")

    @property
    def ders_count(self) -> int:
        """Number of DERs D."""
        return self.floor_kw.size

    @property
    def top_kw(self) -> FloatArray:
        """Greatest injection, shape (D,). [kW]"""
        return self.floor_kw + np.bincount(self.der, self.width_kw, self.ders_count)

    @property
    def below_kw(self) -> FloatArray:
        """Injection at which each block begins, shape (B,). [kW]"""
        return blocks_below_kw(self.floor_kw, self.der, self.width_kw)

    def injection_kw(self, filled_kw: FloatArray) -> FloatArray:
        """Injection of each DER, shape (..., D), when its blocks are filled so far, shape (..., B). [kW]"""
        cases = math.prod(filled_kw.shape[:-1])
        slot = self.der + self.ders_count * np.arange(cases)[:, None]
        total = np.bincount(slot.ravel(), filled_kw.ravel(), cases * self.ders_count)
        return np.asarray(self.floor_kw + total.reshape(*filled_kw.shape[:-1], self.ders_count))

    def filled_kw(self, p_kw: FloatArray) -> FloatArray:
        """Filling of each block at an injection of each DER, cheapest first, shape (B,). [kW]"""
        return np.clip(p_kw[self.der] - self.below_kw, 0.0, self.width_kw)

    def cost_usd_per_h(self, p_kw: FloatArray) -> float:
        """Cost of an injection against the floors. [$/h]"""
        return float(self.filled_kw(p_kw) @ self.price_usd_per_mwh) / KW_PER_MW

    def ordered(self, order: IntArray) -> DerColumns:
        """The same offers with DERs in another order: place k holds DER ``order[k]``."""
        place = np.empty_like(order)
        place[order] = np.arange(order.size)
        blocks = np.argsort(place[self.der], kind="stable")
        return DerColumns(
            der=place[self.der][blocks],
            width_kw=self.width_kw[blocks],
            price_usd_per_mwh=self.price_usd_per_mwh[blocks],
            floor_kw=self.floor_kw[order],
            base_kw=self.base_kw[order],
            q_kvar=self.q_kvar[order],
            q_limit_kvar=self.q_limit_kvar[order],
        )


def joined(parts: Sequence[DerColumns]) -> DerColumns:
    """Offers of several feeders as one feeder's, one after the other."""
    first = np.cumsum([0, *(part.ders_count for part in parts)])
    return DerColumns(
        der=np.concatenate([part.der + k for part, k in zip(parts, first, strict=False)]),
        width_kw=np.concatenate([part.width_kw for part in parts]),
        price_usd_per_mwh=np.concatenate([part.price_usd_per_mwh for part in parts]),
        floor_kw=np.concatenate([part.floor_kw for part in parts]),
        base_kw=np.concatenate([part.base_kw for part in parts]),
        q_kvar=np.concatenate([part.q_kvar for part in parts]),
        q_limit_kvar=np.concatenate([part.q_limit_kvar for part in parts]),
    )
