"""The load, hydro, wind, solar and inflow series of RTS-GMLC over a window of study time.

What the files hold, and what is done here:

- Values are already in MW: the pointer file's scaling factors are not applied.
- Load columns ``1``, ``2``, ``3`` are areas; a bus takes its share of the area's base load.
- The real-time load is the day-ahead load times a constant of each area (hourly means agree to 3e-5): it is
  divided out, so that both tell of the same day. Forecast errors come from ``federates.core.forecast``.
- Wind and solar of the two resolutions differ by the data's own forecast error; the day-ahead series IS the
  day-ahead forecast.
- Day-ahead sun stands 0.2 to 0.5 h before real-time sun, for reasons the data do not tell; it is left so.
- Natural inflow of the CSP plant is thermal MW into its store and may exceed the turbine.
- The year is the leap year 2020 in local standard time, without zone or daylight saving.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from federates.cases.case import Series, TransmissionCase
from federates.cases.rts_files import day_rows, series_path
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.core.time import DAY_S, Clock

Resolution = Literal["day_ahead", "real_time"]
RT_LOAD_FACTOR = {1: 0.919786, 2: 0.998115, 3: 0.994338}
"""Real-time load over day-ahead load by area: mean of 8,784 hourly ratios, standard deviation 3e-5."""
LENGTH_S: dict[Resolution, int] = {"day_ahead": 3_600, "real_time": 300}
_PREFIX: dict[Resolution, str] = {"day_ahead": "DAY_AHEAD", "real_time": "REAL_TIME"}
_AVAILABLE = ("Hydro/{}_hydro.csv", "WIND/{}_wind.csv", "PV/{}_pv.csv", "RTPV/{}_rtpv.csv")
_INFLOW = "CSP/{}_Natural_Inflow.csv"
_LOAD = "Load/{}_regional_Load.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """Whole days of one resolution around a window of study time, and the part that was asked for."""

    clock: Clock
    resolution: Resolution
    begin_s: int
    end_s: int

    def __post_init__(self) -> None:
        if self.end_s <= self.begin_s:
            raise ConfigError(f"series window [{self.begin_s}, {self.end_s}) s is empty")

    @property
    def length_s(self) -> int:
        """Spacing of the values. [s]"""
        return LENGTH_S[self.resolution]

    @property
    def per_day(self) -> int:
        """Values a day."""
        return DAY_S // self.length_s

    @property
    def first_day(self) -> int:
        """Market day that holds the window's beginning."""
        return self.clock.day_of(self.begin_s)

    @property
    def days(self) -> int:
        """Days that the window touches."""
        return self.clock.day_of(self.end_s - 1) - self.first_day + 1

    @property
    def t_s(self) -> IntArray:
        """Beginning of every value of the whole days. [s]"""
        return self.clock.midnight(self.first_day) + self.length_s * np.arange(
            self.days * self.per_day, dtype=np.int64
        )

    @property
    def inside(self) -> BoolArray:
        """Mask of the values that overlap the window."""
        t = self.t_s
        return (t + self.length_s > self.begin_s) & (t < self.end_s)

    def rows(self, name: str) -> tuple[list[str], FloatArray]:
        """Columns and values of a series file over the whole days; ``name`` has ``{}`` for the resolution."""
        first = self.clock.at(self.clock.midnight(self.first_day)).date()
        return day_rows(series_path(name.format(_PREFIX[self.resolution])), first, self.days, self.per_day)


def read_rts_series(
    case: TransmissionCase, clock: Clock, resolution: Resolution, begin_s: int, end_s: int
) -> Series:
    """RTS-GMLC series of every hour (day-ahead) or five minutes (real-time) that overlaps the window.

    Parameters
    ----------
    case : TransmissionCase
        As :func:`~federates.cases.rts_gmlc.read_rts_gmlc` gives it.
    clock : Clock
        Clock of the study.
    resolution : {"day_ahead", "real_time"}
        Hourly or five-minute series.
    begin_s, end_s : int
        Study times; may lie before the study's start or after its end. [s]

    Raises
    ------
    MissingInputError
        If the window leaves the year of the data, or a file is missing or broken.
    ConfigError
        If the window is empty or the case lacks a unit that the series name.
    """
    window = Window(clock=clock, resolution=resolution, begin_s=begin_s, end_s=end_s)
    inside = window.inside
    areas, area_load_mw = area_loads(window)
    available_mw = np.tile(case.units.p_max_mw, (inside.size, 1))
    for name in _AVAILABLE:
        columns, values_mw = window.rows(name)
        available_mw[:, _places(case, columns)] = values_mw
    inflow_mw = np.zeros_like(available_mw)
    columns, values_mw = window.rows(_INFLOW)
    inflow_mw[:, _places(case, columns)] = values_mw
    return Series(
        t_s=window.t_s[inside],
        length_s=window.length_s,
        load_mw=area_load_mw[inside] @ bus_shares(case, areas),
        available_mw=available_mw[inside],
        must_take=case.units.of_kind("hydro", "rtpv"),
        inflow_mw=inflow_mw[inside],
        area_shape=day_shape(area_load_mw, window.per_day)[inside],
        areas=areas,
    )


def area_loads(window: Window) -> tuple[IntArray, FloatArray]:
    """Area numbers and area loads over the window's whole days, shape (times, areas). [MW]"""
    columns, load_mw = window.rows(_LOAD)
    areas = np.array([int(column) for column in columns], dtype=np.int64)
    if window.resolution == "real_time":
        load_mw = load_mw / np.array([RT_LOAD_FACTOR[int(area)] for area in areas])
    return areas, load_mw


def day_shape(load_mw: FloatArray, per_day: int) -> FloatArray:
    """Load over its own greatest value of the day, in the shape of ``load_mw``."""
    by_day = load_mw.reshape(-1, per_day, load_mw.shape[1])
    shape: FloatArray = (by_day / by_day.max(axis=1, keepdims=True)).reshape(load_mw.shape)
    return shape


def bus_shares(case: TransmissionCase, areas: IntArray) -> FloatArray:
    """Share of each bus in its area's load, shape (areas, buses); rows add up to 1."""
    of_area = case.buses.area[None, :] == areas[:, None]
    load_mw = np.where(of_area, case.buses.load_mw[None, :], 0.0)
    shares: FloatArray = load_mw / load_mw.sum(axis=1, keepdims=True)
    return shares


def _places(case: TransmissionCase, columns: list[str]) -> IntArray:
    place = {unit: k for k, unit in enumerate(case.units.ids)}
    missing = [column for column in columns if column not in place]
    if missing:
        raise ConfigError(f"case {case.name!r} has no unit {missing[0]!r}, which the RTS-GMLC series name")
    return np.array([place[column] for column in columns], dtype=np.int64)
