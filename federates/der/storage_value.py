"""Opportunity cost of stored energy, and the price blocks that follow from it.

The value V_t(s) of holding the energy ``s`` at time t is concave and piecewise linear. Kept are only its
slopes ``mu`` on equal cells of [0, E], non-increasing. One interval with power P and price lam is the
sup-convolution of V with a function of two segments, which acts on the slopes as a clip::

    mu_t[i] = max(mu[i + c], min(a_c, max(mu[i], min(a_d, mu[i - d]))))

with ``mu`` the slopes at the interval's end, ``c`` and ``d`` the cells in reach of a full charge and
discharge, ``a_c = (lam + wear/2) / eta_c`` the cost of storing one MWh and ``a_d = (lam - wear/2) * eta_d``
the income from using one; beyond empty and full the slopes are +inf and -inf. Energies are those inside the
store; powers and prices are those at the terminals.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError

CELLS = 48
SIDE_BLOCKS = 2
KWH_PER_MWH = 1e3


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFleet:
    """Batteries behind one price, as arrays of shape (batteries,)."""

    power_kw: FloatArray
    """Greatest charge and discharge at the terminals. [kW]"""
    energy_kwh: FloatArray
    """Usable energy inside the store. [kWh]"""
    charge_efficiency: FloatArray
    """Energy stored per energy drawn, in (0, 1]."""
    discharge_efficiency: FloatArray
    """Energy delivered per energy taken from the store, in (0, 1]."""
    wear_usd_per_mwh: FloatArray
    """Cost of ageing per MWh charged and discharged again, >= 0. [$/MWh]"""

    def __post_init__(self) -> None:
        if not ((self.power_kw > 0).all() and (self.energy_kwh > 0).all()):
            raise ConfigError("storage: power and energy must be positive; leave an empty battery out")
        for eta in (self.charge_efficiency, self.discharge_efficiency):
            if not ((eta > 0).all() and (eta <= 1).all()):
                raise ConfigError("storage: efficiencies must lie in (0, 1]")

    @property
    def count(self) -> int:
        """Number of batteries."""
        return self.power_kw.size


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageBlocks:
    """What each battery offers in one interval: injection from ``floor_kw`` upward, block after block."""

    floor_kw: FloatArray
    """Least injection (greatest feasible charge, negative), shape (batteries,). [kW]"""
    width_kw: FloatArray
    """Widths, shape (batteries, 2 * side blocks); zero where a block is empty. [kW]"""
    price_usd_per_mwh: FloatArray
    """Price of each block, non-decreasing along the second axis, same shape. [$/MWh]"""


def _cells_in_reach(fleet: StorageFleet, length_h: float, cells: int) -> tuple[IntArray, IntArray]:
    """Cells that a full charge and a full discharge move in ``length_h``; at least one."""
    per_kwh = cells / fleet.energy_kwh
    charge = np.rint(fleet.power_kw * fleet.charge_efficiency * length_h * per_kwh)
    discharge = np.rint(fleet.power_kw / fleet.discharge_efficiency * length_h * per_kwh)
    return (
        np.clip(charge, 1, cells).astype(np.int64),
        np.clip(discharge, 1, cells).astype(np.int64),
    )


def marginal_values(
    fleet: StorageFleet,
    price_usd_per_mwh: FloatArray,
    length_h: FloatArray,
    terminal_usd_per_mwh: FloatArray | float,
    cells: int = CELLS,
) -> FloatArray:
    """Marginal value of stored energy at every interval boundary, under one expected price path.

    Parameters
    ----------
    price_usd_per_mwh, length_h
        Expected price and length of each interval, shape (intervals,). [$/MWh], [h]
    terminal_usd_per_mwh
        Value of one MWh inside the store at the end, scalar or shape (batteries,). [$/MWh]
    cells
        Equal cells of the energy range.

    Returns
    -------
    FloatArray
        Slopes V_t'(s), shape (intervals + 1, batteries, cells), non-increasing along the last axis; entry t
        holds at the beginning of interval t, so interval t is offered at entry t + 1. [$/MWh]
    """
    if price_usd_per_mwh.shape != length_h.shape:
        raise ConfigError(f"storage value: {price_usd_per_mwh.size} prices for {length_h.size} intervals")
    n, count, horizon = cells, fleet.count, price_usd_per_mwh.size
    mu = np.empty((horizon + 1, count, n))
    mu[-1] = np.broadcast_to(np.asarray(terminal_usd_per_mwh, dtype=np.float64), (count,))[:, None]
    padded = np.empty((count, 3 * n))
    padded[:, :n], padded[:, 2 * n :] = np.inf, -np.inf
    place = np.arange(n) + n
    half_wear = fleet.wear_usd_per_mwh / 2
    for t in range(horizon - 1, -1, -1):
        up, down = _cells_in_reach(fleet, float(length_h[t]), n)
        store_cost = ((price_usd_per_mwh[t] + half_wear) / fleet.charge_efficiency)[:, None]
        use_income = ((price_usd_per_mwh[t] - half_wear) * fleet.discharge_efficiency)[:, None]
        use_income = np.minimum(use_income, store_cost)
        padded[:, n : 2 * n] = mu[t + 1]
        above = np.take_along_axis(padded, place + up[:, None], axis=1)
        below = np.take_along_axis(padded, place - down[:, None], axis=1)
        kept = np.maximum(mu[t + 1], np.minimum(use_income, below))
        mu[t] = np.maximum(above, np.minimum(store_cost, kept))
    return mu


def energy_value_usd(fleet: StorageFleet, mu_usd_per_mwh: FloatArray, soc_kwh: FloatArray) -> FloatArray:
    """Value of the energy held against an empty store, shape (batteries,). [$]

    Parameters
    ----------
    mu_usd_per_mwh
        Slopes, shape (batteries, cells). [$/MWh]
    soc_kwh
        Energy held, shape (batteries,). [kWh]
    """
    mu = mu_usd_per_mwh
    n = mu.shape[1]
    cell_kwh = fleet.energy_kwh / n
    position = np.clip(soc_kwh / cell_kwh, 0.0, float(n))
    whole = np.minimum(position.astype(np.int64), n - 1)
    total = np.concatenate([np.zeros((mu.shape[0], 1)), np.cumsum(mu, axis=1)], axis=1)
    rows = np.arange(mu.shape[0])
    in_cells = total[rows, whole] + (position - whole) * mu[rows, whole]
    return np.asarray(in_cells * cell_kwh / KWH_PER_MWH)


def offer_blocks(
    fleet: StorageFleet,
    mu_usd_per_mwh: FloatArray,
    soc_kwh: FloatArray,
    length_h: float,
    side_blocks: int = SIDE_BLOCKS,
) -> StorageBlocks:
    """Price blocks of every battery for one interval.

    Each side (charge, discharge) is cut into ``side_blocks`` equal parts of the energy in reach, each priced
    at the mean slope over it: discharge at mu / eta_d + wear/2, charge at mu * eta_c - wear/2.

    Parameters
    ----------
    mu_usd_per_mwh
        Slopes at the interval's END, shape (batteries, cells). [$/MWh]
    soc_kwh
        Energy held at its beginning, shape (batteries,). [kWh]
    length_h
        Length of the interval. [h]
    """
    soc = np.clip(soc_kwh, 0.0, fleet.energy_kwh)
    half_wear = fleet.wear_usd_per_mwh[:, None] / 2
    take_kwh = np.minimum(fleet.power_kw * length_h / fleet.discharge_efficiency, soc)
    store_kwh = np.minimum(fleet.power_kw * length_h * fleet.charge_efficiency, fleet.energy_kwh - soc)
    # From the fullest reachable state down to the emptiest: slopes, hence prices, rise along the way.
    steps = np.linspace(0.0, 1.0, side_blocks + 1)
    charge_slope = _mean_slopes(
        fleet, mu_usd_per_mwh, (soc + store_kwh)[:, None] - store_kwh[:, None] * steps
    )
    discharge_slope = _mean_slopes(fleet, mu_usd_per_mwh, soc[:, None] - take_kwh[:, None] * steps)
    charge_kw = store_kwh / (fleet.charge_efficiency * length_h)
    discharge_kw = take_kwh * fleet.discharge_efficiency / length_h
    price = np.concatenate(
        [
            charge_slope * fleet.charge_efficiency[:, None] - half_wear,
            discharge_slope / fleet.discharge_efficiency[:, None] + half_wear,
        ],
        axis=1,
    )
    # Where energy has a negative value, charging and discharging at once would pay; one level is offered.
    price = np.minimum.accumulate(price[:, ::-1], axis=1)[:, ::-1]
    width = np.repeat(np.stack([charge_kw, discharge_kw], axis=1) / side_blocks, side_blocks, axis=1)
    return StorageBlocks(floor_kw=-charge_kw, width_kw=width, price_usd_per_mwh=price)


def _mean_slopes(fleet: StorageFleet, mu: FloatArray, soc_kwh: FloatArray) -> FloatArray:
    """Mean slope between neighbouring columns of ``soc_kwh``, descending, or the slope where they meet."""
    columns = soc_kwh.shape[1]
    value = np.stack([energy_value_usd(fleet, mu, soc_kwh[:, k]) for k in range(columns)], axis=1)
    step_mwh = -np.diff(soc_kwh, axis=1) / KWH_PER_MWH
    cell = np.clip(soc_kwh[:, 1:] * (mu.shape[1] / fleet.energy_kwh)[:, None], 0, mu.shape[1] - 1)
    here = np.take_along_axis(mu, cell.astype(np.int64), axis=1)
    empty = step_mwh < 1e-9 * fleet.energy_kwh[:, None] / KWH_PER_MWH
    return np.where(empty, here, -np.diff(value, axis=1) / np.where(empty, 1.0, step_mwh))
