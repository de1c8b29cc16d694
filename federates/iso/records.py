"""The market's results as rows of tables."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core import tables
from federates.core.arrays import BoolArray, FloatArray
from federates.core.costs import emissions_t_per_h
from federates.core.curve import NetCurve
from federates.core.tables import Recorder
from federates.core.time import Clock, SimTime
from federates.iso.cut_rounds import Bounds
from federates.iso.day_ahead import DayAhead
from federates.iso.market import DerBook, RealTimeInputs, running
from federates.iso.offers import SCHEDULED, unit_cost_usd_per_h
from federates.iso.pricing import Prices
from federates.iso.reserve_records import ReserveRecords
from federates.iso.sced import BINDS_USD_PER_MWH, Clearing

SYSTEM = ("system",)
VARIABLE = ("wind", "pv", "rtpv")
"""Kinds of units whose output weather decides."""


class MarketRecords:
    """Writes clearings to a recorder.

    Parameters
    ----------
    recorder
        Where rows go.
    case
        The transmission system.
    ldas
        Name and bus of each LDA, in the order of the market's curves.
    """

    def __init__(self, recorder: Recorder, case: TransmissionCase, ldas: Sequence[tuple[str, int]]) -> None:
        self._recorder = recorder
        self._case = case
        self._ldas = tuple(name for name, _ in ldas)
        self._store = np.flatnonzero(case.units.of_kind(*SCHEDULED))
        self._variable = case.units.of_kind(*VARIABLE)
        self._store_ids = [case.units.ids[k] for k in self._store]
        self._reserves = ReserveRecords(recorder, case, ldas)

    def real_time(
        self,
        now: SimTime,
        cleared: Clearing,
        curves: list[NetCurve],
        inputs: RealTimeInputs,
        book: DerBook | None,
    ) -> None:
        """One interval's dispatch."""
        record, case = self._recorder.add, self._case
        on = inputs.committed[0] & ~inputs.out
        at_work = running(case, cleared.unit_mw, on)
        record(tables.LMP, now, case.buses.ids, *_price_columns(cleared.prices))
        awarded = (cleared.unit_mw, at_work.astype(np.float64), *cleared.reserves.unit_mw)
        record(tables.UNIT_AWARD, now, case.units.ids, *awarded)
        self._reserves.real_time(now, cleared.reserves)
        begin_mwh = inputs.stores.energy_mwh
        record(tables.STORE, now, self._store_ids, begin_mwh[self._store], cleared.store_mwh[self._store])
        for lda, curve in zip(self._ldas, curves, strict=True):
            ids = [f"{lda}/{now}/{k:02d}" for k in range(curve.import_mw.size)]
            record(tables.BID, now, ids, curve.import_mw, curve.price_usd_per_mwh)
        binding = cleared.binding
        if binding.size:
            record(
                tables.LINE_PRICE,
                now,
                [case.branches.ids[k] for k in binding],
                cleared.flow_mw[binding],
                case.branches.rating_mw[binding],
                np.abs(cleared.line_price_usd_per_mwh[binding]),
            )
        offered = 0.0 if book is None else float(book.floor_mw.sum() + cleared.block_mw.sum())
        demand = float(inputs.load_mw[0].sum() + cleared.curve_mw.sum()) - offered
        row = (
            cleared.objective_usd_per_h,
            *self._true_costs(cleared.unit_mw, on),
            demand + cleared.loss_mw,
            cleared.loss_mw,
            float(cleared.loss_held),
            float(cleared.shed_mw.sum()),
            float(cleared.surplus_mw.sum()),
            float(cleared.reserves.short_mw.sum()),
            float(binding.size),
            cleared.overload_mw,
            float(cleared.penalty_priced),
            float(cleared.block_mw.size),
            float(cleared.feeder_excess.size),
            float((np.abs(cleared.feeder_usd_per_h) > BINDS_USD_PER_MWH).sum()),
            float(cleared.feeder_excess.sum()),
            float(np.where(inputs.out, 0.0, inputs.available_mw[0])[self._variable].sum()),
            float(cleared.unit_mw[self._variable].sum()),
        )
        record(tables.CLEARING, now, SYSTEM, *([value] for value in row))

    def _true_costs(self, unit_mw: FloatArray, on: BoolArray) -> tuple[float, float]:
        """Running cost [$/h] and emissions [t/h] of the units together."""
        units = self._case.units
        at_work = running(self._case, unit_mw, on)
        emitted = emissions_t_per_h(unit_mw, at_work, co2_t_per_mwh=units.co2_t_per_mwh)
        return float(unit_cost_usd_per_h(units, unit_mw, on).sum()), float(emitted.sum())

    def awards(self, now: SimTime, award_mw: FloatArray, lmp_usd_per_mwh: FloatArray) -> None:
        """One interval's net interchange per LDA, with the price at its bus."""
        self._recorder.add(tables.AWARD, now, self._ldas, award_mw, lmp_usd_per_mwh)

    def day_ahead(
        self,
        day: int,
        clock: Clock,
        cleared: DayAhead,
        gap: float,
        *,
        load_mw: FloatArray,
        books: Sequence[DerBook] | None,
        begin_mwh: FloatArray,
    ) -> None:
        """One market day.

        Parameters
        ----------
        day, clock
            Which day, on the study's time grid.
        cleared
            Its clearing.
        gap
            Certified gap of the commitment, of its own cost.
        load_mw
            Load outside LDAs that was asked for, shape (24, buses). [MW]
        books
            DER offers of each hour; None: none.
        begin_mwh
            Energy in stores before the day, shape (units,). [MWh]
        """
        record, case = self._recorder.add, self._case
        knots_mwh = np.vstack((begin_mwh, cleared.energy_mwh))[:, self._store]
        bound = np.abs(cleared.line_price_usd_per_mwh) > BINDS_USD_PER_MWH
        short_mw = cleared.reserves.short_mw.sum(axis=1)
        for hour, t in enumerate(clock.day_hours(day)):
            relaxed = cleared.relaxed_prices.lmp_usd_per_mwh[hour]
            record(tables.DA_LMP, t, case.buses.ids, *_price_columns(cleared.prices.at(hour)), relaxed)
            on = cleared.commitment[hour].astype(np.float64)
            awarded = (cleared.unit_mw[hour], on, *cleared.reserves.unit_mw[hour])
            record(tables.DA_UNIT, t, case.units.ids, *awarded)
            record(tables.DA_STORE, t, self._store_ids, knots_mwh[hour], knots_mwh[hour + 1])
            self._reserves.day_ahead(t, cleared.reserves, hour)
            book = books[hour] if books else None
            offered = 0.0 if book is None else float(book.floor_mw.sum() + cleared.block_mw[hour].sum())
            demand = float(load_mw[hour].sum() + cleared.curve_mw[hour].sum()) - offered
            running_cost, emissions = self._true_costs(cleared.unit_mw[hour], cleared.commitment[hour])
            hourly = (
                running_cost,
                emissions,
                demand + float(cleared.loss_mw[hour]),
                float(cleared.loss_mw[hour]),
                float(cleared.loss_held[hour]),
                float(cleared.shed_mw[hour].sum()),
                float(cleared.surplus_mw[hour].sum()),
                float(short_mw[hour]),
                float(bound[hour].sum()),
                float(cleared.penalty_priced[hour]),
            )
            record(tables.DA_CLEARING, t, SYSTEM, *([value] for value in hourly))
        row = (
            cleared.objective_usd,
            100.0 * gap,
            float(cleared.loss_mw.sum()),
            float(cleared.shed_mw.sum()),
            float(short_mw.sum()),
            float(bound.sum()),
            float(cleared.penalty_priced.sum()),
        )
        record(tables.DAY_AHEAD, clock.midnight(day), SYSTEM, *([value] for value in row))

    def cut_rounds(self, midnight: SimTime, bounds: Sequence[Bounds]) -> None:
        """Bounds of the cost of a market day after each question about it."""
        ids = [f"{k:02d}" for k in range(1, len(bounds) + 1)]
        columns = ("lower_usd", "upper_usd", "gap")
        self._recorder.add(
            tables.DA_ROUND, midnight, ids, *(np.array([getattr(b, c) for b in bounds]) for c in columns)
        )

    def day_ahead_awards(self, t: SimTime, award_mw: FloatArray, lmp_usd_per_mwh: FloatArray) -> None:
        """One hour's day-ahead interchange per LDA, with the price at its bus."""
        self._recorder.add(tables.DA_INTERFACE, t, self._ldas, award_mw, lmp_usd_per_mwh)


def _price_columns(prices: Prices) -> tuple[FloatArray, ...]:
    """Columns of a price table: published and raw price and the raw one's parts, each of shape (buses,)."""
    raw = prices.raw_usd_per_mwh
    energy = np.full_like(raw, prices.energy_usd_per_mwh)
    parts = (energy, prices.congestion_usd_per_mwh, prices.loss_usd_per_mwh)
    return (prices.lmp_usd_per_mwh, raw, *parts)
