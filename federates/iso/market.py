"""The ISO's market day: the day-ahead clearing at a given commitment, and the five-minute dispatch.

Pure: offers, forecasts and the grid's state in; awards and prices out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.cases.case import Series, TransmissionCase
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.curve import NetCurve
from federates.core.messages import DerOffers
from federates.iso.network import market_network
from federates.iso.offers import FUELLED, NO_BLOCKS, OfferedBlocks, ramp_window
from federates.iso.sced import Clearing, Sced

CURVE_SLOTS = 40
"""Blocks that a DSO's curve may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DerBook:
    """All aggregators' offers of one interval: floors and blocks at their LDAs' buses."""

    bus: IntArray
    """Bus of each block, shape (blocks,)."""
    width_mw: FloatArray
    """Shape (blocks,). [MW]"""
    price_usd_per_mwh: FloatArray
    """Shape (blocks,). [$/MWh]"""
    floor_bus: IntArray
    """Bus of each aggregator, shape (aggregators,)."""
    floor_mw: FloatArray
    """Least injection of each aggregator's DERs together, shape (aggregators,). [MW]"""

    @property
    def blocks(self) -> OfferedBlocks:
        """Blocks as the dispatch takes them."""
        return OfferedBlocks(width_mw=self.width_mw, price_usd_per_mwh=self.price_usd_per_mwh)


def der_book(offers: Sequence[DerOffers], bus: Sequence[int], interval: int) -> DerBook:
    """One interval's offers of all aggregators, in wiring order."""
    picked = [o.interval == interval for o in offers]
    floors = [o.floor_mw.reshape(o.intervals, -1)[interval].sum() for o in offers]
    none = np.zeros(0)
    return DerBook(
        bus=np.concatenate(
            [np.full(int(k.sum()), b, dtype=np.int64) for k, b in zip(picked, bus, strict=True)]
            or [none.astype(np.int64)]
        ),
        width_mw=np.concatenate([o.width_mw[k] for o, k in zip(offers, picked, strict=True)] or [none]),
        price_usd_per_mwh=np.concatenate(
            [o.price_usd_per_mwh[k] for o, k in zip(offers, picked, strict=True)] or [none]
        ),
        floor_bus=np.array(bus, dtype=np.int64),
        floor_mw=np.array(floors),
    )


def der_awards(offers: DerOffers, interval: int, taken_mw: FloatArray) -> FloatArray:
    """Injection awarded to each DER: its floor and the blocks taken, shape (ders,). [MW]"""
    floor = offers.floor_mw.reshape(offers.intervals, -1)[interval]
    der = offers.der[offers.interval == interval]
    injection: FloatArray = floor + np.bincount(der, weights=taken_mw, minlength=floor.size)
    return injection


@dataclass(frozen=True, slots=True, kw_only=True)
class RealTimeInputs:
    """What the ISO knows when it clears one interval."""

    load_mw: FloatArray
    """Forecast load outside LDAs, shape (buses,). [MW]"""
    available_mw: FloatArray
    """Forecast of what each unit can give, shape (units,). [MW]"""
    must_take: BoolArray
    """Shape (units,)."""
    losses_mw: float
    """Losses, served as fixed demand. [MW]"""
    previous_mw: FloatArray
    """Output at the end of the interval before, shape (units,). [MW]"""
    committed: BoolArray
    """Shape (units,)."""
    schedule_mw: FloatArray
    """Day-ahead schedule, which stores follow, shape (units,). [MW]"""
    out: BoolArray
    """Units that have tripped, shape (units,)."""


class RealTimeMarket:
    """The five-minute dispatch; keeps one program warm."""

    def __init__(self, case: TransmissionCase, lda_bus: IntArray, length_s: int) -> None:
        self._case = case
        self._lda_bus = lda_bus
        self._length_s = length_s
        self._network = market_network(case)
        self._block_bus: IntArray = np.zeros(0, dtype=np.int64)
        self._sced: Sced | None = None

    def clear(self, inputs: RealTimeInputs, curves: list[NetCurve], book: DerBook | None) -> Clearing:
        """Awards and prices of one interval."""
        sced = self._engine(book)
        demand = with_losses(inputs.load_mw, inputs.losses_mw)
        if book is not None:
            np.add.at(demand, book.floor_bus, -book.floor_mw)
        available = np.where(inputs.out, 0.0, inputs.available_mw)
        window = ramp_window(
            self._case.units,
            previous_mw=np.where(inputs.out, 0.0, inputs.previous_mw),
            committed=inputs.committed & ~inputs.out,
            available_mw=available,
            must_take=inputs.must_take,
            schedule_mw=np.where(inputs.out, 0.0, inputs.schedule_mw),
            length_s=self._length_s,
        )
        return sced.clear(demand, window, curves, NO_BLOCKS if book is None else book.blocks)

    def headroom_mw(self, clearing: Clearing, inputs: RealTimeInputs) -> FloatArray:
        """Committed room to move up, shape (units,). [MW]"""
        return headroom_mw(self._case, clearing.unit_mw, inputs.committed & ~inputs.out, inputs.available_mw)

    def _engine(self, book: DerBook | None) -> Sced:
        block_bus = np.zeros(0, dtype=np.int64) if book is None else book.bus
        if self._sced is None or not np.array_equal(block_bus, self._block_bus):
            self._block_bus = block_bus
            self._sced = Sced(
                self._network,
                self._case.units,
                curve_bus=self._lda_bus,
                curve_slots=np.full(self._lda_bus.size, CURVE_SLOTS, dtype=np.int64),
                block_bus=block_bus,
            )
        return self._sced


def with_losses(load_mw: FloatArray, losses_mw: float) -> FloatArray:
    """Load with losses as fixed demand, spread by load, shape (..., buses). [MW]"""
    total = load_mw.sum(axis=-1, keepdims=True)
    spread: FloatArray = load_mw + losses_mw * load_mw / np.where(total > 0, total, 1.0)
    return spread


def headroom_mw(
    case: TransmissionCase, output_mw: FloatArray, committed: BoolArray, available_mw: FloatArray
) -> FloatArray:
    """Room to move up of committed fuelled units, shape (units,). [MW]"""
    able = case.units.of_kind(*FUELLED) & committed
    room: FloatArray = np.where(able, np.maximum(available_mw - output_mw, 0.0), 0.0)
    return room


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAheadInputs:
    """What the ISO knows when it clears a market day."""

    load_mw: FloatArray
    """Forecast load outside LDAs, shape (24, buses). [MW]"""
    available_mw: FloatArray
    """Shape (24, units). [MW]"""
    series: Series
    """Day-ahead series, for what must be taken and the inflow of stores."""
    losses_share: float
    """Losses as a share of load."""
