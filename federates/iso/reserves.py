"""What reserves the market buys: products, nested requirements, and what each resource may give.

Four products, from the fastest: regulation up and down (moved within ``REGULATION_MIN``), spinning reserve
(within ``CONTINGENCY_MIN``, synchronised) and supplemental reserve (the same, from fast units at standstill).
Requirements are nested: a faster product also serves a slower one's requirement, so that its price is the sum
of the duals of every requirement it serves, and prices are ordered. The requirements of RTS-GMLC: regulation
up and down system-wide, spin in each of three regions, and a total of spin and flexible ramping up.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.reserve_offer import DSO_PRODUCTS, OFFER_SLOTS, ReserveOffer

REGULATION_MIN = 5.0
"""Time in which regulation must be delivered; the same day-ahead and in real time. [min]"""
PRODUCTS = ("reg_up", "reg_down", "spin", "supplemental")
REG_UP, REG_DOWN, SPIN, SUPPLEMENTAL = range(4)
OF_DSO: IntArray = np.array([PRODUCTS.index(name) for name in DSO_PRODUCTS])
"""Place of each product of a DSO in ``PRODUCTS``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One requirement: some products, in a part of the system, add up to a quantity."""

    name: str
    """Its name in tables."""
    products: tuple[int, ...]
    """Places in ``PRODUCTS`` of those that count."""
    at_bus: BoolArray
    """Buses whose resources count, shape (buses,)."""
    steps: str
    """Which of the penalties' shortage steps applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveRules:
    """Requirements of a system, from the fastest product to the slowest."""

    requirements: tuple[Requirement, ...]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the requirements."""
        return tuple(r.name for r in self.requirements)

    def serves(self) -> FloatArray:
        """1 where a product at a bus counts for a requirement, shape (requirements, products, buses)."""
        counts = np.zeros((len(self.requirements), len(PRODUCTS), self.requirements[0].at_bus.size))
        for k, requirement in enumerate(self.requirements):
            counts[k, list(requirement.products)] = requirement.at_bus
        return counts


def nested_rules(region: IntArray) -> ReserveRules:
    """Regulation up and down, spin by region, total: the four nested requirements.

    Parameters
    ----------
    region
        Region number of each bus, shape (buses,).
    """
    everywhere = np.ones(region.size, dtype=np.bool_)
    spin = [
        Requirement(name=f"spin_R{k}", products=(REG_UP, SPIN), at_bus=region == k, steps="spin")
        for k in np.unique(region).tolist()
    ]
    return ReserveRules(
        requirements=(
            Requirement(name="reg_up", products=(REG_UP,), at_bus=everywhere, steps="regulation"),
            Requirement(name="reg_down", products=(REG_DOWN,), at_bus=everywhere, steps="regulation_down"),
            *spin,
            Requirement(
                name="total", products=(REG_UP, SPIN, SUPPLEMENTAL), at_bus=everywhere, steps="total"
            ),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class NetReserves:
    """Reserve that net curves offer in an interval: up-reserve is less import.

    Whatever is awarded, the import stays within ``[p_lo_mw, p_hi_mw]`` with all of it called.
    """

    offered_mw: FloatArray
    """Widths of offered blocks, shape (curves, products, slots). [MW]"""
    price_usd_per_mw_h: FloatArray
    """Price of each block per MW and hour, same shape. [$/MW/h]"""
    p_lo_mw: FloatArray
    """Least import with all up-reserve called, shape (curves,). [MW]"""
    p_hi_mw: FloatArray
    """Greatest import with all down-reserve called, shape (curves,). [MW]"""

    @property
    def offers(self) -> BoolArray:
        """Curves that offer any, shape (curves,): only their range counts."""
        offers: BoolArray = self.offered_mw.sum(axis=(1, 2)) > 0.0
        return offers


def net_reserves(offers: Sequence[ReserveOffer]) -> NetReserves:
    """One interval's reserve of all LDAs, in the order of the market's curves."""
    shape = (len(offers), len(PRODUCTS), OFFER_SLOTS)
    width, price = np.zeros(shape), np.zeros(shape)
    for curve, offer in enumerate(offers):
        for place, product in enumerate(OF_DSO):
            mine = offer.product == place
            count = int(mine.sum())
            width[curve, product, :count] = offer.width_mw[mine]
            price[curve, product, :count] = offer.price_usd_per_mw_h[mine]
    return NetReserves(
        offered_mw=width,
        price_usd_per_mw_h=price,
        p_lo_mw=np.array([offer.p_lo_mw for offer in offers]),
        p_hi_mw=np.array([offer.p_hi_mw for offer in offers]),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveRoom:
    """Where a group of resources' reserves meet their energy in a program; arrays of shape (times, k).

    ``head`` rows bound energy plus up-reserve from above, ``foot`` rows energy less down-reserve from below,
    ``joint`` rows what can be moved up within ``CONTINGENCY_MIN``, ``standstill`` rows what can be started.
    """

    bus: IntArray
    """Shape (k,)."""
    ramp_mw_per_min: FloatArray
    """Shape (k,); infinite where only the room limits. [MW/min]"""
    head: IntArray
    foot: IntArray
    joint: IntArray
    standstill: IntArray
    quick: BoolArray
    """Whether it can give supplemental reserve from standstill, shape (k,)."""
    slots: int = 1
    """Offered blocks per product."""
    offers_reserve: bool = True
    """Whether the columns are open from the start; else each interval's offers open them."""
