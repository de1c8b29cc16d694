"""Photovoltaics: what the sun gives, and any part of it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.der_settings import PvSettings
from federates.der.fleet import Fleet
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

YIELD_SPREAD = 0.05
"""Greatest departure of a PV unit's yield from the mean, either way."""
KW_PER_MW = 1_000.0


class Photovoltaics(PricedModel[PvSettings]):
    """Units that can be curtailed to nothing. A unit's own yield is known to the plant alone."""

    kind = "pv"
    has_inverter = True

    def build(self, settings: PvSettings, place: Placement) -> Fleet:
        """Units at sites along the feeder, each sized by its part of the peak."""
        site, share = place.clusters()
        if settings.power_kw <= 0.0:
            site, share = site[:0], share[:0]
        rng = generator(place.seed_id, Stream.YIELD)
        spread = rng.uniform(-YIELD_SPREAD, YIELD_SPREAD, site.size)
        return replace(
            place.devices(site, settings.power_kw * share),
            curtailment_usd_per_mwh=np.full(site.size, settings.curtailment_cost_usd_per_mwh),
            yield_factor=1.0 + spread - (share @ spread if site.size else 0.0),
        )

    def actual(self, devices: Fleet, around: Surroundings) -> Interval:
        """Sun by each unit's own yield, up to its rating."""
        return self._sunny(devices, devices.power_kw * devices.yield_factor * around.sun, around)

    def expected(self, devices: Fleet, around: Surroundings, issue_s: int) -> Interval:
        """Sun as if all units had the same yield."""
        del issue_s
        return self._sunny(devices, devices.power_kw * around.sun, around)

    def _sunny(self, devices: Fleet, sun_kw: FloatArray, around: Surroundings) -> Interval:
        available = np.minimum(sun_kw, devices.power_kw)
        return plain_interval(around.length_s, np.zeros(len(devices)), available)

    def feasible(self, devices: Fleet, state: FleetState, interval: Interval) -> PqRange:
        """From zero to what the sun gives."""
        del state
        most = np.minimum(interval.available_kw, devices.power_kw)
        return pq_range(devices, np.zeros_like(most), most, has_inverter=True)

    def passive_kw(
        self, devices: Fleet, state: FleetState, interval: Interval, site_kw: FloatArray
    ) -> FloatArray:
        """All that the sun gives."""
        del devices, state, site_kw
        return interval.available_kw

    def offer(self, devices: Fleet, state: FleetState, interval: Interval, ahead: PricePath) -> Blocks:
        """From nothing to what the sun is expected to give, at minus the cost of curtailing it."""
        del state, ahead
        return Blocks(
            floor_kw=np.zeros(len(devices)),
            width_kw=interval.available_kw[:, None],
            price_usd_per_mwh=-devices.curtailment_usd_per_mwh[:, None],
        )

    def curtailed_kw(self, devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """What the sun gives and is not taken."""
        del devices
        return interval.available_kw - p_kw

    def cost_usd(self, devices: Fleet, p_kw: FloatArray, interval: Interval) -> FloatArray:
        """What curtailment costs."""
        lost_mwh = self.curtailed_kw(devices, p_kw, interval) * interval.hours / KW_PER_MW
        return devices.curtailment_usd_per_mwh * lost_mwh
