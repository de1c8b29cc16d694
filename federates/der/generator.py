"""Small generators: off, or between a least output and the rating; fuel, ramps and starts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from federates.core.der_settings import GeneratorSettings
from federates.der.fleet import Fleet
from federates.der.model import (
    FleetState,
    Interval,
    PqRange,
    PricedModel,
    Step,
    Surroundings,
    plain_interval,
    plain_step,
    pq_range,
    require_feasible,
)
from federates.der.offer import Blocks, PricePath
from federates.der.placement import Placement
from federates.der.seeds import Stream

KW_PER_MW = 1_000.0
MINUTES_PER_H = 60.0
RUNNING_KW = 1e-6
"""Output above which a generator counts as running. [kW]"""
_LEAST_KW = "generator_least_kw"
"""Least output of a running generator. [kW]"""
_RAMP_KW_PER_MIN = "generator_ramp_kw_per_min"
"""How far a running one moves in a minute. [kW/min]"""
_FUEL_USD_PER_MWH = "generator_fuel_usd_per_mwh"
"""Fuel and upkeep. [$/MWh]"""
_START_USD = "generator_start_usd"
"""Cost of a start. [$]"""
_CO2_KG_PER_MWH = "generator_co2_kg_per_mwh"
"""Emissions. [kg/MWh]"""


class SmallGenerator(PricedModel[GeneratorSettings]):
    """Generators that start to their least output and ramp from there."""

    kind = "generator"

    def build(self, settings: GeneratorSettings, place: Placement) -> Fleet:
        """Equal generators at loads drawn by peak."""
        count = settings.count if settings.power_kw > 0.0 else 0
        load = place.drawn(count, Stream.GENERATOR_PLACEMENT)
        power = np.full(count, settings.power_kw / settings.count)
        return replace(
            place.devices(load, power),
            own={
                _LEAST_KW: settings.least_output * power,
                _RAMP_KW_PER_MIN: settings.ramp_per_minute * power,
                _FUEL_USD_PER_MWH: np.full(count, settings.fuel_cost_usd_per_mwh),
                _START_USD: settings.start_cost_usd_per_mw * power / KW_PER_MW,
                _CO2_KG_PER_MWH: np.full(count, settings.co2_kg_per_mwh),
            },
        )

    def actual(self, devices: Fleet, around: Surroundings) -> Interval:
        """Ratings alone."""
        return plain_interval(around.length_s, np.zeros(len(devices)), devices.power_kw)

    def feasible(self, devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
        """What the ramp reaches from the last output; one that stands may start to its least output."""
        least, ramp = devices.own[_LEAST_KW], self._ramp_kw(devices, interval)
        running = state.p_kw > RUNNING_KW
        up = np.where(running, state.p_kw + ramp, np.maximum(least, ramp))
        down = np.where(state.p_kw - ramp > least, state.p_kw - ramp, 0.0)
        most = np.minimum(up, devices.power_kw)
        return pq_range(devices, np.minimum(down, most), most, has_inverter=False, p_running_kw=least)

    def offer(self, devices: Fleet, state: FleetState, interval: Interval, ahead: PricePath) -> Blocks:
        """From the least output to what the ramp reaches, at the cost of fuel, where running pays; else
        nothing.
        """
        possible = self.feasible(devices, state, interval)
        runs = pays_to_run(devices, state.p_kw > RUNNING_KW, ahead)
        floor = np.where(runs, np.maximum(possible.p_min_kw, devices.own[_LEAST_KW]), possible.p_min_kw)
        return Blocks(
            floor_kw=floor,
            width_kw=np.where(runs, possible.p_max_kw - floor, 0.0)[:, None],
            price_usd_per_mwh=devices.own[_FUEL_USD_PER_MWH][:, None],
        )

    def _ramp_kw(self, devices: Fleet, interval: Interval) -> FloatArray:
        return devices.own[_RAMP_KW_PER_MIN] * interval.hours * MINUTES_PER_H

    def passive_kw(
        self, devices: Fleet, state: FleetState, interval: Interval, site_kw: FloatArray
    ) -> FloatArray:
        """Nothing: it stands unless it is asked to run."""
        del state, interval, site_kw
        return np.zeros(len(devices))

    def advance(self, devices: Fleet, state: FleetState, p_kw: FloatArray, interval: Interval) -> Step:
        """Starts, fuel and emissions."""
        require_feasible(devices, self.feasible(devices, state, interval), p_kw)
        started: BoolArray = (state.p_kw <= RUNNING_KW) & (p_kw > RUNNING_KW)
        energy_mwh = p_kw * interval.hours / KW_PER_MW
        cost = self.cost_usd(devices, p_kw, interval) + np.where(started, devices.own[_START_USD], 0.0)
        return plain_step(
            state.energy_kwh,
            cost_usd=cost,
            started=started.astype(np.float64),
            co2_kg=devices.own[_CO2_KG_PER_MWH] * energy_mwh,
        )

    def cost_usd(self, devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """Fuel and upkeep."""
        return devices.own[_FUEL_USD_PER_MWH] * p_kw * interval.hours / KW_PER_MW


def pays_to_run(devices: Fleet, running: BoolArray, ahead: PricePath) -> BoolArray:
    """Whether each generator earns more by running in the first stretch of a price path than by standing.

    Backward over the path, with g the margin of a stretch at the better of least and rated output::

        on[t] = g[t] + max(on[t+1], off[t+1])        off[t] = max(off[t+1], on[t+1] - start)

    Parameters
    ----------
    running
        Whether it runs before, shape (ders,): starting costs, going on does not.
    """
    fuel, start = devices.own[_FUEL_USD_PER_MWH], devices.own[_START_USD]
    on, off = np.zeros(len(devices)), np.zeros(len(devices))
    for price, hours in zip(ahead.price_usd_per_mwh[::-1], ahead.length_h[::-1], strict=True):
        output = np.where(price > fuel, devices.power_kw, devices.own[_LEAST_KW])
        margin = (price - fuel) * output * hours / KW_PER_MW
        on, off = margin + np.maximum(on, off), np.maximum(off, on - start)
    runs: BoolArray = on - np.where(running, 0.0, start) > off
    return runs
