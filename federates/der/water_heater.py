"""Electric storage water heaters: well-mixed tanks from which hot water is drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.der_settings import WaterHeaterSettings
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
)
from federates.der.placement import Placement
from federates.der.seeds import Stream, device_draws
from federates.der.thermal import UNITS, comfort_range, comfort_step, comfort_worth, hold_kw, lumped

DAY_S = 86_400
S_PER_H = 3_600.0
ROOM_C = 20.0
"""Temperature around the tanks. [deg C]"""
DRAWS_COUNT = 6
"""Draws of a site and day."""
DRAW_S = 1_800
"""Length of one, all tanks of a site together. [s]"""
DRAW_HOURS = ((6.0, 9.0), (11.0, 13.0), (17.0, 21.0))
"""When they begin: a third each in the morning, around noon and in the evening, evenly."""
DRAW_SPREAD = 0.5
"""A draw's heat is uniform within this share of its mean, either way."""
FULL = 1.0
_LOSS_KW = "water_loss_kw"
"""Heat lost to the room at the lower edge of the band. [kW]"""
_DAILY_KWH = "water_daily_kwh"
"""Mean heat drawn in a day. [kWh]"""


class WaterHeater(StoreModel[WaterHeaterSettings]):
    """Tanks as stores of heat."""

    kind = "water_heater"

    def build(self, settings: WaterHeaterSettings, place: Placement) -> Fleet:
        """Tanks at the loads where they are drawn, lumped by load."""
        load, units = lumped(place, settings.count, Stream.WATER_PLACEMENT)
        power, capacitance = units * settings.unit_kw, units * settings.capacitance_kwh_per_c
        conductance = units / settings.resistance_c_per_kw
        energy = capacitance * (settings.comfort_high_c - settings.comfort_low_c)
        return replace(
            place.devices(load, power, s_kva=power),
            energy_kwh=energy,
            initial_kwh=FULL * energy,
            leak_per_h=conductance / capacitance,
            own={
                UNITS: units,
                _LOSS_KW: conductance * (settings.comfort_low_c - ROOM_C),
                _DAILY_KWH: units * settings.daily_draw_kwh,
            },
        )

    def actual(self, devices: Fleet, around: Surroundings) -> Interval:
        """The draws that fall into the interval."""
        begin, end = around.t_s, around.t_s + around.length_s
        drawn_kwh = np.zeros(len(devices))
        for day in range(begin // DAY_S - 1, (end - 1) // DAY_S + 1):
            draws = device_draws(devices.seed_id, devices.rank, Stream.WATER_DRAWS, day, 2 * DRAWS_COUNT)
            first, last = np.array(DRAW_HOURS * (DRAWS_COUNT // len(DRAW_HOURS))).T
            opens_s = day * DAY_S + S_PER_H * (first + (last - first) * draws[:, :DRAWS_COUNT])
            overlap_s = np.minimum(end, opens_s + DRAW_S) - np.maximum(begin, opens_s)
            size = 1.0 + DRAW_SPREAD * (2.0 * draws[:, DRAWS_COUNT:] - 1.0)
            part = np.clip(overlap_s, 0.0, None) / DRAW_S * size
            drawn_kwh += devices.own[_DAILY_KWH] * part.sum(axis=1) / DRAWS_COUNT
        return self._drawing(devices, around, drawn_kwh)

    def expected(self, devices: Fleet, around: Surroundings, issue_s: int) -> Interval:
        """The habit: as much in each part of the day, spread evenly over it."""
        del issue_s
        begin = around.t_s % DAY_S
        share = 0.0
        for first, last in DRAW_HOURS:
            opens, closes = S_PER_H * first, S_PER_H * last + DRAW_S
            overlap = min(begin + around.length_s, closes) - max(begin, opens)
            share += max(overlap, 0.0) / (closes - opens) / len(DRAW_HOURS)
        return self._drawing(devices, around, devices.own[_DAILY_KWH] * share)

    def _drawing(self, devices: Fleet, around: Surroundings, drawn_kwh: FloatArray) -> Interval:
        drawn_kw = drawn_kwh * S_PER_H / around.length_s
        return replace(
            plain_interval(around.length_s, -devices.power_kw, np.zeros(len(devices))),
            flow_kw=-devices.own[_LOSS_KW] - drawn_kw,
        )

    def feasible(self, devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
        """Powers that keep the water hot and the tank below its greatest temperature."""
        return comfort_range(devices, state, interval)

    def passive_kw(
        self, devices: Fleet, state: FleetState, interval: Interval, site_kw: FloatArray
    ) -> FloatArray:
        """The thermostat's: back to the upper edge of the band."""
        del site_kw
        return hold_kw(devices, state, interval, FULL)

    def worth(self, devices: Fleet) -> StoreWorth:
        """As that of any room or tank."""
        return comfort_worth(devices)

    def advance(self, devices: Fleet, state: FleetState, p_kw: FloatArray, interval: Interval) -> Step:
        """Heat left, and the minutes below or above the band."""
        return comfort_step(devices, state, p_kw, interval)
