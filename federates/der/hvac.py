"""Heat pumps and air conditioners that keep rooms inside a comfort band."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.der_settings import HvacSettings
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
WARMEST_S = 16 * 3_600
WEATHER_SPREAD_C = 1.0
"""A day is warmer or colder than forecast by up to this. [K]"""
ROOM_SPREAD = 0.1
"""Greatest departure of a site's thermal resistance from the settings', either way."""
MIDDLE = 0.5
_SIGN = "hvac_sign"
"""1 where heat is stored, -1 where cold is."""
_CONDUCTANCE = "hvac_kw_per_c"
"""Heat that passes the walls. [kW/K]"""
_EDGE_C = "hvac_edge_c"
"""Edge of the band at which the store is empty. [deg C]"""
_OUTDOOR_C, _SWING_C = "hvac_outdoor_c", "hvac_swing_c"
"""Mean outdoor temperature [deg C] and swing [K] of the day."""


class Hvac(StoreModel[HvacSettings]):
    """Rooms as stores of heat or cold; the machines vary their speed."""

    kind = "hvac"

    def build(self, settings: HvacSettings, place: Placement) -> Fleet:
        """Machines at the loads where they are drawn, lumped by load; sites differ in their insulation."""
        load, units = lumped(place, settings.count, Stream.HVAC_PLACEMENT)
        devices = place.devices(load, units * settings.unit_kw, s_kva=units * settings.unit_kw)
        draw = device_draws(devices.seed_id, devices.rank, Stream.HVAC_ROOMS, 0, 1)[:, 0]
        resistance = settings.resistance_c_per_kw * (1.0 + ROOM_SPREAD * (2.0 * draw - 1.0)) / units
        capacitance = settings.capacitance_kwh_per_c * units
        band_c = settings.comfort_high_c - settings.comfort_low_c
        heats = settings.mode == "heat"

        def each(value: float) -> FloatArray:
            return np.full(load.size, value)

        return replace(
            devices,
            energy_kwh=capacitance * band_c,
            initial_kwh=MIDDLE * capacitance * band_c,
            charge_efficiency=each(settings.performance),
            leak_per_h=1.0 / (resistance * capacitance),
            own={
                UNITS: units,
                _SIGN: each(1.0 if heats else -1.0),
                _CONDUCTANCE: 1.0 / resistance,
                _EDGE_C: each(settings.comfort_low_c if heats else settings.comfort_high_c),
                _OUTDOOR_C: each(settings.outdoor_mean_c),
                _SWING_C: each(settings.outdoor_swing_c),
            },
        )

    def actual(self, devices: Fleet, around: Surroundings) -> Interval:
        """Weather with the day's departure from its forecast, one for each feeder."""
        day = (around.t_s + around.length_s // 2) // DAY_S
        feeder = np.zeros_like(devices.rank)  # one draw for all devices of a feeder
        draw = device_draws(devices.seed_id, feeder, Stream.WEATHER, day, 1)[:, 0]
        return self._weathered(devices, around, WEATHER_SPREAD_C * (2.0 * draw - 1.0))

    def expected(self, devices: Fleet, around: Surroundings, issue_s: int) -> Interval:
        """Weather as forecast."""
        del issue_s
        return self._weathered(devices, around, np.zeros(len(devices)))

    def _weathered(self, devices: Fleet, around: Surroundings, warmer_c: FloatArray) -> Interval:
        own = devices.own
        middle_s = around.t_s + around.length_s / 2
        swing = math.cos(2.0 * math.pi * (middle_s - WARMEST_S) / DAY_S)
        outdoor_c = own[_OUTDOOR_C] + own[_SWING_C] * swing + warmer_c
        gain = own[_SIGN] * own[_CONDUCTANCE] * (outdoor_c - own[_EDGE_C])
        return replace(
            plain_interval(around.length_s, -devices.power_kw, np.zeros(len(devices))), flow_kw=gain
        )

    def feasible(self, devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
        """Powers that keep the band."""
        return comfort_range(devices, state, interval)

    def passive_kw(
        self, devices: Fleet, state: FleetState, interval: Interval, site_kw: FloatArray
    ) -> FloatArray:
        """The thermostat's: back to the middle of the band."""
        del site_kw
        return hold_kw(devices, state, interval, MIDDLE)

    def worth(self, devices: Fleet) -> StoreWorth:
        """As that of any room or tank."""
        return comfort_worth(devices)

    def advance(self, devices: Fleet, state: FleetState, p_kw: FloatArray, interval: Interval) -> Step:
        """Heat or cold left, and the minutes outside the band."""
        return comfort_step(devices, state, p_kw, interval)
