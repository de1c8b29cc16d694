"""The market's results as rows of tables."""

from __future__ import annotations

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core import tables
from federates.core.arrays import FloatArray
from federates.core.costs import emissions_t_per_h
from federates.core.curve import NetCurve
from federates.core.tables import Recorder
from federates.core.time import Clock, SimTime
from federates.iso.day_ahead import DayAhead
from federates.iso.market import DerBook, RealTimeInputs, running
from federates.iso.offers import unit_cost_usd_per_h
from federates.iso.pricing import Prices
from federates.iso.sced import BINDS_USD_PER_MWH, Clearing

SYSTEM = ("system",)
HOUR_S = 3_600


class MarketRecords:
    """Writes clearings to a recorder."""

    def __init__(self, recorder: Recorder, case: TransmissionCase, ldas: tuple[str, ...]) -> None:
        self._recorder = recorder
        self._case = case
        self._ldas = ldas
        self._lda_bus = np.zeros(0, dtype=np.int64)

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
        self._prices(tables.LMP, now, cleared.prices, None)
        record(tables.UNIT_AWARD, now, case.units.ids, cleared.unit_mw, at_work.astype(np.float64))
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
            float(unit_cost_usd_per_h(case.units, cleared.unit_mw, on).sum()),
            float(emissions_t_per_h(cleared.unit_mw, at_work, co2_t_per_mwh=case.units.co2_t_per_mwh).sum()),
            demand + cleared.loss_mw,
            cleared.loss_mw,
            float(cleared.shed_mw.sum()),
            float(cleared.surplus_mw.sum()),
            float(binding.size),
            cleared.overload_mw,
            float(cleared.penalty_priced),
        )
        record(tables.CLEARING, now, SYSTEM, *([value] for value in row))

    def awards(self, now: SimTime, award_mw: FloatArray, lmp_usd_per_mwh: FloatArray) -> None:
        """One interval's net interchange per LDA, with the price at its bus."""
        self._recorder.add(tables.AWARD, now, self._ldas, award_mw, lmp_usd_per_mwh)

    def day_ahead(self, day: int, clock: Clock, cleared: DayAhead, gap: float) -> None:
        """One market day."""
        record, case = self._recorder.add, self._case
        for hour, t in enumerate(clock.day_hours(day)):
            self._prices(tables.DA_LMP, t, cleared.prices, hour)
            on = cleared.commitment[hour].astype(np.float64)
            record(tables.DA_UNIT, t, case.units.ids, cleared.unit_mw[hour], on)
        bound = np.abs(cleared.line_price_usd_per_mwh) > BINDS_USD_PER_MWH
        row = (
            cleared.objective_usd,
            100.0 * gap,
            float(cleared.shed_mw.sum()),
            float(bound.sum()),
        )
        record(tables.DAY_AHEAD, clock.midnight(day), SYSTEM, *([value] for value in row))

    def day_ahead_awards(self, t: SimTime, award_mw: FloatArray, lmp_usd_per_mwh: FloatArray) -> None:
        """One hour's day-ahead interchange per LDA, with the price at its bus."""
        self._recorder.add(tables.DA_INTERFACE, t, self._ldas, award_mw, lmp_usd_per_mwh)

    def _prices(self, table: tables.Table, t: SimTime, prices: Prices, hour: int | None) -> None:
        pick = slice(None) if hour is None else hour
        lmp = prices.lmp_usd_per_mwh[pick]
        energy = np.broadcast_to(
            np.asarray(prices.energy_usd_per_mwh)[... if hour is None else hour], lmp.shape
        )
        congestion, loss = prices.congestion_usd_per_mwh[pick], prices.loss_usd_per_mwh[pick]
        self._recorder.add(table, t, self._case.buses.ids, lmp, energy, congestion, loss)
