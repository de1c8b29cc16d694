"""Fixed demand of the loads of one simulated feeder: what comes, and what its DSO can expect of it.

What comes at load i is peak_i (shape(t) + bump(t)) (1 + noise_i(t)) plus the charging of vehicles parked
there. Noise is an autoregressive process per load, drawn day by day, so that it does not depend on the window asked
for. The DSO expects the same without the noise, and the mean charging of its vehicles in place of their
sessions.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.signal import lfilter

from federates.core.arrays import FloatArray, IntArray
from federates.core.time import DAY_S
from federates.der.fleet import Mix
from federates.der.seeds import Stream, generator
from federates.distribution.model import Feeder

NOISE_SIGMA = 0.05
"""Relative standard deviation of a load's noise."""
NOISE_MEMORY_S = 1_800.0
"""Time in which the noise forgets all but 1/e."""
NOISE_STEP_S = 60
BUMP_AT_H, BUMP_WIDTH_H = 19.5, 1.5
ARRIVAL_H, ARRIVAL_SPREAD_H = 18.0, 1.5
ENERGY_SPREAD = 0.25
EV_POWER_FACTOR = 1.0
HOUR_S = 3_600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Sessions:
    """Charging sessions of one day; every array has shape (vehicles,)."""

    load: IntArray
    """Load at which the vehicle charges."""
    begin_s: FloatArray
    """Beginning, from midnight. [s]"""
    end_s: FloatArray
    """End, from midnight; may lie in the next day. [s]"""


class Demand:
    """Fixed demand of one feeder; times count from the midnight of the study's first day.

    Parameters
    ----------
    feeder
        The circuit.
    mix
        Scale, bump and vehicles.
    flexible_kw
        Part of each load's peak that is flexible, hence not fixed, shape (loads,). [kW]
    seed_id
        What the draws hang on.
    """

    def __init__(self, feeder: Feeder, mix: Mix, flexible_kw: FloatArray, seed_id: int) -> None:
        self._mix = mix
        self._seed_id = seed_id
        peak = np.array([load.kw for load in feeder.loads]) * mix.load_scale
        self.peak_kw: FloatArray = np.maximum(peak - flexible_kw, 0.0)
        """Fixed peak of each load, shape (loads,). [kW]"""
        kvar = np.array([load.kvar for load in feeder.loads]) * mix.load_scale
        share = np.divide(self.peak_kw, peak, out=np.ones_like(peak), where=peak > 0)
        self.peak_kvar: FloatArray = kvar * share
        """Reactive peak of each load, shape (loads,). [kvar]"""
        self._noise: dict[int, FloatArray] = {}
        self._sessions: dict[int, Sessions] = {}

    def actual(self, t_s: IntArray, shape: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Demand that comes, each of shape (times, loads). [kW], [kvar]

        Parameters
        ----------
        t_s
            Seconds from the midnight of the study's first day, shape (times,).
        shape
            Load of the customers' area over its peak, shape (times,).
        """
        level = self._level(t_s, shape)[:, None] * (1.0 + self._noise_at(t_s))
        return level * self.peak_kw + self._charging_kw(t_s), level * self.peak_kvar

    def expected(self, t_s: IntArray, shape: FloatArray, factor: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Demand that the DSO expects, each of shape (times, loads). [kW], [kvar]

        Parameters
        ----------
        t_s, shape
            As in `actual`.
        factor
            One plus the relative forecast error, shape (times,).
        """
        level = (self._level(t_s, shape) * factor)[:, None]
        return level * self.peak_kw + self._mean_charging_kw(t_s), level * self.peak_kvar

    def level(self, t_s: IntArray, shape: FloatArray) -> FloatArray:
        """Demand over peak without noise, shape (times,); flexible loads follow it too."""
        return self._level(t_s, shape)

    def _level(self, t_s: IntArray, shape: FloatArray) -> FloatArray:
        hour = (t_s % DAY_S) / HOUR_S
        bump = self._mix.evening_bump * np.exp(-0.5 * ((hour - BUMP_AT_H) / BUMP_WIDTH_H) ** 2)
        level: FloatArray = shape + bump
        return level

    def _noise_at(self, t_s: IntArray) -> FloatArray:
        day, row = t_s // DAY_S, (t_s % DAY_S) // NOISE_STEP_S
        noise = np.empty((t_s.size, self.peak_kw.size))
        for d in np.unique(day).tolist():
            here = day == d
            noise[here] = self._noise_of(int(d))[row[here]]
        return noise

    def _noise_of(self, day: int) -> FloatArray:
        """Noise of one day, each day begun afresh in its stationary state, shape (minutes, loads)."""
        if day not in self._noise:
            rows = DAY_S // NOISE_STEP_S
            keep = float(np.exp(-NOISE_STEP_S / NOISE_MEMORY_S))
            stream = generator(self._seed_id, Stream.DEMAND_NOISE, day)
            drawn = stream.standard_normal((rows, self.peak_kw.size))
            drawn[1:] *= np.sqrt(1.0 - keep**2)
            noise = NOISE_SIGMA * lfilter([1.0], [1.0, -keep], drawn, axis=0)
            self._noise = {d: n for d, n in self._noise.items() if d >= day - 1}
            self._noise[day] = np.maximum(noise, -1.0)
        return self._noise[day]

    @cached_property
    def _ev_share(self) -> FloatArray:
        """Chance that a vehicle charges at a load, by peak and distance, shape (loads,)."""
        n = self.peak_kw.size
        weight = self.peak_kw * np.where(np.arange(n) >= n / 2, self._mix.ev_far_weight, 1.0)
        share: FloatArray = weight / weight.sum()
        return share

    def _sessions_of(self, day: int) -> Sessions:
        if day not in self._sessions:
            mix = self._mix
            place = generator(self._seed_id, Stream.EV_PLACEMENT)
            draw = generator(self._seed_id, Stream.EV_SESSIONS, day)
            load = place.choice(self._ev_share.size, size=mix.ev_count, p=self._ev_share)
            begin = np.clip(draw.normal(ARRIVAL_H, ARRIVAL_SPREAD_H, mix.ev_count), 12.0, 23.5) * HOUR_S
            energy = mix.ev_daily_kwh * np.clip(draw.normal(1.0, ENERGY_SPREAD, mix.ev_count), 0.2, 2.0)
            length = energy / max(mix.ev_charger_kw, 1e-9) * HOUR_S
            self._sessions[day] = Sessions(load=load, begin_s=begin, end_s=begin + length)
        return self._sessions[day]

    def _charging_kw(self, t_s: IntArray) -> FloatArray:
        total = np.zeros((t_s.size, self.peak_kw.size))
        if self._mix.ev_count == 0:
            return total
        for day in range(int(t_s.min()) // DAY_S - 1, int(t_s.max()) // DAY_S + 1):
            sessions = self._sessions_of(day)
            since = t_s[:, None] - day * DAY_S
            on = (since >= sessions.begin_s) & (since < sessions.end_s)
            by_load = np.zeros((self.peak_kw.size, sessions.load.size))
            by_load[sessions.load, np.arange(sessions.load.size)] = self._mix.ev_charger_kw
            total += on @ by_load.T
        return total

    def _mean_charging_kw(self, t_s: IntArray) -> FloatArray:
        """Charging that arrival times and mean energy let expect, by the vehicles' parking places."""
        if self._mix.ev_count == 0:
            return np.zeros((t_s.size, self.peak_kw.size))
        length_h = self._mix.ev_daily_kwh / max(self._mix.ev_charger_kw, 1e-9)
        hour = (t_s % DAY_S) / HOUR_S
        hour = np.where(hour < 6.0, hour + 24.0, hour)
        arrived = _normal_cdf((hour - ARRIVAL_H) / ARRIVAL_SPREAD_H)
        left = _normal_cdf((hour - length_h - ARRIVAL_H) / ARRIVAL_SPREAD_H)
        sessions = self._sessions_of(0)
        parked = np.bincount(sessions.load, minlength=self.peak_kw.size) * self._mix.ev_charger_kw
        charging: FloatArray = (arrived - left)[:, None] * parked
        return charging


def _normal_cdf(x: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    share: FloatArray = ndtr(x)
    return share
