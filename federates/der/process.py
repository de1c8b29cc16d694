"""Flexible process loads: energy that is wanted within a daily window, whenever in it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.der_settings import PROCESS_MOST, ProcessSettings
from federates.der.fleet import Fleet
from federates.der.model import (
    FleetState,
    Interval,
    PqRange,
    Step,
    StoreModel,
    StoreWorth,
    Surroundings,
    plain_interval,
    plain_step,
    pq_range,
    require_feasible,
)
from federates.der.placement import Placement
from federates.der.seeds import Stream, device_draws
from federates.der.store import charge_to_kw, stored_kwh

DAY_S = 86_400
PROCESS_SITES = 10
ENERGY_SPREAD = PROCESS_MOST - 1.0
"""Greatest departure of a day's energy from its mean, either way."""
KWH_PER_MWH = 1_000.0
_DAILY_KWH = "process_daily_kwh"
"""Mean energy wanted in a window. [kWh]"""
_BEGIN_S, _END_S = "process_begin_s", "process_end_s"
"""When the window opens and closes, time of day. [s]"""


class Process(StoreModel[ProcessSettings]):
    """The work of a day as a store that is empty when the window opens and should be full when it closes.

    What is then missing is forgone at its value of use.
    """

    kind = "process"

    def build(self, settings: ProcessSettings, place: Placement) -> Fleet:
        """Processes at loads drawn by peak, sized by it."""
        sites = PROCESS_SITES if settings.power_kw > 0.0 else 0
        load, weight = np.unique(place.drawn(sites, Stream.PROCESS_PLACEMENT), return_counts=True)
        share = weight / weight.sum() if load.size else np.zeros(0)
        daily = settings.daily_energy_kwh * share
        power, value = settings.power_kw * share, settings.value_of_use_usd_per_mwh
        devices = place.devices(load, power, s_kva=power)
        return replace(
            devices,
            energy_kwh=PROCESS_MOST * daily,
            value_usd_per_mwh=np.full_like(devices.value_usd_per_mwh, value),
            own={
                _DAILY_KWH: daily,
                _BEGIN_S: np.full(load.size, float(settings.window_begin_s)),
                _END_S: np.full(load.size, float(settings.window_end_s)),
            },
        )

    def actual(self, devices: Fleet, around: Surroundings) -> Interval:
        """The window, and what this day really wants."""
        draws = device_draws(devices.seed_id, devices.rank, Stream.PROCESS_ENERGY, around.t_s // DAY_S, 1)[
            :, 0
        ]
        wanted = devices.own[_DAILY_KWH] * (1.0 + ENERGY_SPREAD * (2.0 * draws - 1.0))
        return self._window(devices, around, wanted)

    def expected(self, devices: Fleet, around: Surroundings, issue_s: int) -> Interval:
        """The window, and what a mean day wants; the day's own order is known once its window is open."""
        day = around.t_s // DAY_S
        actual = self.actual(devices, around)
        opened = issue_s >= day * DAY_S + devices.own[_BEGIN_S]
        mean = self._window(devices, around, devices.own[_DAILY_KWH])
        return replace(mean, due_kwh=np.where(opened, actual.due_kwh, mean.due_kwh))

    def _window(self, devices: Fleet, around: Surroundings, wanted_kwh: FloatArray) -> Interval:
        begin, end = around.t_s % DAY_S, around.t_s % DAY_S + around.length_s
        opens, closes = devices.own[_BEGIN_S], devices.own[_END_S]
        inside = (opens <= begin) & (end <= closes)
        may_run = np.where(np.isnan(around.profile), 1.0, around.profile)
        least = np.where(inside, -devices.power_kw * may_run, 0.0)
        return replace(
            plain_interval(around.length_s, least, np.zeros(len(devices))),
            due_kwh=np.where(inside, wanted_kwh, 0.0),
            due_s=np.where(inside, closes - begin, np.inf),
            fresh=~inside,
        )

    def feasible(self, devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
        """From what is still wanted, as far as power allows, to nothing."""
        rest = charge_to_kw(devices, state, interval, interval.due_kwh)
        least = -np.clip(rest, 0.0, -interval.least_kw)
        return pq_range(devices, least, np.zeros_like(least), has_inverter=False)

    def passive_kw(
        self, devices: Fleet, state: FleetState, interval: Interval, site_kw: FloatArray
    ) -> FloatArray:
        """At once, at full power, until the day's energy is used."""
        del devices, state, site_kw
        return interval.least_kw

    def worth(self, devices: Fleet) -> StoreWorth:
        """Work that is missing when the window closes is forgone; what is done at the end saves buying it."""
        n = len(devices)
        return StoreWorth(
            discharge_kw=np.zeros(n),
            due_usd_per_mwh=devices.value_usd_per_mwh[:, 0],
            terminal_share=np.ones(n),
            terminal_below_kwh=devices.own[_DAILY_KWH],
        )

    def advance(self, devices: Fleet, state: FleetState, p_kw: FloatArray, interval: Interval) -> Step:
        """Work done in the window so far, and what is forgone when it closes."""
        require_feasible(devices, self.feasible(devices, state, interval), p_kw)
        level = np.maximum(stored_kwh(devices, state, p_kw, interval), 0.0)
        lacks = np.where(interval.is_last, np.maximum(interval.due_kwh - level, 0.0), 0.0)
        return plain_step(
            level,
            unserved_kwh=lacks,
            cost_usd=devices.value_usd_per_mwh[:, 0] * lacks / KWH_PER_MWH,
        )
