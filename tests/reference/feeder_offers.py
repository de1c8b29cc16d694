"""What total DSOs make of the day of `tests.reference.feeder_day`: blocks of stores, curves, one store each.

Bids whose awards are judged (`tests.reference.feeder_bids`) and those that are done hour by hour
(`tests.reference.feeder_methods`) are made of these.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.der.storage_value import StorageBlocks, StorageFleet, offer_blocks
from federates.der.store_day import StoreDay
from federates.dso.bid import LdaCurve, lda_curve, price_ladder
from federates.dso.bid_method import FixedQuantity, IntervalCurve
from federates.dso.columns import DerColumns
from federates.iso.lda_stores import LdaStores
from tests.reference.feeder_day import HOURS, KW_PER_MW, AreaOfDay, FeederOfDay
from tests.reference.layers import CONSTANT_MW

Method = IntervalCurve | FixedQuantity


def fleet_of(day: StoreDay) -> StorageFleet:
    """Batteries of a day as a fleet behind one price."""
    none = np.zeros(day.count)
    return StorageFleet(
        charge_kw=KW_PER_MW * day.charge_mw[0], discharge_kw=KW_PER_MW * day.discharge_mw[0],
        energy_kwh=KW_PER_MW * day.most_mwh, charge_efficiency=day.charge_efficiency,
        discharge_efficiency=day.discharge_efficiency, wear_usd_per_mwh=day.wear_usd_per_mwh,
        leak_per_h=none, due_usd_per_mwh=none, terminal_share=none + 1.0,
        terminal_below_kwh=KW_PER_MW * day.end_below_mwh,
    )  # fmt: skip


def moved_kwh(fleet: StorageFleet, level_kwh: FloatArray, p_kw: FloatArray) -> FloatArray:
    """Level after an hour at injections of shape (stores,)."""
    after = level_kwh + np.maximum(-p_kw, 0.0) * fleet.charge_efficiency
    after = after - np.maximum(p_kw, 0.0) / fleet.discharge_efficiency
    return np.clip(after, 0.0, fleet.energy_kwh)


def followed(
    fleet: StorageFleet, slopes: FloatArray, begin_kwh: FloatArray, price_usd_per_mwh: FloatArray
) -> list[StorageBlocks]:
    """Blocks at opportunity cost, each hour from the level that following prices of shape (24,) leaves."""
    level, hours = begin_kwh, []
    for t, price in enumerate(price_usd_per_mwh.tolist()):
        blocks = offer_blocks(fleet, slopes[t + 1], level, 1.0)
        taken = np.where(blocks.price_usd_per_mwh < price, blocks.width_kw, 0.0)
        level = moved_kwh(fleet, level, blocks.floor_kw + taken.sum(axis=1))
        hours.append(blocks)
    return hours


def offered(feeder: FeederOfDay, hour: int, blocks: StorageBlocks | None) -> DerColumns:
    """A feeder's offers with blocks of its stores; None: stores idle."""
    columns, own = feeder.columns[hour], feeder.stores
    keep = ~np.isin(columns.der, own.der)
    floor = columns.floor_kw.copy()
    floor[own.der] = 0.0 if blocks is None else blocks.floor_kw[own.store]
    der, width, price = columns.der[keep], columns.width_kw[keep], columns.price_usd_per_mwh[keep]
    if blocks is not None:
        der = np.concatenate([der, np.repeat(own.der, blocks.width_kw.shape[1])])
        width = np.concatenate([width, blocks.width_kw[own.store].ravel()])
        price = np.concatenate([price, blocks.price_usd_per_mwh[own.store].ravel()])
    order = np.argsort(der, kind="stable")
    return replace(
        columns, der=der[order], width_kw=width[order], price_usd_per_mwh=price[order], floor_kw=floor
    )


def area_curve(
    one: AreaOfDay, hour: int, blocks: StorageBlocks | None, price_usd_per_mwh: float, blocks_limit: int
) -> LdaCurve:
    """One set's curve around a price, as a total DSO makes it."""
    ladder, swept = price_ladder(price_usd_per_mwh), []
    for feeder in one.feeders:
        bidder = feeder.bidders[hour]
        bidder.refresh(feeder.points[hour], offered(feeder, hour, blocks), one.limits)
        swept.append(bidder.sweep(ladder.price_usd_per_mwh))
    return lda_curve(
        swept, constant_mw=CONSTANT_MW, window_usd_per_mwh=ladder.window_usd_per_mwh,
        blocks_limit=blocks_limit,
    )  # fmt: skip


def one_store_each(
    areas: Sequence[AreaOfDay], import_least_mw: FloatArray, import_greatest_mw: FloatArray
) -> LdaStores:
    """One store per area, within imports of shape (24, areas): sums of powers and energies, efficiencies by
    power, mean wear."""
    sets = np.array([one.multiplicity for one in areas])
    days = [one.stores for one in areas]

    def summed(name: str) -> FloatArray:
        return np.asarray(sets * np.stack([getattr(day, name).sum(axis=-1) for day in days], axis=-1))

    def mean(name: str) -> FloatArray:
        return np.array([np.average(getattr(d, name), weights=d.charge_mw[0]) for d in days])

    return LdaStores(
        curve=np.arange(len(days)), charge_mw=summed("charge_mw"), discharge_mw=summed("discharge_mw"),
        least_mwh=np.zeros((HOURS, len(days))), most_mwh=np.ones((HOURS, 1)) * summed("most_mwh"),
        begin_mwh=summed("begin_mwh"), kept_share=np.ones(len(days)),
        charge_efficiency=mean("charge_efficiency"), discharge_efficiency=mean("discharge_efficiency"),
        wear_usd_per_mwh=mean("wear_usd_per_mwh"), end_usd_per_mwh=mean("end_usd_per_mwh"),
        import_least_mw=import_least_mw, import_greatest_mw=import_greatest_mw,
    )  # fmt: skip
