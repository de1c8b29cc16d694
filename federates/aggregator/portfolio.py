"""What an aggregator knows of its DERs, and what it offers of them.

Injection is positive. A DER's offer is a floor and blocks above it: photovoltaics from 0 up to what the sun
gives, at minus its curtailment cost; a battery from full charge to full discharge, at the opportunity cost
of its energy; a flexible load from its whole demand up to none, at its value of use.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.messages import DerOffers
from federates.core.time import SimTime
from federates.der.fleet import Fleet
from federates.der.storage_value import StorageFleet, marginal_values, offer_blocks

KW_PER_MW = 1_000.0
S_PER_H = 3_600.0
STORAGE_BLOCKS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class PricePath:
    """Expected price of energy over coming stretches of time."""

    price_usd_per_mwh: FloatArray
    """Shape (stretches,). [$/MWh]"""
    length_h: FloatArray
    """Shape (stretches,). [h]"""
    terminal_usd_per_mwh: float
    """Worth of a MWh still stored at the end. [$/MWh]"""


class Portfolio:
    """An aggregator's DERs, in fleet order."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.battery: BoolArray = fleet.of_kind("battery")
        self.pv: BoolArray = fleet.of_kind("pv")
        self.flexible: BoolArray = fleet.of_kind("flexible")

    @cached_property
    def storage(self) -> StorageFleet:
        """The batteries."""
        b, fleet = self.battery, self.fleet
        return StorageFleet(
            power_kw=fleet.power_kw[b],
            energy_kwh=fleet.energy_kwh[b],
            charge_efficiency=fleet.charge_efficiency[b],
            discharge_efficiency=fleet.discharge_efficiency[b],
            wear_usd_per_mwh=fleet.wear_usd_per_mwh[b],
        )

    @cached_property
    def _columns(self) -> tuple[IntArray, IntArray]:
        """DER and rank of every block of one interval, DER-major; all DERs always offer the same blocks."""
        steps = self.fleet.value_usd_per_mwh.shape[1]
        per_der = np.where(self.battery, STORAGE_BLOCKS, np.where(self.flexible, steps, 1))
        der = np.repeat(np.arange(len(self.fleet)), per_der)
        first = np.repeat(np.cumsum(per_der) - per_der, per_der)
        return der, np.arange(der.size) - first

    def marginal_values(self, path: PricePath) -> FloatArray:
        """Marginal value of stored energy at every boundary of a price path.

        Returns
        -------
        FloatArray
            Shape (stretches + 1, batteries, cells). [$/MWh]
        """
        return marginal_values(self.storage, path.price_usd_per_mwh, path.length_h, path.terminal_usd_per_mwh)

    def interval_blocks(
        self, slopes: FloatArray, soc_kwh: FloatArray, limit_kw: FloatArray, length_s: int
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Floor, widths and prices of one interval.

        Parameters
        ----------
        slopes
            Marginal values at the interval's end, shape (batteries, cells). [$/MWh]
        soc_kwh
            Energy stored at its beginning, shape (batteries,). [kWh]
        limit_kw
            What the sun gives (photovoltaics) or the whole demand (flexible), shape (ders,). [kW]
        length_s
            Length of the interval. [s]

        Returns
        -------
        tuple
            Floor, shape (ders,) [kW]; width [kW] and price [$/MWh] of every block, shape (blocks,).
        """
        der, rank = self._columns
        fleet = self.fleet
        floor = np.where(self.flexible, -limit_kw, 0.0)
        width = np.zeros(der.size)
        price = np.zeros(der.size)
        sun = self.pv[der]
        width[sun], price[sun] = limit_kw[der[sun]], -fleet.curtailment_usd_per_mwh[der[sun]]
        flex = self.flexible[der]
        steps = fleet.value_usd_per_mwh.shape[1]
        width[flex] = limit_kw[der[flex]] / steps
        price[flex] = fleet.value_usd_per_mwh[der[flex], rank[flex]]
        if self.battery.any():
            blocks = offer_blocks(self.storage, slopes, soc_kwh, length_s / S_PER_H)
            floor[self.battery] = blocks.floor_kw
            stored = self.battery[der]
            width[stored] = blocks.width_kw.ravel()
            price[stored] = blocks.price_usd_per_mwh.ravel()
        return floor, width, price

    def expected_path_kwh(self, slopes: FloatArray, path: PricePath, soc_kwh: FloatArray) -> FloatArray:
        """Energy stored at the beginning of every stretch if batteries follow the price path.

        Parameters
        ----------
        slopes
            As `marginal_values` gives them.
        path
            The price path.
        soc_kwh
            Energy stored at its beginning, shape (batteries,). [kWh]

        Returns
        -------
        FloatArray
            Shape (stretches + 1, batteries). [kWh]
        """
        storage = self.storage
        soc = np.empty((path.price_usd_per_mwh.size + 1, storage.count))
        soc[0] = soc_kwh
        for k, (price, hours) in enumerate(zip(path.price_usd_per_mwh, path.length_h, strict=True)):
            blocks = offer_blocks(storage, slopes[k + 1], soc[k], float(hours))
            taken = np.where(blocks.price_usd_per_mwh < price, blocks.width_kw, 0.0).sum(axis=1)
            soc[k + 1] = self.stored_after_kwh(soc[k], blocks.floor_kw + taken, float(hours) * S_PER_H)
        return soc

    def stored_after_kwh(self, soc_kwh: FloatArray, p_kw: FloatArray, length_s: float) -> FloatArray:
        """Energy stored after injecting ``p_kw`` for ``length_s``, shape (batteries,). [kWh]"""
        storage = self.storage
        flow_kw = np.where(p_kw > 0, p_kw / storage.discharge_efficiency, p_kw * storage.charge_efficiency)
        after: FloatArray = np.clip(soc_kwh - flow_kw * length_s / S_PER_H, 0.0, storage.energy_kwh)
        return after

    def offers(
        self,
        *,
        interval_s: SimTime,
        length_s: int,
        slopes: FloatArray,
        soc_kwh: FloatArray,
        limit_kw: FloatArray,
        factor: float,
    ) -> DerOffers:
        """Offers for consecutive intervals.

        Parameters
        ----------
        slopes
            Marginal values at the end of each interval, shape (intervals, batteries, cells). [$/MWh]
        soc_kwh
            Energy stored at the beginning of each, shape (intervals, batteries). [kWh]
        limit_kw
            Shape (intervals, ders). [kW]
        factor
            How many equal sets the offers stand for.
        """
        der, _ = self._columns
        n = limit_kw.shape[0]
        parts = [self.interval_blocks(slopes[k], soc_kwh[k], limit_kw[k], length_s) for k in range(n)]
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
