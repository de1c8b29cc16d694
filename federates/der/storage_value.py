"""Opportunity cost of stored energy, and the price blocks that follow from it.

The value V_t(s) of holding the energy ``s`` at time t is concave and piecewise linear. Kept are only its
slopes ``mu`` on equal cells of [0, E], non-increasing. One interval with power P and price lam is the
sup-convolution of V with a function of two segments, which acts on the slopes as a clip::

    mu_t[i] = max(mu[i + c], min(a_c, max(mu[i], min(a_d, mu[i - d]))))

with ``mu`` the slopes at the interval's end, ``c`` and ``d`` the cells in reach of a full charge and
discharge, ``a_c = (lam + wear/2) / eta_c`` the cost of storing one MWh and ``a_d = (lam - wear/2) * eta_d``
the income from using one; beyond empty and full the slopes are +inf and -inf. Energies are those inside the
store; powers and prices are those at the terminals.

Prices are not known when energy is stored for them. Each interval's price is therefore one of three equally
likely ones around its forecast, independently of the others, and ``mu_t`` is the mean over them (stochastic
dynamic programming). This matters most where the forecast is right: storage levels prices, and between hours
of equal prices a store that trusts them to the cent waits for the best and then has too much left, while one
that does not offers some of its energy at each.

What lies beyond a battery is added to the same recursion. A store that is not connected has no reach. One
that leaks or gains by itself is carried from s to ``k s + f`` first, so that its slope is ``k`` times that of
the place where it is carried. One that is due is worth its price for every MWh that is still asked for then;
one that is emptied is worth nothing before.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError
from federates.der.model import Interval
from federates.der.store import idle_hours

CELLS = 48
SIDE_BLOCKS = 2
PRICE_SPREAD = 0.03
"""Standard deviation of a price around its forecast, relative: that of a day-ahead load forecast. Of 0, 2, 3,
5 and 8 %, values of 2 to 5 % serve about equally well on the day of `tests/reference/test_storage_day.py`."""
SAME_CELL = 1e-9
"""Part of a cell that rounding may leave of it."""
BELOW_USD_PER_MWH = 1_000.0
"""Worth of a MWh to a store that its power cannot keep from falling below empty. [$/MWh]"""
KWH_PER_MWH = 1e3
OUTCOMES = np.sqrt(1.5) * np.array([-1.0, 0.0, 1.0])
"""Three equally likely outcomes of mean 0 and variance 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageFleet:
    """Stores behind one price, as arrays of shape (stores,)."""

    charge_kw: FloatArray
    """Greatest charge at the terminals. [kW]"""
    discharge_kw: FloatArray
    """Greatest discharge at the terminals. [kW]"""
    energy_kwh: FloatArray
    """Usable energy inside the store. [kWh]"""
    charge_efficiency: FloatArray
    """Energy stored per energy drawn; above 1 for what moves heat."""
    discharge_efficiency: FloatArray
    """Energy delivered per energy taken from the store, in (0, 1]."""
    wear_usd_per_mwh: FloatArray
    """Cost of ageing per MWh charged and discharged again, >= 0. [$/MWh]"""
    leak_per_h: FloatArray
    """Rate at which a store loses its own level. [1/h]"""
    due_usd_per_mwh: FloatArray
    """Worth of a MWh that is asked for and missing when a store is due. [$/MWh]"""
    terminal_share: FloatArray
    """Worth of a MWh left at the end of the price path, over the path's terminal value."""
    terminal_below_kwh: FloatArray
    """Level up to which that holds; above it what is left has no worth. [kWh]"""

    def __post_init__(self) -> None:
        if not ((self.charge_kw >= 0).all() and (self.discharge_kw >= 0).all()):
            raise ConfigError("storage: powers must not be negative")
        if not (self.energy_kwh > 0).all():
            raise ConfigError("storage: energy must be positive; leave an empty battery out")
        if not (self.charge_efficiency > 0).all():
            raise ConfigError("storage: charging must store something")
        if not ((self.discharge_efficiency > 0).all() and (self.discharge_efficiency <= 1).all()):
            raise ConfigError("storage: efficiencies of discharge must lie in (0, 1]")

    @property
    def count(self) -> int:
        """Number of stores."""
        return self.energy_kwh.size

    def counting_share(self, length_h: float) -> FloatArray:
        """Share of what is moved through a stretch that is left of it at its end, shape (stores,)."""
        return idle_hours(self.leak_per_h, length_h) / length_h

    def select(self, places: IntArray) -> StorageFleet:
        """Stores at some places."""
        return StorageFleet(**{f.name: getattr(self, f.name)[places] for f in fields(StorageFleet)})

    def limited(self, charge_kw: FloatArray, discharge_kw: FloatArray) -> StorageFleet:
        """The same stores with no more than these powers."""
        return replace(
            self,
            charge_kw=np.minimum(self.charge_kw, charge_kw),
            discharge_kw=np.minimum(self.discharge_kw, discharge_kw),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StorageBlocks:
    """What each store offers in one interval: injection from ``floor_kw`` upward, block after block."""

    floor_kw: FloatArray
    """Least injection (greatest feasible charge, negative), shape (stores,). [kW]"""
    width_kw: FloatArray
    """Widths, shape (stores, 2 * side blocks); zero where a block is empty. [kW]"""
    price_usd_per_mwh: FloatArray
    """Price of each block, non-decreasing along the second axis, same shape. [$/MWh]"""


def _cells_in_reach(fleet: StorageFleet, length_h: float, cells: int) -> tuple[IntArray, IntArray]:
    """Cells that a full charge and a full discharge move in ``length_h``; at least one with any power."""
    per_kwh = cells / fleet.energy_kwh
    hours = idle_hours(fleet.leak_per_h, length_h)
    charge = np.rint(fleet.charge_kw * fleet.charge_efficiency * hours * per_kwh)
    discharge = np.rint(fleet.discharge_kw / fleet.discharge_efficiency * hours * per_kwh)
    return (
        np.where(fleet.charge_kw > 0, np.clip(charge, 1, cells), 0).astype(np.int64),
        np.where(fleet.discharge_kw > 0, np.clip(discharge, 1, cells), 0).astype(np.int64),
    )


def marginal_values(
    fleet: StorageFleet,
    price_usd_per_mwh: FloatArray,
    length_h: FloatArray,
    terminal_usd_per_mwh: float,
    *,
    path: Sequence[Interval] | None = None,
    cells: int = CELLS,
    spread: float = PRICE_SPREAD,
) -> FloatArray:
    """Marginal value of stored energy at every interval boundary, around one expected price path.

    Parameters
    ----------
    price_usd_per_mwh, length_h
        Expected price and length of each interval, shape (intervals,). [$/MWh], [h]
    terminal_usd_per_mwh
        Value of one MWh inside the store at the end. [$/MWh]
    path
        What each interval is expected to bring to each store; without it the stores are always connected and
        never due, and gain nothing by themselves.
    cells
        Equal cells of the energy range.
    spread
        Standard deviation of each price around what is expected, relative.

    Returns
    -------
    FloatArray
        Slopes V_t'(s), shape (intervals + 1, stores, cells), non-increasing along the last axis; entry t
        holds at the beginning of interval t, so interval t is offered at entry t + 1. [$/MWh]
    """
    if price_usd_per_mwh.shape != length_h.shape:
        raise ConfigError(f"storage value: {price_usd_per_mwh.size} prices for {length_h.size} intervals")
    if path is not None and len(path) != length_h.size:
        raise ConfigError(f"storage value: {length_h.size} prices for {len(path)} intervals")
    count, horizon = fleet.count, price_usd_per_mwh.size
    mu = np.empty((horizon + 1, count, cells))
    level_kwh = _cell_middles_kwh(fleet, cells)
    left = terminal_usd_per_mwh * fleet.terminal_share[:, None]
    mu[-1] = np.where(level_kwh < fleet.terminal_below_kwh[:, None], left, 0.0)
    outcomes = 1.0 + spread * OUTCOMES if spread > 0.0 else np.ones(1)
    for t in range(horizon - 1, -1, -1):
        price, hours = price_usd_per_mwh[t] * outcomes, float(length_h[t])
        if path is None:
            mu[t] = _through(fleet, mu[t + 1], price, hours, from_below=False)
            continue
        now = path[t]
        # due before the next stretch is over, which then finds the store gone
        next_s = path[t + 1].length_s if t + 1 < horizon else now.length_s
        is_last = now.due_s < now.length_s + next_s
        due = is_last[:, None] & (level_kwh < now.due_kwh[:, None])
        mu[t + 1] += np.where(due, fleet.due_usd_per_mwh[:, None], 0.0)
        within = fleet.limited(-now.least_kw, now.available_kw)
        through = _through(within, mu[t + 1], price, hours, from_below=True)
        mu[t] = np.where(now.fresh[:, None], 0.0, _carried(fleet, through, now, hours))
    return mu


def planned(
    fleet: StorageFleet,
    mu_usd_per_mwh: FloatArray,
    level_kwh: FloatArray,
    worth_usd_per_mwh: FloatArray,
    spread: float = PRICE_SPREAD,
) -> FloatArray:
    """Slopes that keep to a planned level, and leave it for prices beyond a spread around its worth.

    Below the plan energy is worth at least ``1 + spread`` times what the plan says, above it at most ``1 -
    spread`` times that, and in the cell of the planned level just that; slopes still do not rise.

    Parameters
    ----------
    mu_usd_per_mwh
        Slopes, shape (stores, cells). [$/MWh]
    level_kwh
        Planned level, shape (stores,). [kWh]
    worth_usd_per_mwh
        Worth of energy in the plan, shape (stores,). [$/MWh]
    """
    cells = mu_usd_per_mwh.shape[1]
    filled = (level_kwh * cells / fleet.energy_kwh)[:, None]
    worth = worth_usd_per_mwh[:, None]
    beyond = spread * np.abs(worth)
    below = np.maximum(mu_usd_per_mwh, worth + beyond)
    above = np.minimum(mu_usd_per_mwh, worth - beyond)
    cell = np.arange(cells)
    is_below, is_above = cell + 1 <= filled + SAME_CELL, cell >= filled - SAME_CELL
    return np.where(is_below, below, np.where(is_above, above, worth))


def _cell_middles_kwh(fleet: StorageFleet, cells: int) -> FloatArray:
    """Level in the middle of each cell, shape (stores, cells). [kWh]"""
    return fleet.energy_kwh[:, None] * (np.arange(cells) + 0.5) / cells


def _through(
    fleet: StorageFleet,
    after: FloatArray,
    price_usd_per_mwh: FloatArray,
    length_h: float,
    *,
    from_below: bool,
) -> FloatArray:
    """Slopes before charge and discharge of one interval, from those after it.

    The mean over equally likely prices, shape (outcomes,). Shape (stores, cells), or (stores, 2 * cells) with
    those ``from_below`` empty first, whence the interval must charge: at the price where its reach allows, at
    `BELOW_USD_PER_MWH` where it does not.
    """
    n = after.shape[1]
    padded = np.empty((fleet.count, 3 * n))
    padded[:, :n], padded[:, n : 2 * n], padded[:, 2 * n :] = np.inf, after, -np.inf
    here = np.arange(0 if from_below else n, 2 * n)
    half_wear = fleet.wear_usd_per_mwh / 2
    up, down = _cells_in_reach(fleet, length_h, n)
    counts = fleet.counting_share(length_h)
    row = 3 * n * np.arange(fleet.count)[:, None]
    above = padded.ravel()[row + here + up[:, None]]
    below = padded.ravel()[row + np.maximum(here - down[:, None], 0)]
    middle, total, kept = padded[:, here[0] : 2 * n], np.zeros_like(above), np.empty_like(above)
    for price in price_usd_per_mwh:
        store_cost = ((price + half_wear) / (fleet.charge_efficiency * counts))[:, None]
        use_income = ((price - half_wear) * (fleet.discharge_efficiency / counts))[:, None]
        np.minimum(np.minimum(use_income, store_cost), below, out=kept)
        np.maximum(middle, kept, out=kept)
        np.minimum(store_cost, kept, out=kept)
        total += np.maximum(above, kept, out=kept)
    total /= price_usd_per_mwh.size
    return np.where(np.isposinf(total), BELOW_USD_PER_MWH, total) if from_below else total


def _carried(fleet: StorageFleet, after: FloatArray, now: Interval, length_h: float) -> FloatArray:
    """Slopes before a store's own leak and gain of one interval, shape (stores, cells).

    Linear between the cells of ``after``, which reach below empty; held at the ends.
    """
    n = after.shape[1] // 2
    if not (now.flow_kw.any() or fleet.leak_per_h.any()):
        return after[:, n:]
    kept = np.exp(-fleet.leak_per_h * length_h)
    gained = now.flow_kw * idle_hours(fleet.leak_per_h, length_h)
    level = _cell_middles_kwh(fleet, n) * kept[:, None] + gained[:, None]
    position = np.clip(level * n / fleet.energy_kwh[:, None] - 0.5 + n, 0.0, 2.0 * n - 1.0)
    low = np.minimum(position.astype(np.int64), 2 * n - 2)
    part = position - low
    below, above = (np.take_along_axis(after, low + k, axis=1) for k in (0, 1))
    return np.asarray(kept[:, None] * (below * (1.0 - part) + above * part))


def energy_value_usd(fleet: StorageFleet, mu_usd_per_mwh: FloatArray, soc_kwh: FloatArray) -> FloatArray:
    """Value of the energy held against an empty store, shape (stores,). [$]

    Parameters
    ----------
    mu_usd_per_mwh
        Slopes, shape (stores, cells). [$/MWh]
    soc_kwh
        Energy held, shape (stores,). [kWh]
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
    idle_kwh: FloatArray,
    length_h: float,
    must_kw: FloatArray | float = 0.0,
    side_blocks: int = SIDE_BLOCKS,
) -> StorageBlocks:
    """Price blocks of every store for one interval.

    Each side (charge, discharge) is cut into ``side_blocks`` equal parts of the energy in reach, each priced
    at the mean slope over it: discharge at mu / eta_d + wear/2, charge at mu * eta_c - wear/2. What must be
    charged at any price lies below the blocks.

    Parameters
    ----------
    mu_usd_per_mwh
        Slopes at the interval's END, shape (stores, cells). [$/MWh]
    idle_kwh
        Energy that would be held then without charge and discharge, shape (stores,). [kWh]
    length_h
        Length of the interval. [h]
    must_kw
        Charge that is not offered, at most the greatest one, scalar or shape (stores,). [kW]
    """
    hours = idle_hours(fleet.leak_per_h, length_h)
    counts = fleet.counting_share(length_h)[:, None]
    soc = np.clip(idle_kwh + must_kw * fleet.charge_efficiency * hours, 0.0, fleet.energy_kwh)
    half_wear = fleet.wear_usd_per_mwh[:, None] / 2
    take_kwh = np.minimum(fleet.discharge_kw * hours / fleet.discharge_efficiency, soc)
    spare_kw = fleet.charge_kw - must_kw
    store_kwh = np.minimum(spare_kw * hours * fleet.charge_efficiency, fleet.energy_kwh - soc)
    # From the fullest reachable state down to the emptiest: slopes, hence prices, rise along the way.
    steps = np.linspace(0.0, 1.0, side_blocks + 1)
    charge_slope = _mean_slopes(
        fleet, mu_usd_per_mwh, (soc + store_kwh)[:, None] - store_kwh[:, None] * steps
    )
    discharge_slope = _mean_slopes(fleet, mu_usd_per_mwh, soc[:, None] - take_kwh[:, None] * steps)
    charge_kw = store_kwh / (fleet.charge_efficiency * hours)
    discharge_kw = take_kwh * fleet.discharge_efficiency / hours
    price = np.concatenate(
        [
            charge_slope * (fleet.charge_efficiency[:, None] * counts) - half_wear,
            discharge_slope / (fleet.discharge_efficiency[:, None] / counts) + half_wear,
        ],
        axis=1,
    )
    # Where energy has a negative value, charging and discharging at once would pay; one level is offered.
    price = np.minimum.accumulate(price[:, ::-1], axis=1)[:, ::-1]
    width = np.repeat(np.stack([charge_kw, discharge_kw], axis=1) / side_blocks, side_blocks, axis=1)
    return StorageBlocks(floor_kw=-charge_kw - must_kw, width_kw=width, price_usd_per_mwh=price)


def _mean_slopes(fleet: StorageFleet, mu: FloatArray, soc_kwh: FloatArray) -> FloatArray:
    """Mean slope between neighbouring columns of ``soc_kwh``, descending, or the slope where they meet."""
    columns = soc_kwh.shape[1]
    value = np.stack([energy_value_usd(fleet, mu, soc_kwh[:, k]) for k in range(columns)], axis=1)
    step_mwh = -np.diff(soc_kwh, axis=1) / KWH_PER_MWH
    cell = np.clip(soc_kwh[:, 1:] * (mu.shape[1] / fleet.energy_kwh)[:, None], 0, mu.shape[1] - 1)
    here = np.take_along_axis(mu, cell.astype(np.int64), axis=1)
    empty = step_mwh < 1e-9 * fleet.energy_kwh[:, None] / KWH_PER_MWH
    return np.where(empty, here, -np.diff(value, axis=1) / np.where(empty, 1.0, step_mwh))
