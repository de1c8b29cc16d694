"""How much of its curve a total DSO tells the ISO: one strategy per method, chosen by key."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from federates.core.curve import NetCurve, fixed_quantity
from federates.core.settings import (
    BidSettings,
    ExactCutsBid,
    FixedQuantityBid,
    IntervalCurveBid,
    VirtualStorageBid,
)
from federates.dso.bid import BLOCKS_LIMIT, LdaCurve


class BidMethod(Protocol):
    """What is sent of an interval's curve."""

    @property
    def blocks_limit(self) -> int:
        """Most blocks of the curve that is made."""

    @property
    def stores_apart(self) -> bool:
        """Whether batteries are offered day-ahead as a store beside the curves."""

    def sent(self, curve: LdaCurve, price_usd_per_mwh: float) -> NetCurve:
        """Bid for an interval whose price is expected to be ``price_usd_per_mwh``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntervalCurve:
    """The whole curve of each interval, in at most so many blocks."""

    blocks_limit: int
    stores_apart: bool = False

    def sent(self, curve: LdaCurve, price_usd_per_mwh: float) -> NetCurve:
        """All of it, whatever the price."""
        del price_usd_per_mwh
        return curve.net_curve


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedQuantity:
    """One quantity: the DSO's own optimum at the price that it expects, which the market cannot move."""

    blocks_limit: int = BLOCKS_LIMIT
    stores_apart: bool = False

    def sent(self, curve: LdaCurve, price_usd_per_mwh: float) -> NetCurve:
        """The import whose last block is worth at least the price."""
        return fixed_quantity(import_at(curve.net_curve, price_usd_per_mwh))


def import_at(curve: NetCurve, price_usd_per_mwh: float) -> float:
    """Net import that a curve takes at a price; a block at that very price is taken. [MW]"""
    wanted = curve.value_usd_per_mwh >= price_usd_per_mwh
    return curve.p_min_mw + float(curve.width_mw[wanted].sum())


def price_at(curve: NetCurve, import_mw: float) -> float:
    """Value of the block of a curve that holds a net import. [$/MWh]"""
    place = int(np.searchsorted(curve.import_mw, import_mw))
    return float(curve.price_usd_per_mwh[min(place, curve.import_mw.size - 1)])


def bid_method(settings: BidSettings) -> BidMethod:
    """Method of a study's curves; day-ahead, exact cuts state the cost of whole days in their place."""
    match settings:
        case IntervalCurveBid():
            return IntervalCurve(blocks_limit=settings.blocks)
        case ExactCutsBid():
            return IntervalCurve(blocks_limit=settings.blocks)
        case VirtualStorageBid():
            return IntervalCurve(blocks_limit=settings.blocks, stores_apart=True)
        case FixedQuantityBid():
            return FixedQuantity()
