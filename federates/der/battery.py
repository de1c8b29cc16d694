"""Batteries: energy with an efficiency each way and, where stated, self-discharge, within bounds."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.der_settings import BatterySettings
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
from federates.der.store import charge_to_kw, discharge_to_kw, stored_kwh, wear_usd

BATTERY_SITES = 20
HOURS_PER_DAY = 24.0


class Battery(StoreModel[BatterySettings]):
    """Stores between empty and full."""

    kind = "battery"
    has_inverter = True
    follows_site = True

    def build(self, settings: BatterySettings, place: Placement) -> Fleet:
        """Batteries at every n-th site of photovoltaics, sized by their part of the peak."""
        site, share = place.clusters()
        every = max(site.size // BATTERY_SITES, 1)
        site, share = site[::every], share[::every]
        if settings.power_kw <= 0.0:
            site, share = site[:0], share[:0]
        share = share / share.sum() if site.size else share
        energy = settings.energy_kwh * share
        leak = -math.log1p(-settings.self_discharge_per_day) / HOURS_PER_DAY
        return replace(
            place.devices(site, settings.power_kw * share),
            energy_kwh=energy,
            initial_kwh=energy * settings.initial_charge,
            charge_efficiency=np.full(site.size, settings.efficiency),
            discharge_efficiency=np.full(site.size, settings.efficiency),
            leak_per_h=np.full(site.size, leak),
            wear_usd_per_mwh=np.full(site.size, settings.wear_usd_per_mwh),
        )

    def actual(self, devices: Fleet, around: Surroundings) -> Interval:
        """Ratings alone."""
        return plain_interval(around.length_s, -devices.power_kw, devices.power_kw)

    def feasible(self, devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
        """What rating and energy both allow through the whole interval."""
        charge = np.maximum(charge_to_kw(devices, state, interval, devices.energy_kwh), 0.0)
        discharge = discharge_to_kw(devices, state, interval, np.zeros(len(devices)))
        least = -np.minimum(devices.power_kw, charge)
        return pq_range(devices, least, np.minimum(devices.power_kw, discharge), has_inverter=True)

    def passive_kw(
        self, devices: Fleet, state: FleetState, interval: Interval, site_kw: FloatArray
    ) -> FloatArray:
        """What the site draws, or takes up what it gives."""
        del state, interval
        return np.clip(site_kw, -devices.power_kw, devices.power_kw)

    def worth(self, devices: Fleet) -> StoreWorth:
        """All that is stored can be sold."""
        n = len(devices)
        return StoreWorth(
            discharge_kw=devices.power_kw,
            due_usd_per_mwh=np.zeros(n),
            terminal_share=np.ones(n),
            terminal_below_kwh=devices.energy_kwh,
        )

    def advance(self, devices: Fleet, state: FleetState, p_kw: FloatArray, interval: Interval) -> Step:
        """Energy held at the interval's end."""
        require_feasible(devices, self.feasible(devices, state, interval), p_kw)
        level = np.clip(stored_kwh(devices, state, p_kw, interval), 0.0, devices.energy_kwh)
        return plain_step(level, cost_usd=self.cost_usd(devices, p_kw, interval))

    def cost_usd(self, devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """Wear."""
        return wear_usd(devices, p_kw, interval)
