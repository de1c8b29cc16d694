"""The ISO's market day: the day-ahead clearing at a given commitment, and the five-minute dispatch.

Pure: offers, forecasts and the grid's state in; awards and prices out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from federates.cases.case import Series, TransmissionCase
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.curve import NetCurve, fixed_quantity
from federates.core.messages import DerOffers
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.lda_cuts import ImportRange
from federates.iso.lda_stores import LdaStores, no_stores
from federates.iso.network import market_network
from federates.iso.offers import FUELLED, NO_BLOCKS, OfferedBlocks, ramp_window
from federates.iso.products.feeder_rows import FeederRows
from federates.iso.reserves import NetReserves, nested_rules
from federates.iso.sced import Clearing, Sced
from federates.iso.scuc import Scuc
from federates.iso.store_plan import StorePlan
from federates.iso.unit_state import UnitState
from federates.lp.solution import SearchBudget

CURVE_SLOTS = 40
"""Blocks that a DSO's curve may have."""
SYNCHRONISED_MW = 1e-6
"""Tolerance on output. [MW]"""


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
    """What the ISO knows when it clears one interval; time is the first axis, the binding interval first."""

    load_mw: FloatArray
    """Forecast load outside LDAs, shape (intervals, buses). [MW]"""
    available_mw: FloatArray
    """Forecast of what each unit can give, shape (intervals, units). [MW]"""
    inflow_mw: FloatArray
    """Natural inflow of stores, shape (intervals, units). [MW]"""
    required_mw: FloatArray
    """Reserve requirements, shape (intervals, requirements). [MW]"""
    must_take: BoolArray
    """Shape (units,)."""
    previous_mw: FloatArray
    """Output at the end of the interval before, shape (units,). [MW]"""
    committed: BoolArray
    """Shape (intervals, units)."""
    stores: StorePlan
    """Where stores stand and where they are to go."""
    out: BoolArray
    """Units that have tripped, shape (units,)."""


class RealTimeMarket:
    """The five-minute dispatch; keeps one program warm.

    Parameters
    ----------
    case
        The transmission system.
    lda_bus
        Bus of each LDA, shape (ldas,).
    length_s
        Length of an interval. [s]
    intervals
        Intervals looked at.
    with_reserves
        Whether reserves are bought.
    """

    def __init__(
        self,
        case: TransmissionCase,
        lda_bus: IntArray,
        length_s: int,
        *,
        intervals: int = 1,
        with_reserves: bool = False,
    ) -> None:
        self._case = case
        self._lda_bus = lda_bus
        self._length_s = length_s
        self._intervals = intervals
        self._network = market_network(case)
        self._rules = nested_rules(self._network.region) if with_reserves else None
        self._block_bus: IntArray = np.zeros(0, dtype=np.int64)
        self._sced: Sced | None = None

    @property
    def loss_weight(self) -> FloatArray:
        """Share of each bus in the withdrawal of losses, shape (buses,)."""
        return self._network.loss_weight

    def clear(
        self,
        inputs: RealTimeInputs,
        curves: list[NetCurve],
        book: DerBook | None,
        net_reserves: NetReserves | None = None,
        feeder: FeederRows | None = None,
    ) -> Clearing:
        """Awards and prices of one interval.

        Parameters
        ----------
        net_reserves
            What the curves offer of reserve.
        feeder
            Limits of feeders on the book's blocks; None: the market sees no feeder.
        """
        sced = self._engine(book)
        demand = inputs.load_mw.copy()
        if book is not None:
            for hour in demand:
                np.add.at(hour, book.floor_bus, -book.floor_mw)
        available = np.where(inputs.out, 0.0, inputs.available_mw)
        window = ramp_window(
            self._case.units,
            previous_mw=np.where(inputs.out, 0.0, inputs.previous_mw),
            committed=inputs.committed & ~inputs.out,
            available_mw=available,
            must_take=inputs.must_take,
            schedule_mw=np.zeros_like(available),
            length_s=self._length_s,
        )
        return sced.clear(
            demand,
            window,
            curves,
            NO_BLOCKS if book is None else book.blocks,
            outlook=inputs.stores.outlook(inputs.inflow_mw, available),
            required_mw=None if self._rules is None else inputs.required_mw,
            net_reserves=None if self._rules is None else net_reserves,
            feeder=feeder,
        )

    def headroom_mw(self, clearing: Clearing, inputs: RealTimeInputs) -> FloatArray:
        """Committed room to move up, shape (units,). [MW]"""
        on = inputs.committed[0] & ~inputs.out
        return headroom_mw(self._case, clearing.unit_mw, on, inputs.available_mw[0])

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
                intervals=self._intervals,
                length_s=self._length_s,
                rules=self._rules,
                losses=True,
                stores=True,
            )
        return self._sced


def running(case: TransmissionCase, output_mw: FloatArray, committed: BoolArray) -> BoolArray:
    """Units that are synchronised: committed ones, and those that real time runs at least output or above."""
    able = case.units.of_kind(*FUELLED) & (output_mw > SYNCHRONISED_MW)
    on: BoolArray = committed | (able & (output_mw >= case.units.p_min_mw - SYNCHRONISED_MW))
    return on


def uncurtailed(case: TransmissionCase, output_mw: FloatArray, available_mw: FloatArray) -> BoolArray:
    """Wind and solar units of which the market takes all that is forecast, shape (units,)."""
    free: BoolArray = case.units.of_kind("wind", "pv") & (output_mw >= available_mw - SYNCHRONISED_MW)
    return free


def headroom_mw(
    case: TransmissionCase, output_mw: FloatArray, committed: BoolArray, available_mw: FloatArray
) -> FloatArray:
    """Room to move up of fuelled units at work, shape (units,). [MW]"""
    able = case.units.of_kind(*FUELLED) & running(case, output_mw, committed)
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
    required_mw: FloatArray
    """Reserve requirements, shape (24, requirements). [MW]"""


class DayAheadMarket:
    """The day-ahead market of one system; keeps one program per population of DER offers."""

    def __init__(self, case: TransmissionCase, lda_bus: IntArray, *, with_reserves: bool = False) -> None:
        self._case = case
        self._lda_bus = lda_bus
        self._network = market_network(case)
        self._rules = nested_rules(self._network.region) if with_reserves else None
        self._block_bus: IntArray = np.zeros(0, dtype=np.int64)
        self._scuc: Scuc | None = None

    @property
    def loss_weight(self) -> FloatArray:
        """Share of each bus in the withdrawal of losses, shape (buses,)."""
        return self._network.loss_weight

    def commit(
        self, inputs: DayAheadInputs, net_mw: FloatArray, state: UnitState | None, budget: SearchBudget
    ) -> tuple[DayAhead, UnitState]:
        """Cheapest commitment for LDAs that draw ``net_mw`` (24, ldas), and the state it starts from."""
        scuc = self._engine(None)
        bids = self._bids(inputs, fixed_curves(net_mw), None)
        before = scuc.start_state(bids) if state is None else state
        return scuc.commit(bids, before, budget), before

    def clear(
        self,
        inputs: DayAheadInputs,
        curves: tuple[tuple[NetCurve, ...], ...],
        books: Sequence[DerBook] | None,
        state: UnitState,
        committed: BoolArray,
        net_reserves: tuple[NetReserves, ...] = (),
        feeder: tuple[FeederRows, ...] = (),
        lda_stores: LdaStores | None = None,
    ) -> DayAhead:
        """The day cleared with a given commitment.

        Parameters
        ----------
        curves
            One tuple of 24 curves per LDA.
        books
            DER offers of each hour; None: none.
        state
            Where the units stand before the day.
        committed
            Shape (24, units).
        net_reserves
            Reserve that the curves offer, one entry per hour; empty: none.
        feeder
            Limits of feeders on the books' blocks, hour by hour; empty: the market sees no feeder.
        lda_stores
            Stores that LDAs offer beside their curves; None: none.
        """
        stores = no_stores(len(inputs.load_mw), self._lda_bus.size) if lda_stores is None else lda_stores
        scuc = self._engine(books[0] if books else None)
        bids = self._bids(inputs, curves, books, net_reserves)
        return scuc.clear(replace(bids, feeder=feeder, lda_stores=stores), state, committed)

    def open(
        self, inputs: DayAheadInputs, within: ImportRange, state: UnitState, committed: BoolArray
    ) -> Scuc:
        """The day with a given commitment, open for what LDAs state of their costs; they bid no curves.

        Parameters
        ----------
        within
            Net imports that can be asked of the LDAs.
        state, committed
            As in :meth:`clear`.
        """
        scuc = self._engine(None)
        bids = self._bids(inputs, fixed_curves(within.least_mw), None)
        scuc.open(replace(bids, cut_range=within), state, committed)
        return scuc

    def start_state(self, inputs: DayAheadInputs, net_mw: FloatArray) -> UnitState:
        """State before a first day that the case does not state."""
        return self._engine(None).start_state(self._bids(inputs, fixed_curves(net_mw), None))

    def _engine(self, book: DerBook | None) -> Scuc:
        block_bus = np.zeros(0, dtype=np.int64) if book is None else book.bus
        if self._scuc is None or not np.array_equal(block_bus, self._block_bus):
            self._block_bus = block_bus
            self._scuc = Scuc(
                self._network,
                self._case.units,
                curve_bus=self._lda_bus,
                curve_slots=np.full(self._lda_bus.size, CURVE_SLOTS, dtype=np.int64),
                block_bus=block_bus,
                rules=self._rules,
                losses=True,
            )
        return self._scuc

    def _bids(
        self,
        inputs: DayAheadInputs,
        curves: tuple[tuple[NetCurve, ...], ...],
        books: Sequence[DerBook] | None,
        net_reserves: tuple[NetReserves, ...] = (),
    ) -> DayBids:
        demand = inputs.load_mw.copy()
        hours = demand.shape[0]
        width, price = np.zeros((hours, 0)), np.zeros((hours, 0))
        if books:
            for hour, book in enumerate(books):
                np.add.at(demand[hour], book.floor_bus, -book.floor_mw)
            width = np.stack([b.width_mw for b in books])
            price = np.stack([b.price_usd_per_mwh for b in books])
        return DayBids(
            demand_mw=demand,
            available_mw=inputs.available_mw,
            must_take=inputs.series.must_take,
            inflow_mw=inputs.series.inflow_mw,
            required_mw=np.zeros(0) if self._rules is None else inputs.required_mw,
            curves=curves,
            block_mw=width,
            block_usd_per_mwh=price,
            net_reserves=() if self._rules is None else net_reserves,
        )


def fixed_curves(net_mw: FloatArray) -> tuple[tuple[NetCurve, ...], ...]:
    """Fixed quantities of each LDA and hour as curves; ``net_mw`` has shape (24, ldas)."""
    return tuple(tuple(fixed_quantity(float(p)) for p in column) for column in net_mw.T)
