"""Day-ahead schedules as real time needs them: commitment interval by interval, and where stores are to
go.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray
from federates.core.protocol import State
from federates.core.time import Clock, SimTime
from federates.iso.make_whole import RunState
from federates.iso.store_plan import StorePlan, store_levels_mwh, store_plan
from federates.iso.unit_state import UnitState

HOUR_S = 3_600
PREFIX = "schedule"


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """What of a cleared market day real time follows."""

    committed: FloatArray
    """1 where a unit is on, shape (hours, units)."""
    energy_mwh: FloatArray
    """Energy in stores at the end of each hour, shape (hours, units). [MWh]"""
    begin_mwh: FloatArray
    """Energy in stores before the first, shape (units,). [MWh]"""
    begin_on: FloatArray
    """1 where a unit was on before the first hour, shape (units,)."""
    begin_h: FloatArray
    """How long it had been so, shape (units,). [h]"""
    lmp_usd_per_mwh: FloatArray
    """Prices, shape (hours, buses). [$/MWh]"""


class Schedules:
    """Schedules of the days at hand, and the energy that stores really have.

    Parameters
    ----------
    units
        All units of the case.
    clock
        The study's time grid.
    """

    def __init__(self, units: Units, clock: Clock) -> None:
        self._units, self._clock = units, clock
        self._days: dict[int, Schedule] = {}
        self._level_mwh: FloatArray = np.zeros(0)
        self._run: RunState | None = None

    def add(self, day: int, schedule: Schedule) -> None:
        """Take a cleared day."""
        self._days[day] = schedule

    def forget_before(self, day: int) -> None:
        """Drop days that are over."""
        self._days = {d: s for d, s in self._days.items() if d >= day}

    def _at(self, t: SimTime) -> tuple[Schedule, float]:
        """Schedule that holds ``t`` and the hours since its beginning; the last one's end beyond it."""
        day = self._clock.day_of(t)
        if day not in self._days:
            day -= 1
            return self._days[day], float(self._days[day].committed.shape[0])
        return self._days[day], (t - self._clock.midnight(day)) / HOUR_S

    def committed(self, now: SimTime, intervals: int) -> BoolArray:
        """Whether each unit is committed in intervals from ``now`` on, shape (intervals, units)."""
        rows = []
        for k in range(intervals):
            schedule, hour = self._at(now + k * self._clock.market_s)
            rows.append(schedule.committed[min(int(hour), schedule.committed.shape[0] - 1)])
        on: BoolArray = np.array(rows) > 0.5
        return on

    def commit_hour(self, now: SimTime, on: BoolArray) -> None:
        """Put another commitment in the place of the schedule's for the hour that begins at ``now``."""
        schedule, hour = self._at(now)
        schedule.committed[int(hour)] = on

    def unit_state(self, now: SimTime, output_mw: FloatArray) -> UnitState:
        """Where the units stand, given their output, shape (units,). [MW]"""
        run = self._run_at(now)
        return UnitState(
            on=run.on, in_state_h=run.in_state_h, output_mw=output_mw, energy_mwh=self._levels(now)
        )

    def run(self, now: SimTime, on: BoolArray) -> None:
        """Take note of which units run in the interval that begins at ``now``, shape (units,)."""
        self._run = self._run_at(now).after(on, self._clock.market_s / HOUR_S)

    def _run_at(self, now: SimTime) -> RunState:
        if self._run is None:
            schedule, hour = self._at(now)
            self._run = RunState(on=schedule.begin_on > 0.5, in_state_h=schedule.begin_h)
            for on in schedule.committed[: int(hour)] > 0.5:
                self._run = self._run.after(on, 1.0)
        return self._run

    def _levels(self, now: SimTime) -> FloatArray:
        if not self._level_mwh.size:
            schedule, hour = self._at(now)
            knots = np.vstack((schedule.begin_mwh, schedule.energy_mwh))
            self._level_mwh = knots[int(hour)]
        return self._level_mwh

    def stores(self, now: SimTime, intervals: int) -> StorePlan:
        """Where stores stand at ``now``, and where they are to be after ``intervals``."""
        levels = self._levels(now)
        end = now + intervals * self._clock.market_s
        schedule, hours = self._at(end)
        return store_plan(
            self._units,
            energy_mwh=levels,
            schedule_mwh=schedule.energy_mwh,
            begin_mwh=schedule.begin_mwh,
            lmp_usd_per_mwh=schedule.lmp_usd_per_mwh,
            end_h=hours,
        )

    def meter(self, unit_mwh: FloatArray, inflow_mwh: FloatArray) -> None:
        """Take what the units injected, and what flowed into stores, in the interval that ends, (units,)."""
        self._level_mwh = store_levels_mwh(self._units, self._level_mwh, unit_mwh, inflow_mwh)

    def save(self) -> State:
        """Schedules and levels."""
        state: dict[str, FloatArray] = {"levels_mwh": self._level_mwh}
        if self._run is not None:
            state |= {"run_on": self._run.on.astype(np.float64), "run_h": self._run.in_state_h}
        for day, schedule in self._days.items():
            state |= {f"{PREFIX}_{day}_{f.name}": getattr(schedule, f.name) for f in fields(Schedule)}
        return state

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._level_mwh = state["levels_mwh"]
        if "run_on" in state:
            self._run = RunState(on=state["run_on"] > 0.5, in_state_h=state["run_h"])
        suffix = f"_{fields(Schedule)[0].name}"
        names = [n for n in state if n.startswith(f"{PREFIX}_") and n.endswith(suffix)]
        for day in (int(name.removeprefix(f"{PREFIX}_").removesuffix(suffix)) for name in names):
            self._days[day] = Schedule(
                **{f.name: state[f"{PREFIX}_{day}_{f.name}"] for f in fields(Schedule)}
            )
