"""Locational marginal prices, their parts, and the caps applied after the solve.

LMP = energy + congestion + loss. The energy part is the average with published reference weights; only the
sum is free of that choice. Losses are served as fixed demand, so that the loss part is zero.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from federates.iso.penalties import Penalties

NEXT_MW_SHARE = 1e-6
"""Prices are taken with demand this much higher: at a step they are those of the next MW, not the last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Prices of one or several intervals; the bus is the last axis."""

    lmp_usd_per_mwh: FloatArray
    """Published price, capped, shape (..., buses). [$/MWh]"""
    raw_usd_per_mwh: FloatArray
    """Price before the cap, energy plus congestion plus loss, shape (..., buses). [$/MWh]"""
    energy_usd_per_mwh: FloatArray
    """Energy part, shape (...,). [$/MWh]"""
    congestion_usd_per_mwh: FloatArray
    """Congestion part of the raw price, shape (..., buses). [$/MWh]"""
    loss_usd_per_mwh: FloatArray
    """Loss part of the raw price, shape (..., buses). [$/MWh]"""


def split_prices(raw_usd_per_mwh: FloatArray, reference_weight: FloatArray, penalties: Penalties) -> Prices:
    """Parts and caps of raw LMPs.

    Parameters
    ----------
    raw_usd_per_mwh
        Duals of the nodal rows, shape (..., buses). [$/MWh]
    reference_weight
        Published weights, sum 1, shape (buses,).
    penalties
        Holds the cap and the floor.
    """
    energy: FloatArray = raw_usd_per_mwh @ reference_weight
    return Prices(
        lmp_usd_per_mwh=np.clip(raw_usd_per_mwh, penalties.floor_usd_per_mwh, penalties.cap_usd_per_mwh),
        raw_usd_per_mwh=raw_usd_per_mwh,
        energy_usd_per_mwh=energy,
        congestion_usd_per_mwh=raw_usd_per_mwh - energy[..., None],
        loss_usd_per_mwh=np.zeros_like(raw_usd_per_mwh),
    )


def next_mw(load_mw: FloatArray) -> FloatArray:
    """The little more of demand at which prices are taken, same shape as ``load_mw``. [MW]"""
    more: FloatArray = NEXT_MW_SHARE * (load_mw if load_mw.any() else np.ones_like(load_mw))
    return more
