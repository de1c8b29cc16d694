"""The bulk system of a study: its case, its series, what lies outside the LDAs, and what is forecast of it.

The load of an LDA's bus has two parts: the LDA's own interchange, and a fixed residual that stays outside it:
residual = bus series - gross base demand of the LDA's simulated feeders times multiplicity, never negative.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Literal

import numpy as np

from federates.cases.case import Series, TransmissionCase
from federates.cases.reader import read_case, read_series
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.core.forecast import ForecastModel
from federates.core.settings import DerOptOut, FeederGroup, LinkLoss, Study, UnitTrip
from federates.core.time import DAY_S, LEAD_IN_PHYSICS_S, SimTime
from federates.distribution.generator import synthetic_feeder
from federates.distribution.model import Feeder
from federates.distribution.tables import read_feeder
from federates.scenario.reserves import required_mw

LOAD_STREAM, PRODUCTION_STREAM = 0, 1
LDA_STREAMS = 16
"""First forecast stream of the LDAs; each takes two, by its place in the study."""
KW_PER_MW = 1_000.0
HOUR_AHEAD_S = 3 * 3_600
"""How far the hour-ahead commitment looks. [s]"""


def system_case(study: Study) -> TransmissionCase:
    """The transmission case of a study, stress factors applied."""
    t = study.transmission
    return read_case(
        t.kind,
        path=getattr(t, "path", None),
        stress=t.rating_factors,
        voltage_support=getattr(t, "voltage_support", False),
    )


def forecast_model(study: Study) -> ForecastModel:
    """How the forecasts of a study differ from what comes."""
    f = study.forecast
    return ForecastModel(kind=f.kind, sigma_short=f.sigma_5min, sigma_day=f.sigma_day, seed=study.seed)


def feeder_tables(group: FeederGroup, place: int) -> Feeder:
    """Tables of the ``place``-th simulated feeder of a group."""
    model = group.model
    if model.kind == "synthetic":
        return _synthetic(model.nodes, group.seed_id + place)
    return _tables(model.path) if model.kind == "table" else _master(model.path, model.head_bus)


@cache
def _tables(path: Path) -> Feeder:
    return read_feeder(path)


@cache
def _master(path: Path, head_bus: str | None) -> Feeder:
    from federates.distribution.master import read_master  # its engine only where a study has such a file

    return read_master(path, head_bus)


@cache
def _synthetic(nodes: int, seed: int) -> Feeder:
    return synthetic_feeder(nodes, seed)


def load_area(study: Study, lda_place: int, case: TransmissionCase) -> int:
    """Area of the case whose load shape an LDA's customers follow."""
    lda = study.ldas[lda_place]
    return lda.load_area if lda.load_area is not None else int(case.buses.area[case.buses.index(lda.bus)])


def without_interiors(study: Study) -> Study:
    """A study as seen from above the interfaces: no feeder, DER or aggregator, and no event among them."""
    outside = [e for e in study.events if not isinstance(e, DerOptOut) and not _is_inside(e)]
    ldas = [lda.model_copy(update={"feeders": (), "aggregators": ()}) for lda in study.ldas]
    return study.model_copy(update={"ldas": tuple(ldas), "events": tuple(outside)})


def _is_inside(event: object) -> bool:
    return isinstance(event, LinkLoss) and "iso" not in {event.sender, event.receiver}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayBlock:
    """Actual series of one market day and its margins, on the physical grid."""

    t_s: IntArray
    """Study time of each physical step, shape (steps,). [s]"""
    residual_mw: FloatArray
    """Load outside LDAs, shape (steps, buses). [MW]"""
    available_mw: FloatArray
    """Greatest output of each unit, shape (steps, units). [MW]"""

    def place(self, t: SimTime) -> int:
        """Row of a physical step."""
        return int((t - self.t_s[0]) // (self.t_s[1] - self.t_s[0]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """What the ISO expects of some market intervals; time is the first axis."""

    load_mw: FloatArray
    """Load outside LDAs, shape (intervals, buses). [MW]"""
    available_mw: FloatArray
    """Greatest output of each unit, shape (intervals, units). [MW]"""
    inflow_mw: FloatArray
    """Natural inflow of stores, shape (intervals, units). [MW]"""
    required_mw: FloatArray
    """Reserve requirements, shape (intervals, requirements). [MW]"""


class SystemScenario:
    """The bulk system of a study."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.case = system_case(study)
        self.clock = study.clock
        self.lda_bus: IntArray = np.array([self.case.buses.index(lda.bus) for lda in study.ldas])
        base = self.case.buses
        self.mvar_per_mw: FloatArray = np.divide(
            base.load_mvar, base.load_mw, out=np.zeros_like(base.load_mw), where=base.load_mw > 0
        )
        """Reactive over active load of each bus in the base case, shape (buses,)."""
        self._forecast = forecast_model(study)
        self._series: dict[tuple[str, int], Series] = {}
        self._blocks: dict[int, DayBlock] = {}
        self._residual_of: tuple[Series, FloatArray] | None = None
        self._required_of: tuple[Series, FloatArray] | None = None

    def forget_interiors(self) -> None:
        """Keep of every LDA what it draws together, and nothing of what is inside it."""
        peaks_mw = self._gross_peak_mw  # worked out while the feeders are known
        self.study = without_interiors(self.study)
        self._gross_peak_mw = peaks_mw

    def series(self, resolution: Literal["day_ahead", "real_time"], day: int) -> Series:
        """Series of one market day, in real time with room for the look-ahead on both sides."""
        key = (resolution, day)
        if key not in self._series:
            market = self.study.market
            ahead_s = max(
                market.look_ahead * self.clock.market_s, HOUR_AHEAD_S if market.hour_ahead else 3_600
            )
            margin = ahead_s if resolution == "real_time" else 0
            begin = self.clock.midnight(day)
            self._series = {k: s for k, s in self._series.items() if abs(k[1] - day) <= 1}
            self._series[key] = read_series(
                self.case, self.clock, resolution, begin - margin, begin + DAY_S + margin
            )
        return self._series[key]

    @cached_property
    def _gross_peak_mw(self) -> FloatArray:
        """Gross base demand of each LDA at shape 1, multiplicity included, shape (ldas,). [MW]"""
        peaks = np.zeros(len(self.study.ldas))
        for place, lda in enumerate(self.study.ldas):
            for group in lda.feeders:
                for k in range(group.count):
                    kw = sum(load.kw for load in feeder_tables(group, k).loads)
                    peaks[place] += kw * group.load_scale * lda.multiplicity / KW_PER_MW
        return peaks

    def _residual_mw(self, series: Series) -> FloatArray:
        """Load outside LDAs of each value of a series, shape (times, buses). [MW]"""
        load = series.load_mw.copy()
        areas = series.areas.tolist()
        for place, bus in enumerate(self.lda_bus):
            area = load_area(self.study, place, self.case)
            if area not in areas:
                raise ConfigError(
                    f"{self.study.ldas[place].name}: no load series of area {area}; areas are {areas}"
                )
            load[:, bus] -= self._gross_peak_mw[place] * series.area_shape[:, areas.index(area)]
            least = float(load[:, bus].min())
            if least < 0.0:
                lda = self.study.ldas[place]
                raise ConfigError(
                    f"{lda.name}: its feeders draw up to {-least:.1f} MW more than bus {lda.bus} has; lower "
                    "multiplicity, count or load_scale, or choose another bus"
                )
        return load

    def block(self, t: SimTime) -> DayBlock:
        """Actual series of the market day that holds ``t`` (the lead-in belongs to the first day)."""
        day = max(self.clock.day_of(t), 0)
        if day not in self._blocks:
            self._blocks = {day: self._build_block(day)}
        return self._blocks[day]

    def _build_block(self, day: int) -> DayBlock:
        series = self.series("real_time", day)
        begin = self.clock.midnight(day)
        first = begin - LEAD_IN_PHYSICS_S if day == 0 else begin
        t = np.arange(first, begin + DAY_S, self.clock.step_s)
        middle: FloatArray = (t + self.clock.step_s / 2).astype(np.float64)
        return DayBlock(
            t_s=t,
            residual_mw=interpolated(series, self._residual_mw(series), middle),
            available_mw=interpolated(series, series.available_mw, middle),
        )

    def expected(self, t: SimTime, issue: SimTime, intervals: int = 1) -> Expected:
        """Forecast for market intervals from ``t`` on, issued at ``issue``.

        What lies beyond the study's end is taken to be as its last interval.
        """
        series = self.series("real_time", max(self.clock.day_of(t), 0))
        begins = t + self.clock.market_s * np.arange(intervals)
        begins = np.minimum(begins, self.clock.duration_s - self.clock.market_s)
        each = max(self.clock.market_s // series.length_s, 1)
        rows = (begins - series.t_s[0])[:, None] // series.length_s + np.arange(each)

        def means(values: FloatArray) -> FloatArray:
            mean: FloatArray = values[rows].mean(axis=1)
            return mean

        load, available = means(self._residual(series)), means(series.available_mw)
        load, available = self._with_error(load, available, begins, issue)
        return Expected(
            load_mw=load,
            available_mw=available,
            inflow_mw=means(series.inflow_mw),
            required_mw=means(self._required(series, "real_time")),
        )

    def inflow_mw(self, t: SimTime) -> FloatArray:
        """Natural inflow of stores in the market interval at ``t``, shape (units,). [MW]"""
        series = self.series("real_time", max(self.clock.day_of(t), 0))
        first = (t - int(series.t_s[0])) // series.length_s
        mean: FloatArray = series.inflow_mw[
            first : first + max(self.clock.market_s // series.length_s, 1)
        ].mean(axis=0)
        return mean

    def _residual(self, series: Series) -> FloatArray:
        """Load outside LDAs, kept for the series at hand."""
        if self._residual_of is None or self._residual_of[0] is not series:
            self._residual_of = (series, self._residual_mw(series))
        return self._residual_of[1]

    def _required(self, series: Series, resolution: Literal["day_ahead", "real_time"]) -> FloatArray:
        """Reserve requirements, kept for the series at hand."""
        if self._required_of is None or self._required_of[0] is not series:
            found = required_mw(self.study.market.reserves, self.case, self.clock, resolution, series)
            self._required_of = (series, found)
        return self._required_of[1]

    def expected_day(self, day: int, issue: SimTime) -> tuple[FloatArray, FloatArray, Series]:
        """Day-ahead forecast of a market day: 24 hours of load outside LDAs, unit availability, the series.

        Where the case has day-ahead series of its own, its wind and sun are already forecasts.
        """
        series = self.series("day_ahead", day)
        load = self._residual_mw(series)
        if self.case.series == "rts_gmlc":
            error = self._load_error(series.t_s, issue)
            return load * (1.0 + error), series.available_mw, series
        load, available = self._with_error(load, series.available_mw, series.t_s, issue)
        return load, available, series

    def required_day(self, day: int) -> FloatArray:
        """Reserve requirements of a market day, shape (24, requirements). [MW]"""
        return self._required(self.series("day_ahead", day), "day_ahead")

    def _load_error(self, target_s: IntArray, issue: SimTime) -> FloatArray:
        areas, column = np.unique(self.case.buses.area, return_inverse=True)
        return self._forecast.error(target_s, issue, LOAD_STREAM, areas.size)[:, column]

    def _with_error(
        self, load: FloatArray, available: FloatArray, target_s: IntArray, issue: SimTime
    ) -> tuple[FloatArray, FloatArray]:
        load = load * np.maximum(0.0, 1.0 + self._load_error(target_s, issue))
        error = self._forecast.error(target_s, issue, PRODUCTION_STREAM, available.shape[1])
        p_max = self.case.units.p_max_mw
        moves = self.case.units.of_kind("wind", "pv", "rtpv")
        available = np.where(moves, np.clip(available * (1.0 + error), 0.0, p_max), available)
        return load, available

    def tripped(self, t: SimTime) -> BoolArray:
        """Units that an event of the study holds off at ``t``, shape (units,)."""
        off = np.zeros(len(self.case.units.ids), dtype=np.bool_)
        for event in self.study.events:
            if isinstance(event, UnitTrip) and event.at_s <= t < event.at_s + event.duration_s:
                off[self.case.units.ids.index(event.unit)] = True
        return off


def interpolated(series: Series, values: FloatArray, t_s: FloatArray) -> FloatArray:
    """Values of a series at instants, linear between the middles of its intervals, held at its ends.

    Parameters
    ----------
    series
        Whose grid the values have.
    values
        Shape (times, n).
    t_s
        Instants, shape (instants,). [s]
    """
    x = (t_s - series.t_s[0] - series.length_s / 2) / series.length_s
    x = np.clip(x, 0.0, len(series.t_s) - 1)
    low = np.minimum(np.floor(x).astype(np.int64), len(series.t_s) - 2)
    weight = (x - low)[:, None]
    result: FloatArray = values[low] * (1.0 - weight) + values[low + 1] * weight
    return result
