"""Flexible loads: demand with a value of use, that can stop in part or whole and is not made up later."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.der_settings import FLEXIBLE_CEILING, FlexibleSettings
from federates.der.fleet import VALUE_STEPS, Fleet
from federates.der.model import (
    FleetState,
    Interval,
    PqRange,
    PricedModel,
    Surroundings,
    plain_interval,
    pq_range,
)
from federates.der.offer import Blocks, PricePath
from federates.der.placement import Placement
from federates.der.seeds import Stream, generator

FLEXIBLE_SITES = 10
KW_PER_MW = 1_000.0


class FlexibleLoad(PricedModel[FlexibleSettings]):
    """Loads that draw between nothing and their whole demand."""

    kind = "flexible"
    blocks_count = VALUE_STEPS

    def build(self, settings: FlexibleSettings, place: Placement) -> Fleet:
        """Parts of as many loads, drawn by chance, as keep each below the ceiling, at least a few."""
        scaled_kw = place.peak_kw * place.load_scale
        wanted_kw = settings.share * scaled_kw.sum()
        loads = np.flatnonzero(scaled_kw > 0.0)
        drawn = generator(place.seed_id, Stream.FLEXIBLE).permutation(loads)
        reach_kw = FLEXIBLE_CEILING * np.cumsum(scaled_kw[drawn])
        enough = int(np.searchsorted(reach_kw, wanted_kw * (1.0 - 1e-12))) + 1
        sites = max(enough, min(FLEXIBLE_SITES, loads.size)) if wanted_kw > 0.0 else 0
        site = np.sort(drawn[:sites])
        power = wanted_kw * scaled_kw[site] / scaled_kw[site].sum() if sites else np.zeros(0)
        return self.of_power(settings, place, site, power)

    def of_power(
        self, settings: FlexibleSettings, place: Placement, site: IntArray, power_kw: FloatArray
    ) -> Fleet:
        """Flexible loads of stated powers at stated sites, shape (loads,)."""
        value = settings.value_of_use_usd_per_mwh
        steps = np.tile(np.array([value, 2.0 * value]), (site.size, 1))
        return replace(place.devices(site, power_kw), value_usd_per_mwh=steps)

    def actual(self, devices: Fleet, around: Surroundings) -> Interval:
        """Demand that follows the area, up to its peak, or a profile of its own."""
        level = np.where(np.isnan(around.profile), min(around.level, 1.0), around.profile)
        used = devices.power_kw * level
        return plain_interval(around.length_s, -used, np.zeros_like(used))

    def feasible(self, devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
        """From the whole demand (negative injection) to none."""
        del state
        return pq_range(devices, interval.least_kw, np.zeros_like(interval.least_kw), has_inverter=False)

    def passive_kw(
        self, devices: Fleet, state: FleetState, interval: Interval, site_kw: FloatArray
    ) -> FloatArray:
        """The whole demand."""
        del devices, state, site_kw
        return interval.least_kw

    def offer(self, devices: Fleet, state: FleetState, interval: Interval, ahead: PricePath) -> Blocks:
        """From the whole demand to none, in equal steps at the value of use."""
        del state, ahead
        steps = devices.value_usd_per_mwh.shape[1]
        return Blocks(
            floor_kw=interval.least_kw,
            width_kw=np.repeat(-interval.least_kw[:, None] / steps, steps, axis=1),
            price_usd_per_mwh=devices.value_usd_per_mwh,
        )

    def curtailed_kw(self, devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """Demand that is not served."""
        del devices
        return p_kw - interval.least_kw

    def cost_usd(self, devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """Use forgone, the least valuable first."""
        step_kw = -interval.least_kw / devices.value_usd_per_mwh.shape[1]
        forgone = self.curtailed_kw(devices, p_kw, interval)
        cost = np.zeros_like(p_kw)
        for k in range(devices.value_usd_per_mwh.shape[1]):
            lost_mwh = np.clip(forgone - k * step_kw, 0.0, step_kw) * interval.hours / KW_PER_MW
            cost += devices.value_usd_per_mwh[:, k] * lost_mwh
        return cost
