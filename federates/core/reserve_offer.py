"""Reserve that a DSO offers with its net curve, and its one conversion to and from a message.

Up-reserve is less import, down-reserve is more. Whatever the ISO awards, the import stays within
``[p_lo, p_hi]`` with all of it called::

    P - reg_up - spin >= p_lo ;  P + reg_down <= p_hi

A DSO sells no supplemental reserve: its resources are synchronised or nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import CodecError
from federates.core.messages import InterfaceBid

DSO_PRODUCTS = ("reg_up", "reg_down", "spin")
"""Reserve products of a DSO, in the order of every array of them."""
UPWARD = (True, False, True)
"""Which of them are less import when called."""
OFFER_SLOTS = 4
"""Most blocks of each product in an interval."""
DURATION_H = 1.0
"""How long a store must be able to sustain what it sells as reserve. [h]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveOffer:
    """Reserve of one LDA in one interval."""

    product: IntArray
    """Place of each block's product in ``DSO_PRODUCTS``, shape (blocks,)."""
    width_mw: FloatArray
    """Width of each block, shape (blocks,). [MW]"""
    price_usd_per_mw_h: FloatArray
    """Price of each block per MW and hour, shape (blocks,). [$/MW/h]"""
    p_lo_mw: float
    """Least import with all up-reserve called. [MW]"""
    p_hi_mw: float
    """Greatest import with all down-reserve called. [MW]"""

    def __post_init__(self) -> None:
        if not (self.product.shape == self.width_mw.shape == self.price_usd_per_mw_h.shape):
            raise CodecError("reserve offer: products, widths and prices must be as many")
        if ((self.product < 0) | (self.product >= len(DSO_PRODUCTS))).any():
            raise CodecError(f"reserve offer: products are the places of {', '.join(DSO_PRODUCTS)}")
        if (self.width_mw < 0.0).any():
            raise CodecError("reserve offer: a width is negative")
        if np.bincount(self.product, minlength=1).max() > OFFER_SLOTS:
            raise CodecError(f"reserve offer: at most {OFFER_SLOTS} blocks of a product may be sent")
        if self.p_lo_mw > self.p_hi_mw:
            raise CodecError(f"reserve offer: its range [{self.p_lo_mw}, {self.p_hi_mw}] MW is empty")

    @property
    def offers(self) -> bool:
        """Whether any reserve is offered; without, the range says nothing."""
        return bool(self.width_mw.sum() > 0.0)

    def scaled(self, factor: float) -> ReserveOffer:
        """Offer of ``factor`` equal LDAs together."""
        return replace(
            self,
            width_mw=self.width_mw * factor,
            p_lo_mw=self.p_lo_mw * factor,
            p_hi_mw=self.p_hi_mw * factor,
        )


NO_RESERVE = ReserveOffer(
    product=np.zeros(0, dtype=np.int64),
    width_mw=np.zeros(0),
    price_usd_per_mw_h=np.zeros(0),
    p_lo_mw=0.0,
    p_hi_mw=0.0,
)
"""Offer of an LDA that sells no reserve."""


def asked_mw(reserve_mw: FloatArray, regulation: float, call: float) -> float:
    """Less import than awarded that a signal asks for; negative: more. [MW]

    Parameters
    ----------
    reserve_mw
        Award by product, shape (products,). [MW]
    regulation, call
        As `messages.ReserveSignal` has them.
    """
    up, down, spin = reserve_mw.tolist()
    return float(max(regulation, 0.0) * up + min(regulation, 0.0) * down + call * spin)


def with_reserve(bid: InterfaceBid, offers: Sequence[ReserveOffer]) -> InterfaceBid:
    """Bid that carries reserve too, one offer per interval."""
    return replace(
        bid,
        reserve_counts=np.array([offer.product.size for offer in offers], dtype=np.int64),
        reserve_product=np.concatenate([offer.product for offer in offers]),
        reserve_mw=np.concatenate([offer.width_mw for offer in offers]),
        reserve_usd_per_mw_h=np.concatenate([offer.price_usd_per_mw_h for offer in offers]),
        p_lo_mw=np.array([offer.p_lo_mw for offer in offers]),
        p_hi_mw=np.array([offer.p_hi_mw for offer in offers]),
    )


def reserve_of(bid: InterfaceBid) -> list[ReserveOffer]:
    """Reserve offers that a bid carries, one per interval, validated against its curves.

    Raises
    ------
    CodecError
        If the arrays do not fit each other, or a range holds nothing of its curve.
    """
    intervals = bid.counts.size
    if bid.reserve_counts.size == 0:
        return [NO_RESERVE] * intervals
    ends = np.cumsum(bid.reserve_counts)
    blocks = {bid.reserve_product.size, bid.reserve_mw.size, bid.reserve_usd_per_mw_h.size}
    ranges = {bid.reserve_counts.size, bid.p_lo_mw.size, bid.p_hi_mw.size}
    if blocks != {int(ends[-1])} or ranges != {intervals} or (bid.reserve_counts < 0).any():
        raise CodecError(f"bid for {bid.interval_s} s: its reserve blocks do not add up")
    last = np.cumsum(bid.counts) - 1
    first = last - bid.counts + 1
    offers = []
    for k, end in enumerate(ends.tolist()):
        mine = slice(end - int(bid.reserve_counts[k]), end)
        offer = ReserveOffer(
            product=bid.reserve_product[mine],
            width_mw=bid.reserve_mw[mine],
            price_usd_per_mw_h=bid.reserve_usd_per_mw_h[mine],
            p_lo_mw=float(bid.p_lo_mw[k]),
            p_hi_mw=float(bid.p_hi_mw[k]),
        )
        low, high = float(bid.import_mw[first[k]]), float(bid.import_mw[last[k]])
        if offer.offers and (offer.p_lo_mw > high or offer.p_hi_mw < low):
            raise CodecError(
                f"bid for {bid.interval_s} s: reserve may be called in [{offer.p_lo_mw}, {offer.p_hi_mw}] "
                f"MW, where the curve of [{low}, {high}] MW has nothing"
            )
        offers.append(offer)
    return offers
