"""Equal offers made one: blocks of the same bus and price enter the program together, and share its award."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """Offered blocks by bus and price, in that order."""

    group: IntArray
    """Group of each block, shape (blocks,)."""
    bus: IntArray
    """Shape (groups,)."""
    price_usd_per_mwh: FloatArray
    """Shape (groups,). [$/MWh]"""
    width_mw: FloatArray
    """Sum of the blocks' widths, shape (groups,). [MW]"""

    def shared(self, width_mw: FloatArray, taken_mw: FloatArray) -> FloatArray:
        """Award of each block, in proportion to its width.

        Parameters
        ----------
        width_mw
            Of the blocks, shape (blocks,). [MW]
        taken_mw
            Of the groups, shape (groups,). [MW]
        """
        share = np.divide(taken_mw, self.width_mw, out=np.zeros_like(taken_mw), where=self.width_mw > 0.0)
        awarded: FloatArray = width_mw * share[self.group]
        return awarded


def merged(bus: IntArray, price_usd_per_mwh: FloatArray, width_mw: FloatArray) -> Merged:
    """Blocks merged by bus and equal price; every array has shape (blocks,)."""
    order = np.lexsort((price_usd_per_mwh, bus))
    begins = np.ones(order.size, dtype=np.bool_)
    begins[1:] = (np.diff(bus[order]) != 0) | (np.diff(price_usd_per_mwh[order]) != 0.0)
    starts = np.flatnonzero(begins)
    group = np.empty(order.size, dtype=np.int64)
    group[order] = np.cumsum(begins) - 1
    return Merged(
        group=group,
        bus=bus[order][starts],
        price_usd_per_mwh=price_usd_per_mwh[order][starts],
        width_mw=np.bincount(group, weights=width_mw, minlength=starts.size).astype(np.float64),
    )


def separate(bus: IntArray, price_usd_per_mwh: FloatArray, width_mw: FloatArray) -> Merged:
    """Every block a group of its own, where blocks of one bus and price are not alike."""
    return Merged(group=np.arange(bus.size), bus=bus, price_usd_per_mwh=price_usd_per_mwh, width_mw=width_mw)
