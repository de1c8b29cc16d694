"""The market days of a run as they would clear if nobody used its DERs' flexibility.

What that costs more than the run itself is the value of the flexibility. Batteries and small generators
rest, vehicles charge on arrival, other demand is served as it comes and PV may be curtailed; no feeder limit
is kept, units are committed as in the run, and what no DER gives or takes is the quantity that the run's own
DSOs bid, their losses included. Only the day-ahead market is cleared; nothing is simulated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.forward import FILE, HOURS, ForwardPlan
from federates.core.run_folder import RunFolder
from federates.core.settings import Study
from federates.core.tables import Recorder
from federates.der.model import Interval, initial_state
from federates.der.pv import Photovoltaics
from federates.iso.market import DayAheadMarket, DerBook, fixed_curves
from federates.iso.records import MarketRecords
from federates.iso.unit_state import planned_state
from federates.recording.parquet import ParquetRecorder
from federates.scenario.lda import LdaScenario
from federates.scenario.schedule_records import ScheduleRecords
from federates.scenario.system import SystemScenario
from federates.tools.forward import day_inputs

KW_PER_MW = 1_000.0


def run(arguments: dict[str, object]) -> dict[str, object]:
    """Clear the days of the run in ``run_dir`` and write tables ``da_...`` below ``out``.

    ``fixed_mw``: what the run's DSOs bid apart from DERs in markets, by LDA, hour by hour of all days.
    """
    run_dir = Path(str(arguments["run_dir"]))
    study = Study.model_validate_json(RunFolder(run_dir).study.read_bytes())
    fixed_mw = cast("dict[str, list[float]]", arguments["fixed_mw"])
    recorder = ParquetRecorder(Path(str(arguments["out"])), "idle", 0)
    clear_idle(study, ForwardPlan.read(run_dir / FILE), fixed_mw, recorder)
    recorder.close()
    return {}


def clear_idle(
    study: Study, plan: ForwardPlan, fixed_mw: Mapping[str, Sequence[float]], recorder: Recorder
) -> None:
    """Clear every market day of a study, DERs idle, and write what units and DERs do and cost."""
    system = SystemScenario(study)
    ldas = [IdleLda(LdaScenario(study, lda.name, system), recorder) for lda in study.ldas]
    at_bus = dict(zip((lda.name for lda in study.ldas), system.lda_bus.tolist(), strict=True))
    records = MarketRecords(recorder, system.case, tuple(at_bus.items()))
    market = DayAheadMarket(system.case, system.lda_bus, with_reserves=study.market.reserves.kind != "none")
    for day in study.clock.days:
        inputs, days = day_inputs(study, system, day), [lda.day(day) for lda in ldas]
        hours = slice(HOURS * day, HOURS * (day + 1))
        bid_mw = np.stack([np.asarray(fixed_mw[lda.name][hours]) for lda in study.ldas], axis=1)
        books = [_book(system.lda_bus, days, hour) for hour in range(HOURS)]
        before = planned_state(plan, day)
        net_mw = bid_mw - np.stack([own.resting_mw for own in days], axis=1)
        cleared = market.clear(inputs, fixed_curves(net_mw), books, before, plan.committed[day])
        records.day_ahead(
            day,
            study.clock,
            cleared,
            float(plan.gap[day]),
            load_mw=inputs.load_mw,
            books=books,
            begin_mwh=before.energy_mwh,
        )
        first = 0
        for lda, own in zip(ldas, days, strict=True):
            last = first + own.sun_mw.shape[1]
            lda.record(day, own, cleared.block_mw[:, first:last])
            first = last


@dataclass(frozen=True, slots=True, kw_only=True)
class IdleDay:
    """What an LDA's DERs would do in a market day; all sets together where it is in MW."""

    p_kw: FloatArray
    """Injections, PV with all that the sun gives, shape (24, ders). [kW]"""
    intervals: tuple[Interval, ...]
    """What the hours bring to the DERs."""
    resting_mw: FloatArray
    """Injected by DERs in markets, PV aside, shape (24,). [MW]"""
    sun_mw: FloatArray
    """Offered by PV in markets at each price, shape (24, prices). [MW]"""
    price_usd_per_mwh: FloatArray
    """Minus the cost of curtailing it, shape (prices,). [$/MWh]"""


class IdleLda:
    """An LDA whose DERs rest, day after day.

    Parameters
    ----------
    scenario
        The LDA.
    recorder
        Where schedules go.
    """

    def __init__(self, scenario: LdaScenario, recorder: Recorder) -> None:
        self._scenario = scenario
        self._schedules = ScheduleRecords(recorder, scenario, np.arange(len(scenario.fleet)))
        self._state = initial_state(scenario.fleet)

    def day(self, day: int) -> IdleDay:
        """A market day, from the state that the one before leaves."""
        scenario = self._scenario
        issue = scenario.study.clock.day_ahead_issue(day)
        hours, rows = scenario.expected_day(day, issue), []
        for hour in hours:
            rows.append(scenario.idle_kw(hour, self._state))
            self._state = scenario.behaviour.advance(self._state, rows[-1], hour.ders)[0]
        p_kw = np.array(rows)
        in_market, sun = scenario.directed(issue), scenario.fleet.of_kind(Photovoltaics.kind)
        factor = scenario.multiplicity / KW_PER_MW
        price, block = self._sun_prices()
        offered = np.where(in_market & sun, p_kw, 0.0)
        return IdleDay(
            p_kw=p_kw,
            intervals=tuple(hour.ders for hour in hours),
            resting_mw=np.where(in_market & ~sun, p_kw, 0.0).sum(axis=1) * factor,
            sun_mw=np.array([np.bincount(block, row, price.size) for row in offered]) * factor,
            price_usd_per_mwh=price,
        )

    def _sun_prices(self) -> tuple[FloatArray, IntArray]:
        """Prices at which DERs would be curtailed, and each DER's place among them, shape (ders,)."""
        price, block = np.unique(-self._scenario.fleet.curtailment_usd_per_mwh, return_inverse=True)
        return price, block

    def record(self, day: int, idle: IdleDay, taken_mw: FloatArray) -> None:
        """Write a cleared day; ``taken_mw``: what is taken of the sun, shape (24, prices)."""
        share = np.divide(taken_mw, idle.sun_mw, out=np.ones_like(taken_mw), where=idle.sun_mw > 0.0)
        _, block = self._sun_prices()
        in_market = self._scenario.directed(self._scenario.study.clock.day_ahead_issue(day))
        curtailed = in_market & self._scenario.fleet.of_kind(Photovoltaics.kind)
        p_kw = np.where(curtailed, idle.p_kw * share[:, block], idle.p_kw)
        self._schedules.add(day, idle.intervals, list(p_kw))


def _book(lda_bus: IntArray, days: Sequence[IdleDay], hour: int) -> DerBook:
    """Offers of all LDAs' PV in one hour."""
    counts = [own.price_usd_per_mwh.size for own in days]
    return DerBook(
        bus=np.repeat(lda_bus, counts),
        width_mw=np.concatenate([own.sun_mw[hour] for own in days]),
        price_usd_per_mwh=np.concatenate([own.price_usd_per_mwh for own in days]),
        floor_bus=lda_bus,
        floor_mw=np.zeros(lda_bus.size),
    )
