"""Locational marginal prices, their parts, and the caps applied after the solve.

LMP = energy + congestion + loss. With the nodal duals ``alpha``, line duals ``mu``, tangent duals ``nu`` and
their gradients ``g``, stationarity in the net injections gives ``alpha = lambda 1 + H' mu - sum_j nu_j g_j``.
The parts follow with published reference weights ``v`` (load-weighted, sum 1)::

    energy = v' alpha ;  congestion = H' mu - v' H' mu ;  loss = -sum nu g + v' sum nu g

Their sum is ``alpha`` whatever the weights and the reference bus; each part by itself is not. The loss part
is taken as what energy and congestion leave of ``alpha``: stationarity says that nothing else is in it.
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

    def at(self, interval: int) -> Prices:
        """Prices of one of several intervals."""
        return Prices(
            lmp_usd_per_mwh=self.lmp_usd_per_mwh[interval],
            raw_usd_per_mwh=self.raw_usd_per_mwh[interval],
            energy_usd_per_mwh=self.energy_usd_per_mwh[interval],
            congestion_usd_per_mwh=self.congestion_usd_per_mwh[interval],
            loss_usd_per_mwh=self.loss_usd_per_mwh[interval],
        )


def split_prices(
    raw_usd_per_mwh: FloatArray,
    congestion_usd_per_mwh: FloatArray,
    reference_weight: FloatArray,
    penalties: Penalties,
) -> Prices:
    """Parts and caps of raw LMPs.

    Parameters
    ----------
    raw_usd_per_mwh
        Duals of the nodal rows, shape (..., buses). [$/MWh]
    congestion_usd_per_mwh
        ``H' mu`` against the market's reference bus, same shape. [$/MWh]
    reference_weight
        Published weights, sum 1, shape (buses,).
    penalties
        Holds the cap and the floor.
    """
    energy: FloatArray = raw_usd_per_mwh @ reference_weight
    congestion = congestion_usd_per_mwh - (congestion_usd_per_mwh @ reference_weight)[..., None]
    return Prices(
        lmp_usd_per_mwh=np.clip(raw_usd_per_mwh, penalties.floor_usd_per_mwh, penalties.cap_usd_per_mwh),
        raw_usd_per_mwh=raw_usd_per_mwh,
        energy_usd_per_mwh=energy,
        congestion_usd_per_mwh=congestion,
        loss_usd_per_mwh=raw_usd_per_mwh - energy[..., None] - congestion,
    )


def next_mw(load_mw: FloatArray) -> FloatArray:
    """The little more of demand at which prices are taken, shape (times, buses) as ``load_mw``. [MW]

    Every bus asks for some, buses without load for the share of an average one: otherwise the price there
    would be open at a step.
    """
    average = load_mw.mean(axis=-1, keepdims=True)
    more: FloatArray = NEXT_MW_SHARE * (load_mw + np.where(average > 0.0, average, 1.0))
    return more
