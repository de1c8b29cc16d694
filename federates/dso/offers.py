"""What all DERs of an area offer in one interval, and what a DSO makes of it before its programs see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.dso.columns import DerColumns, blocks_below_kw
from federates.dso.reserve import Held, held_columns

ROUNDING_KW = 1e-6
"""A DER that stands so near the end of a block stands at it. [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Offers:
    """All DERs' offers of one interval, in fleet order of the area."""

    floor_kw: FloatArray
    """Shape (ders,). [kW]"""
    der: IntArray
    """Shape (blocks,), ascending."""
    width_kw: FloatArray
    """Shape (blocks,). [kW]"""
    price_usd_per_mwh: FloatArray
    """Not falling along a DER, shape (blocks,). [$/MWh]"""

    def ranging(self, who: BoolArray, least_kw: FloatArray, most_kw: FloatArray) -> Offers:
        """The same with each DER of a mask, shape (ders,), at one price within its range, shape (ders,)."""
        blocks, own = ~who[self.der], np.flatnonzero(who)
        der = np.concatenate([self.der[blocks], own])
        width = np.concatenate([self.width_kw[blocks], (most_kw - least_kw)[own]])
        price = np.concatenate([self.price_usd_per_mwh[blocks], np.zeros(own.size)])
        order = np.argsort(der, kind="stable")
        return Offers(
            floor_kw=np.where(who, least_kw, self.floor_kw),
            der=der[order],
            width_kw=width[order],
            price_usd_per_mwh=price[order],
        )

    def within(self, most_kw: FloatArray) -> Offers:
        """The same with each DER at or below some injection, or as near to it as it offers, (ders,). [kW]"""
        none = np.zeros(most_kw.size)
        cut = held_columns(
            self.columns(none, none, none), Held(least_kw=np.full(most_kw.size, -np.inf), most_kw=most_kw)
        )
        return Offers(
            floor_kw=cut.floor_kw, der=cut.der, width_kw=cut.width_kw, price_usd_per_mwh=cut.price_usd_per_mwh
        )

    def staying(self, now_kw: FloatArray, move_usd_per_mwh: float) -> Offers:
        """The same with a cost of moving away from injections of shape (ders,), upward or downward alike.

        Each DER with blocks gets one more: the block that it stands in is cut there.
        """
        owners, first = np.unique(self.der, return_index=True)
        count = np.diff(np.append(first, self.der.size))
        into_kw = now_kw[self.der] - blocks_below_kw(self.floor_kw, self.der, self.width_kw)
        passed = into_kw > self.width_kw - ROUNDING_KW
        cut = first + np.minimum(np.add.reduceat(passed.astype(np.int64), first), count - 1)
        under = np.clip(into_kw[cut], 0.0, self.width_kw[cut])
        width = self.width_kw.copy()
        width[cut] = under
        is_below = np.arange(self.der.size) <= np.repeat(cut, count)
        price = self.price_usd_per_mwh + np.where(is_below, -move_usd_per_mwh, move_usd_per_mwh)
        return Offers(
            floor_kw=self.floor_kw,
            der=np.insert(self.der, cut + 1, owners),
            width_kw=np.insert(width, cut + 1, self.width_kw[cut] - under),
            price_usd_per_mwh=np.insert(price, cut + 1, self.price_usd_per_mwh[cut] + move_usd_per_mwh),
        )

    def columns(self, base_kw: FloatArray, q_kvar: FloatArray, q_limit_kvar: FloatArray) -> DerColumns:
        """Offers as the program takes them; limits are relaxed to the state at ``base_kw``.

        Reactive power is held at what is believed of it, or free around zero where its limit is not zero.
        """
        return DerColumns(
            der=self.der,
            width_kw=self.width_kw,
            price_usd_per_mwh=self.price_usd_per_mwh,
            floor_kw=self.floor_kw,
            base_kw=base_kw,
            q_kvar=np.where(q_limit_kvar > 0.0, 0.0, q_kvar),
            q_limit_kvar=q_limit_kvar,
        )
