"""What an aggregator knows of its DERs, and what it offers of them.

Injection is positive. A DER's offer is a floor and blocks above it: stores from greatest charge to greatest
discharge, at the opportunity cost of their energy; all others as their models price them. A DER that nobody
directs is offered as the one quantity that it is expected to inject by itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.messages import DerOffers
from federates.core.time import SimTime
from federates.der.catalog import Behaviour
from federates.der.fleet import Fleet, taken
from federates.der.model import FleetState, Interval, PricedModel, StoreModel, StoreWorth, Surroundings
from federates.der.offer import Blocks, PricePath
from federates.der.storage_value import SIDE_BLOCKS, StorageFleet, marginal_values, offer_blocks
from federates.der.store import idle_kwh

KW_PER_MW = 1_000.0
S_PER_H = 3_600.0
STORAGE_BLOCKS = 2 * SIDE_BLOCKS


@dataclass(frozen=True, slots=True, kw_only=True)
class Within:
    """An envelope that offers keep to; arrays of shape (ders,)."""

    least_kw: FloatArray
    """Least injection. [kW]"""
    most_kw: FloatArray
    """Greatest injection. [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What an aggregator expects of one interval; arrays in portfolio order."""

    interval: Interval
    """What it brings to the DERs."""
    state: FleetState
    """State of the DERs at its beginning."""
    slopes: FloatArray
    """Marginal value of stored energy at its end, shape (stores, cells). [$/MWh]"""
    ahead: PricePath
    """Prices from its beginning on."""
    directed: BoolArray
    """Which DERs follow set-points in it, shape (ders,)."""
    fixed_kw: FloatArray
    """What is offered of the others, shape (ders,). [kW]"""
    within: Within | None = None
    """What DERs that follow set-points may do; None: whatever they can."""


class Portfolio:
    """An aggregator's DERs, in fleet order."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.behaviour = Behaviour(fleet)
        stores = [p for p in self.behaviour.parts if isinstance(p.model, StoreModel)]
        self.stores: IntArray = np.sort(np.concatenate([p.places for p in stores] or [np.zeros(0, np.int64)]))
        """Places of the DERs that store."""
        self._store_devices = taken(fleet, self.stores)
        self._moves_by_itself = any(p.model.kind != "battery" for p in stores) or bool(
            self._store_devices.leak_per_h.any()
        )

    @cached_property
    def storage(self) -> StorageFleet:
        """The stores, at their ratings."""
        worth = {name: np.zeros(len(self.fleet)) for name in StoreWorth.__slots__}
        for part in self.behaviour.parts:
            if isinstance(part.model, StoreModel):
                own = part.model.worth(part.devices)
                for name, column in worth.items():
                    column[part.places] = getattr(own, name)
        devices = self._store_devices
        return StorageFleet(
            charge_kw=devices.power_kw,
            energy_kwh=devices.energy_kwh,
            charge_efficiency=devices.charge_efficiency,
            discharge_efficiency=devices.discharge_efficiency,
            wear_usd_per_mwh=devices.wear_usd_per_mwh,
            leak_per_h=devices.leak_per_h,
            **{name: column[self.stores] for name, column in worth.items()},
        )

    @cached_property
    def _columns(self) -> tuple[IntArray, IntArray]:
        """DER and rank of every block of one interval, DER-major; all DERs always offer the same blocks."""
        per_der = np.full(len(self.fleet), STORAGE_BLOCKS)
        for part in self.behaviour.parts:
            if isinstance(part.model, PricedModel):
                per_der[part.places] = part.model.blocks_count
        der = np.repeat(np.arange(len(self.fleet)), per_der)
        first = np.repeat(np.cumsum(per_der) - per_der, per_der)
        return der, np.arange(der.size) - first

    def by_themselves(self, begin_s: int, length_h: FloatArray, issue_s: int) -> list[Interval] | None:
        """What consecutive stretches are expected to bring to the stores; None where they stand still.

        Parameters
        ----------
        begin_s, issue_s
            When the first begins and the forecast is made, on the clock of the study's first midnight. [s]
        length_h
            Shape (stretches,). [h]
        """
        if not self._moves_by_itself:
            return None
        edges = begin_s + np.rint(np.concatenate([[0.0], np.cumsum(length_h)]) * S_PER_H).astype(np.int64)
        return [self.in_the_dark(a, b - a, issue_s).of(self.stores) for a, b in pairwise(edges.tolist())]

    def in_the_dark(self, begin_s: int, length_s: int, issue_s: int) -> Interval:
        """What a stretch is expected to bring, without sun and area load, which no store hangs on, nor
        profiles: the worth of a process' work is that of one that may run at full power in its window.
        """
        dark = np.zeros(len(self.fleet))
        around = Surroundings(
            t_s=begin_s, length_s=length_s, sun=dark, profile=np.full_like(dark, np.nan), level=0.0
        )
        return self.behaviour.expected(around, issue_s)

    def marginal_values(self, path: PricePath, intervals: Sequence[Interval] | None = None) -> FloatArray:
        """Marginal value of stored energy at every boundary of a price path.

        Returns
        -------
        FloatArray
            Shape (stretches + 1, stores, cells). [$/MWh]
        """
        return marginal_values(
            self.storage,
            path.price_usd_per_mwh,
            path.length_h,
            path.terminal_usd_per_mwh,
            path=intervals,
        )

    def interval_blocks(self, outlook: Outlook) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Floor, widths and prices of one interval.

        Returns
        -------
        tuple
            Floor, shape (ders,) [kW]; width [kW] and price [$/MWh] of every block, shape (blocks,).
        """
        der, rank = self._columns
        floor = np.zeros(len(self.fleet))
        width, price = np.zeros(der.size), np.zeros(der.size)
        for part in self.behaviour.parts:
            if isinstance(part.model, PricedModel):
                here, now = outlook.state.of(part.places), outlook.interval.of(part.places)
                _put(part.model.offer(part.devices, here, now, outlook.ahead), part.places,
                     (der, rank), (floor, width, price))  # fmt: skip
        if self.stores.size:
            _put(self._store_blocks(outlook), self.stores, (der, rank), (floor, width, price))
        led = outlook.directed
        if outlook.within is not None:
            floor, width = _cut(floor, width, der, outlook.within)
        return np.where(led, floor, outlook.fixed_kw), np.where(led[der], width, 0.0), price

    def _store_blocks(self, outlook: Outlook) -> Blocks:
        """Offers of the stores: exactly the powers that are feasible."""
        devices = self._store_devices
        here, now = outlook.state.of(self.stores), outlook.interval.of(self.stores)
        possible = self.behaviour.feasible(outlook.state, outlook.interval)
        least, most = possible.p_min_kw[self.stores], possible.p_max_kw[self.stores]
        within = self.storage.limited(-least, np.maximum(most, 0.0))
        must = np.maximum(-most, 0.0)
        blocks = offer_blocks(within, outlook.slopes, idle_kwh(devices, here, now), now.hours, must)
        return Blocks(
            floor_kw=blocks.floor_kw, width_kw=blocks.width_kw, price_usd_per_mwh=blocks.price_usd_per_mwh
        )

    def at_price_kw(self, outlook: Outlook, price_usd_per_mwh: float) -> FloatArray:
        """Injections at a price that meets what is offered below it, shape (ders,). [kW]"""
        der, _ = self._columns
        floor, width, price = self.interval_blocks(outlook)
        taken_kw = np.where(price < price_usd_per_mwh, width, 0.0)
        injection: FloatArray = floor + np.bincount(der, weights=taken_kw, minlength=floor.size)
        return injection

    def follow(self, outlook: Outlook, price_usd_per_mwh: float) -> FleetState:
        """State after an interval at a price that meets what is offered below it."""
        return self.after(outlook.state, self.at_price_kw(outlook, price_usd_per_mwh), outlook.interval)

    def after(self, state: FleetState, p_kw: FloatArray, interval: Interval) -> FleetState:
        """State after an interval at the feasible powers nearest to ``p_kw``."""
        held = self.behaviour.feasible(state, interval).clip(p_kw)
        return self.behaviour.advance(state, held, interval)[0]

    def offers(
        self, outlooks: Sequence[Outlook], *, interval_s: SimTime, length_s: int, factor: float
    ) -> DerOffers:
        """Offers for consecutive intervals.

        Parameters
        ----------
        outlooks
            What is expected of each.
        interval_s, length_s
            Beginning of the first, and length of each. [s]
        factor
            How many equal sets the offers stand for.
        """
        der, _ = self._columns
        n = len(outlooks)
        parts = [self.interval_blocks(outlook) for outlook in outlooks]
        return DerOffers(
            interval_s=interval_s,
            length_s=length_s,
            intervals=n,
            floor_mw=np.concatenate([p[0] for p in parts]) * factor / KW_PER_MW,
            interval=np.repeat(np.arange(n), der.size),
            der=np.tile(der, n),
            width_mw=np.concatenate([p[1] for p in parts]) * factor / KW_PER_MW,
            price_usd_per_mwh=np.concatenate([p[2] for p in parts]),
        )


def _cut(
    floor: FloatArray, width: FloatArray, der: IntArray, within: Within
) -> tuple[FloatArray, FloatArray]:
    """Floors and widths of what is offered inside an envelope; where they do not meet, its nearest end."""
    top = floor + np.bincount(der, weights=width, minlength=floor.size)
    low = np.clip(within.least_kw, floor, top)
    high = np.clip(within.most_kw, low, top)
    before = np.cumsum(width) - width
    begin = floor[der] + before - before[np.searchsorted(der, der)]
    inside = np.clip(begin + width, low[der], high[der]) - np.clip(begin, low[der], high[der])
    return low, inside


def _put(
    blocks: Blocks,
    places: IntArray,
    columns: tuple[IntArray, IntArray],
    into: tuple[FloatArray, FloatArray, FloatArray],
) -> None:
    """Put the offers of some DERs at their places among all."""
    der, rank = columns
    floor, width, price = into
    row = np.full(floor.size, -1)
    row[places] = np.arange(places.size)
    mine = row[der] >= 0
    floor[places] = blocks.floor_kw
    width[mine] = blocks.width_kw[row[der[mine]], rank[mine]]
    price[mine] = blocks.price_usd_per_mwh[row[der[mine]], rank[mine]]
