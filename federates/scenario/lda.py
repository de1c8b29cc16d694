"""One LDA of a study: feeders, fleet, what customers and the sun do, and what is expected of them.

Read alike by the plant, the DSO, the aggregators and the forward plan. Arrays of loads and DERs run feeder by
feeder in the circuit's order, that of their seeds: no number hangs on a name or on a place in the study.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from typing import TypeGuard

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.settings import DEFAULT_SUPPLIER, DerOptOut, FeederGroup, Lda, Study
from federates.core.time import LEAD_IN_PHYSICS_S, SimTime
from federates.der.catalog import Behaviour, build_fleet
from federates.der.demand import Demand, actual_demand, build_demand, expected_demand
from federates.der.ev import charging_kw
from federates.der.fleet import Fleet, joined
from federates.der.inverter import Category, reactive_room_kvar
from federates.der.mix import Mix, jittered
from federates.der.model import FleetState, Interval, Surroundings, initial_state
from federates.der.seeds import Stream, device_draws
from federates.distribution.builder import (
    SUBSTATION_MVA_PER_FEEDER,
    DerAttachment,
    FeederInstance,
    LdaModel,
    RegulatorOverride,
)
from federates.distribution.circuit import Circuit
from federates.distribution.der_table import TabledDer, read_der_table
from federates.distribution.master import OpenDssFeeder
from federates.distribution.model import Feeder
from federates.scenario.attached import attached_fleet
from federates.scenario.profiles import Profiles, read_profiles
from federates.scenario.sun import clear_sky
from federates.scenario.system import (
    LDA_STREAMS,
    SystemScenario,
    feeder_tables,
    forecast_model,
    interpolated,
    load_area,
)

HOUR_S = 3_600
DAY_STEPS_S = 86_400
PATH_STREAMS = 1 << 20
"""First stream of paths that are drawn for possible errors of forecasts."""
LEAST_FACTOR = 0.1
"""Least forecast, over what comes, from which is concluded what may come."""
TOLERANCE_PU = 1e-8
"""Convergence tolerance of the area's circuits. [pu]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LdaConditions:
    """What demand, sun and customers are over one stretch of time."""

    demand_kw: FloatArray
    """Fixed demand, vehicles that charge on arrival included, shape (loads,). [kW]"""
    demand_kvar: FloatArray
    """Shape (loads,). [kvar]"""
    ders: Interval
    """What it brings to the DERs."""

    @property
    def available_kw(self) -> FloatArray:
        """Greatest injection: what the sun gives, a battery's power, none of a load, shape (ders,). [kW]"""
        return self.ders.available_kw

    @property
    def least_kw(self) -> FloatArray:
        """Least injection of each DER: a battery's charge, a flexible load's whole demand. [kW]"""
        return self.ders.least_kw


ExpectedLda = LdaConditions


@dataclass(frozen=True, slots=True, kw_only=True)
class DayAheadDemand:
    """Demand of one stretch of time as it was forecast at 10:00 of the day before."""

    kw: FloatArray
    """Shape (loads,). [kW]"""
    kvar: FloatArray
    """Shape (loads,). [kvar]"""
    sigma: float
    """Standard deviation of the error that all loads have in common, relative."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLimits:
    """Apparent power that may pass a feeder's head."""

    import_kva: float
    export_kva: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _ActualDay:
    """What comes in the physical steps of one market day."""

    day: int
    t: IntArray
    """Begin of each step, shape (steps,). [s]"""
    demand_kw: FloatArray
    """Shape (steps, loads). [kW]"""
    demand_kvar: FloatArray
    """Shape (steps, loads). [kvar]"""
    vehicles_kw: FloatArray
    """Charging within the demand, shape (steps, feeders). [kW]"""
    profile: FloatArray
    """What the sun gives over rated power, shape (steps, feeders)."""
    level: FloatArray
    """Load of the area over its peak, shape (steps,)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _SimulatedFeeder:
    name: str
    group: FeederGroup
    tables: Feeder
    fleet: Fleet
    demand: Demand
    follows: tuple[str, ...]
    """Profile of each DER, by name; empty: the feeder's own sun."""
    profiles: Profiles | None
    """Those of its table of DERs."""


class LdaScenario:
    """One LDA of a study."""

    def __init__(self, study: Study, name: str, system: SystemScenario | None = None) -> None:
        self.study = study
        self.settings: Lda = study.lda(name)
        self.name = name
        self.multiplicity = self.settings.multiplicity
        self.tolerance_pu = TOLERANCE_PU
        self.place = study.ldas.index(self.settings)
        self._system = system or SystemScenario(study)
        self._clock = study.clock
        case = self._system.case
        self.bus_place = int(self._system.lda_bus[self.place])
        self._area = load_area(study, self.place, case)
        self._forecast = forecast_model(study)
        midnight = self._clock.at(self._clock.day_start_s)
        self._feeders = [
            _simulated(self.settings, group, k, midnight)
            for group in sorted(self.settings.feeders, key=lambda group: group.seed_id)
            for k in range(group.count)
        ]
        self.feeder_names = tuple(f.name for f in self._feeders)
        self.model = self._model(float(case.buses.base_kv[self.bus_place]))
        self._prefixes = [f.name_prefix for f in self.model.feeders]
        self.fleet: Fleet = replace(
            joined([f.fleet for f in self._feeders], [f"{f.name}_" for f in self._feeders]),
            bus=tuple(
                f"{prefix}{bus}"
                for prefix, f in zip(self._prefixes, self._feeders, strict=True)
                for bus in f.fleet.bus
            ),
        )
        self._der_feeder: IntArray = np.repeat(
            np.arange(len(self._feeders)), [len(f.fleet) for f in self._feeders]
        )
        self.seed_ids = tuple(f.demand.seed_id for f in self._feeders)
        self.peak_kw: FloatArray = np.concatenate([f.demand.peak_kw for f in self._feeders])
        self.load_feeder: IntArray = np.repeat(
            np.arange(len(self._feeders)), [f.demand.peak_kw.size for f in self._feeders]
        )
        self._sun_column = self._sun_columns()
        self._has_profile: BoolArray = np.array(
            [name != "" for f in self._feeders for name in f.follows], dtype=np.bool_
        )
        self.limits = tuple(
            HeadLimits(import_kva=f.group.import_limit_kva, export_kva=f.group.export_limit_kva)
            for f in self._feeders
        )
        self.substation_mva = sum(_rating_mva(f.tables) for f in self._feeders)
        self.behaviour = Behaviour(self.fleet)
        self._profile_units = [
            None if f.group.ders.pv is None or f.group.ders.pv.profile is None
            else case.units.ids.index(f.group.ders.pv.profile)
            for f in self._feeders
        ]  # fmt: skip
        self._flexible = self.fleet.of_kind("flexible")
        self._opted_out = [(e, self._who(e, k)) for k, e in enumerate(study.events) if self._is_mine(e)]
        self._now: tuple[SimTime, LdaConditions] | None = None
        self._kept: dict[int, _ActualDay] = {}

    def _model(self, bus_kv: float) -> LdaModel:
        return LdaModel(
            name=self.name,
            bus_kv=bus_kv,
            feeders=tuple(_instance(f) for f in self._feeders),
        )

    def _sun_columns(self) -> IntArray:
        """Column of `_profiles` that each DER follows: its feeder's own, or one of its feeder's file."""
        columns, next_column = [], len(self._feeders)
        for place, feeder in enumerate(self._feeders):
            names = feeder.profiles.names if feeder.profiles else ()
            columns += [next_column + names.index(name) if name else place for name in feeder.follows]
            next_column += len(names)
        return np.array(columns, dtype=np.int64)

    def portfolio(self, owner: str) -> IntArray:
        """Places in the fleet of an aggregator's DERs."""
        return np.flatnonzero(self.fleet.of_owner(owner))

    def feeders_of(self, places: IntArray) -> list[str]:
        """Feeder of each DER, by its place in the fleet."""
        return [self.feeder_names[k] for k in self._der_feeder[places].tolist()]

    def initial_set_point_kw(self) -> FloatArray:
        """Set-points of the lead-in: all sun taken, demand served, batteries and generators idle. [kW]"""
        idle = np.zeros(len(self.fleet))
        return self.wanted_kw(-LEAD_IN_PHYSICS_S, initial_state(self.fleet), idle)

    def wanted_kw(self, step: SimTime, state: FleetState, site_kw: FloatArray) -> FloatArray:
        """Set-points of DERs that serve their own sites, whatever sun and demand turn out to be.

        Parameters
        ----------
        step
            Beginning of the physical step. [s]
        state
            As far as it is known.
        site_kw
            As `site_kw` gives it, shape (ders,). [kW]
        """
        around = Surroundings(
            t_s=self._local_s(step),
            length_s=self._clock.step_s,
            sun=np.ones(len(self.fleet)),
            profile=np.full(len(self.fleet), np.nan),
            level=1.0,
        )
        open_interval = self.behaviour.expected(around, self._local_s(step))
        return self.behaviour.passive_kw(state, open_interval, site_kw)

    @property
    def volt_var(self) -> Category | None:
        """Category of the curve of reactive power that inverters follow on their own voltage, if they do."""
        return self.study.inverter_category if self.study.der_q == "local_volt_var" else None

    @property
    def volt_watt(self) -> bool:
        """Whether inverters inject no more than the curve of active power allows at their own voltage."""
        return self.study.der_p == "local_volt_watt"

    def q_limit_kvar(self, now: SimTime) -> FloatArray:
        """Greatest |Q| that the DSO may ask of each DER at ``now``, shape (ders,). [kvar]

        What the inverters of DERs that follow set-points have room for at their rated active power, so that
        every pair inside the two limits is inside the circle; zero where Q is not the DSO's.
        """
        if self.study.der_q != "dso":
            return np.zeros(len(self.fleet))
        room = reactive_room_kvar(self.fleet.s_kva, self.fleet.power_kw)
        return np.where(self.behaviour.has_inverter & self.directed(now), room, 0.0)

    def directed(self, now: SimTime) -> BoolArray:
        """DERs that follow set-points at ``now``: in a market, and not opted out, shape (ders,)."""
        directed = self.fleet.participates.copy()
        for event, who in self._opted_out:
            if event.at_s <= now < event.at_s + event.duration_s:
                directed &= ~who
        return directed

    def _is_mine(self, event: object) -> TypeGuard[DerOptOut]:
        return isinstance(event, DerOptOut) and event.lda == self.name

    def _who(self, event: DerOptOut, place: int) -> BoolArray:
        """DERs that an event takes out of the market, shape (ders,)."""
        group, _, kind = event.ders.partition("/")
        in_group = np.array([f.group.name == group for f in self._feeders], dtype=np.bool_)
        drawn = device_draws(self.fleet.seed_id, self.fleet.rank, Stream.OPT_OUT, place, 1)[:, 0]
        who: BoolArray = in_group[self._der_feeder] & self.fleet.of_kind(kind) & (drawn < event.share)
        return who

    def _local_s(self, t: SimTime) -> int:
        """Seconds since the midnight at which the study's first day begins. [s]"""
        return t - self._clock.day_start_s

    def base_kw(self, floor_kw: FloatArray) -> FloatArray:
        """Injections of the state with no DER at work, to which limits are relaxed. [kW]"""
        return np.where(self._flexible, floor_kw, 0.0)

    def actual(self, step: SimTime) -> LdaConditions:
        """What comes in the physical step at ``step``."""
        if self._now is None or self._now[0] != step:
            comes = self._comes(step)
            row = self._row(comes, step)
            profile = comes.profile[row]
            around = self._surroundings(
                step, self._clock.step_s, sun=profile, profile=profile, level=float(comes.level[row])
            )
            conditions = LdaConditions(
                demand_kw=comes.demand_kw[row],
                demand_kvar=comes.demand_kvar[row],
                ders=self.behaviour.actual(around),
            )
            self._now = (step, conditions)
        return self._now[1]

    def vehicles_kw(self, step: SimTime) -> FloatArray:
        """Charging on arrival of each feeder's vehicles, part of its demand, shape (feeders,). [kW]"""
        comes = self._comes(step)
        charging: FloatArray = comes.vehicles_kw[self._row(comes, step)]
        return charging

    def demand(self, step: SimTime) -> tuple[FloatArray, FloatArray]:
        """Demand in the physical step at ``step``, shapes (loads,). [kW, kvar]"""
        comes = self._comes(step)
        row = self._row(comes, step)
        return comes.demand_kw[row], comes.demand_kvar[row]

    def day_ahead_demand(self, begin: SimTime, length_s: int) -> DayAheadDemand:
        """Forecast of the day before for a stretch of time, the lead-in among the first day."""
        issue = self._clock.day_ahead_issue(max(self._clock.day_of(begin), 0))
        middle = np.array([begin + length_s // 2])
        load_factor, _ = self._factors(np.array([begin]), issue)
        kw, kvar, _ = self._expected_demand(middle, self._shape(middle), load_factor)
        sigma = self._forecast.standard_deviation(begin - issue)
        return DayAheadDemand(kw=kw[0], kvar=kvar[0], sigma=sigma)

    def forecast_sigma(self, ahead_s: int) -> float:
        """Standard deviation of the relative error of demand and sun so long after a forecast's issue."""
        return self._forecast.standard_deviation(ahead_s)

    def error_paths(
        self, target: IntArray, issue: SimTime, paths_count: int
    ) -> tuple[FloatArray, FloatArray]:
        """Demand and sun over what is forecast of them, as the forecast's errors may have it.

        Paths are drawn as the errors themselves are, but not with them: nobody knows those.

        Parameters
        ----------
        target
            Study times, shape (times,). [s]
        issue
            Study time of the forecast. [s]

        Returns
        -------
        tuple
            Two arrays of shape (times, paths).
        """
        stream = PATH_STREAMS + 2 * self.place
        demand, sun = (self._forecast.error(target, issue, stream + k, paths_count) for k in range(2))
        return 1.0 / np.maximum(1.0 + demand, LEAST_FACTOR), 1.0 / np.maximum(1.0 + sun, LEAST_FACTOR)

    def expected(self, target: SimTime, issue: SimTime) -> LdaConditions:
        """Forecast for the market interval at ``target``, issued at ``issue``."""
        middle = np.array([target + self._clock.market_s // 2])
        load_factor, sun_factor = self._factors(np.array([target]), issue)
        profile = self._profiles(middle)
        sun = np.clip(profile * sun_factor[:, None], 0.0, 1.0)
        kw, kvar, level = self._expected_demand(middle, self._shape(middle), load_factor)
        around = self._surroundings(
            target,
            self._clock.market_s,
            sun=sun[0],
            profile=profile[0] * load_factor[0],
            level=float(level[0]),
        )
        ders = self.behaviour.expected(around, self._local_s(issue))
        return LdaConditions(demand_kw=kw[0], demand_kvar=kvar[0], ders=ders)

    def expected_day(self, day: int, issue: SimTime) -> list[LdaConditions]:
        """Forecast for the 24 hours of a market day, issued at ``issue``."""
        begin = np.array(self._clock.day_hours(day))
        middle = begin + HOUR_S // 2
        load_factor, sun_factor = self._factors(begin, issue)
        series = self._system.series("day_ahead", day)
        shape = series.area_shape[:, series.areas.tolist().index(self._area)]
        profile = self._profiles(middle)
        sun = profile * sun_factor[:, None]
        if self._system.case.series == "rts_gmlc":
            p_max = self._system.case.units.p_max_mw
            for k, unit in enumerate(self._profile_units):
                if unit is not None:
                    sun[:, k] = series.available_mw[:, unit] / p_max[unit]
        sun = np.clip(sun, 0.0, 1.0)
        kw, kvar, level = self._expected_demand(middle, shape, load_factor)
        hours = []
        for h, hour in enumerate(begin.tolist()):
            around = self._surroundings(
                hour, HOUR_S, sun=sun[h], profile=profile[h] * load_factor[h], level=float(level[h])
            )
            ders = self.behaviour.expected(around, self._local_s(issue))
            hours.append(LdaConditions(demand_kw=kw[h], demand_kvar=kvar[h], ders=ders))
        return hours

    def _surroundings(
        self, begin: SimTime, length_s: int, *, sun: FloatArray, profile: FloatArray, level: float
    ) -> Surroundings:
        """``sun``: what the sun gives over rated power, as a row of `_profiles`; ``profile``: such a row with
        the error that demand is expected with.
        """
        own = np.where(self._has_profile, np.clip(profile[self._sun_column], 0.0, 1.0), np.nan)
        return Surroundings(
            t_s=self._local_s(begin), length_s=length_s, sun=sun[self._sun_column], profile=own, level=level
        )

    def idle_kw(self, conditions: LdaConditions, state: FleetState) -> FloatArray:
        """Injections if nobody uses the DERs' flexibility, shape (ders,). [kW]

        Batteries and generators rest, vehicles charge on arrival, other demand is served and the sun taken as
        they come.
        """
        alone = np.zeros(len(self.fleet))
        asked = self.behaviour.passive_kw(state, conditions.ders, alone)
        return self.behaviour.feasible(state, conditions.ders).clip(asked)

    def uncoordinated_kw(self, conditions: LdaConditions, state: FleetState) -> tuple[FloatArray, FleetState]:
        """Injections if every DER serves its own site, and the state that they leave."""
        possible = self.behaviour.feasible(state, conditions.ders)
        site = self._site_kw(conditions.demand_kw, self.idle_kw(conditions, state))
        p = possible.clip(self.behaviour.passive_kw(state, conditions.ders, site))
        return p, self.behaviour.advance(state, p, conditions.ders)[0]

    def set_points_kw(self, step: SimTime, state: FleetState, set_point_kw: FloatArray) -> FloatArray:
        """Set-points of a physical step: those given, and their own of DERs that do not follow them. [kW]"""
        directed = self.directed(step)
        if directed.all():
            return set_point_kw
        own, _ = self.uncoordinated_kw(self.actual(step), state)
        return np.where(directed, set_point_kw, own)

    def site_kw(self, step: SimTime, p_kw: FloatArray) -> FloatArray:
        """Demand less photovoltaics at each DER's own bus, shape (ders,). [kW]"""
        return self._site_kw(self.actual(step).demand_kw, p_kw)

    def _site_kw(self, demand_kw: FloatArray, p_kw: FloatArray) -> FloatArray:
        of_load, of_der = self._sites
        buses = 1 + int(max(of_load.max(initial=-1), of_der.max(initial=-1)))
        net: FloatArray = np.bincount(of_load, weights=demand_kw, minlength=buses).astype(np.float64)
        passive = np.where(self.behaviour.follows_site, 0.0, p_kw)
        net -= np.bincount(of_der, weights=passive, minlength=net.size)
        site: FloatArray = net[of_der]
        return site

    @cached_property
    def _sites(self) -> tuple[IntArray, IntArray]:
        """Number of the bus of each load and of each DER."""
        place: dict[str, int] = {}
        feeders = zip(self._prefixes, self._feeders, strict=True)
        names = [f"{prefix}{load.bus}" for prefix, f in feeders for load in f.tables.loads]
        loads = np.array([place.setdefault(name, len(place)) for name in names], dtype=np.int64)
        ders = [place.setdefault(bus, len(place)) for bus in self.fleet.bus]
        return loads, np.array(ders, dtype=np.int64)

    def load_node_mask(self, circuit: Circuit) -> BoolArray:
        """Which nodes of a circuit have a load, shape (nodes,)."""
        nodes = {
            f"{prefix}{load.bus}.{phase}".lower()
            for prefix, f in zip(self._prefixes, self._feeders, strict=True)
            for load in f.tables.loads
            for phase in load.phases
        }
        return np.array([name.lower() in nodes for name in circuit.node_names], dtype=np.bool_)

    def tap_moves(self, circuit: Circuit, before: FloatArray) -> FloatArray:
        """Tap steps made since ``before`` by each feeder's regulators, shape (feeders,)."""
        moved = np.abs(circuit.taps() - before)
        return np.array(
            [
                sum(
                    moved[k]
                    for k, name in enumerate(circuit.layout.regulators)
                    if name.lower().startswith(prefix.lower())
                )
                for prefix in self._prefixes
            ],
            dtype=np.float64,
        )

    def _comes(self, step: SimTime) -> _ActualDay:
        """The market day that holds ``step``."""
        day = max(self._clock.day_of(step), 0)
        if day not in self._kept:
            self._kept = {d: kept for d, kept in self._kept.items() if d == day - 1} | {day: self._day(day)}
        return self._kept[day]

    def _row(self, comes: _ActualDay, step: SimTime) -> int:
        return int((step - comes.t[0]) // self._clock.step_s)

    def _day(self, day: int) -> _ActualDay:
        begin = self._clock.midnight(day)
        first = begin - LEAD_IN_PHYSICS_S if day == 0 else begin
        t = np.arange(first, begin + DAY_STEPS_S, self._clock.step_s)
        middle = t + self._clock.step_s // 2
        shape = self._shape(middle)
        own = middle - self._clock.day_start_s
        parts = [actual_demand(f.demand, own, shape) for f in self._feeders]
        return _ActualDay(
            day=day,
            t=t,
            demand_kw=np.concatenate([p.p_kw for p in parts], axis=1),
            demand_kvar=np.concatenate([p.q_kvar for p in parts], axis=1),
            vehicles_kw=np.stack([_charging(f.demand, own) for f in self._feeders], axis=1),
            profile=self._profiles(middle),
            level=shape,
        )

    def _expected_demand(
        self, t: IntArray, shape: FloatArray, factor: FloatArray
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        own = t - self._clock.day_start_s
        parts = [expected_demand(f.demand, own, shape) for f in self._feeders]
        return (
            np.concatenate([p.p_kw for p in parts], axis=1) * factor[:, None],
            np.concatenate([p.q_kvar for p in parts], axis=1) * factor[:, None],
            shape * factor,
        )

    def _factors(self, target: IntArray, issue: SimTime) -> tuple[FloatArray, FloatArray]:
        """One plus the relative forecast error of demand and of sun, each of shape (times,)."""
        stream = LDA_STREAMS + 2 * self.place
        load = self._forecast.error(target, issue, stream, 1)[:, 0]
        sun = self._forecast.error(target, issue, stream + 1, 1)[:, 0]
        return np.maximum(1.0 + load, 0.0), np.maximum(1.0 + sun, 0.0)

    def _shape(self, t: IntArray) -> FloatArray:
        series = self._system.series("real_time", max(self._clock.day_of(int(t[-1])), 0))
        column = series.area_shape[:, [series.areas.tolist().index(self._area)]]
        shape: FloatArray = interpolated(series, column, t.astype(np.float64))[:, 0]
        return shape

    def _profiles(self, t: IntArray) -> FloatArray:
        """What the sun gives over rated power: each feeder's own, then the profiles of their files.

        Shape (times, feeders + profiles). The lead-in sees the profiles' value at the study's start.
        """
        series = self._system.series("real_time", max(self._clock.day_of(int(t[-1])), 0))
        p_max = self._system.case.units.p_max_mw
        columns = []
        for unit in self._profile_units:
            if unit is None:
                columns.append(clear_sky((t - self._clock.day_start_s) % DAY_STEPS_S))
            else:
                values = series.available_mw[:, [unit]] / p_max[unit]
                columns.append(interpolated(series, values, t.astype(np.float64))[:, 0])
        own = np.maximum(t, 0) - self._clock.day_start_s
        files = [f.profiles.at(own) for f in self._feeders if f.profiles]
        return np.concatenate([np.stack(columns, axis=1), *files], axis=1)


def _charging(demand: Demand, t_local_s: IntArray) -> FloatArray:
    """What a feeder's vehicles draw together, shape (times,). [kW]"""
    total: FloatArray = charging_kw(demand.vehicles, t_local_s, demand.peak_kw.size).sum(axis=1)
    return total


def _simulated(lda: Lda, group: FeederGroup, place: int, midnight: datetime) -> _SimulatedFeeder:
    tables = feeder_tables(group, place)
    seed_id = group.seed_id + place
    mix = jittered(_mix(lda, group), group.jitter, seed_id)
    fleet = build_fleet(tables, mix, seed_id)
    profiles = None if group.der_profiles is None else read_profiles(group.der_profiles, midnight)
    rows = _table(lda, group, tables, profiles)
    demand = build_demand(tables, mix, fleet, seed_id)
    if rows:
        fleet = joined([fleet, attached_fleet(tables, rows, fleet, seed_id)])
    return _SimulatedFeeder(
        name=f"{group.name}{place + 1}",
        group=group,
        tables=tables,
        fleet=fleet,
        demand=demand,
        follows=("",) * (len(fleet) - len(rows)) + tuple(row.profile for row in rows),
        profiles=profiles,
    )


def _table(lda: Lda, group: FeederGroup, tables: Feeder, profiles: Profiles | None) -> tuple[TabledDer, ...]:
    """DERs of a group's table, in the order of their fleet."""
    if group.der_table is None:
        return ()
    return read_der_table(
        group.der_table,
        tables,
        aggregators=[DEFAULT_SUPPLIER, *(aggregator.name for aggregator in lda.aggregators)],
        profiles=() if profiles is None else profiles.names,
    )


def _mix(lda: Lda, group: FeederGroup) -> Mix:
    owner = {kind: name for (of, kind), name in lda.aggregator_of().items() if of == group.name}
    return Mix(ders=group.ders, load_scale=group.load_scale, evening_bump=group.evening_bump, owner=owner)


def _instance(feeder: _SimulatedFeeder) -> FeederInstance:
    group, tables = feeder.group, feeder.tables
    overrides: Sequence[RegulatorOverride] = [
        RegulatorOverride(
            name=regulator.name,
            v_set_v=tuple(
                group.regulators.v_set.get(regulator.name, published) for published in regulator.v_set_v
            ),
            ldc=group.regulators.line_drop_compensation,
        )
        for regulator in tables.regulators
    ]
    fleet = feeder.fleet
    return FeederInstance(
        prefix=feeder.name,
        feeder=tables,
        line_length_scale=group.line_length_scale,
        load_scale=group.load_scale,
        regulators=tuple(overrides),
        ders=tuple(
            DerAttachment(id=f"{feeder.name}_{name}", bus=bus, phases=phases)
            for name, bus, phases in zip(fleet.ids, fleet.bus, fleet.phases, strict=True)
        ),
    )


def _rating_mva(tables: Feeder) -> float:
    """What a feeder adds to the rating of its substation. [MVA]"""
    return tables.rating_mva if isinstance(tables, OpenDssFeeder) else SUBSTATION_MVA_PER_FEEDER
