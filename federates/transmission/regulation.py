"""Who holds which bus voltage, within which reactive limits, and who shares an imbalance.

Units at one bus regulate together: their limits add up and their reactive output is shared so that each
stands at the same fraction of its own range. A ``support`` device regulates only where no unit that can
regulate is on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.cases.case import Units
from federates.core.arrays import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Regulation:
    """Regulators of one interval; arrays of shape (buses,) unless said."""

    units: BoolArray
    """Whether the unit takes part in holding its bus, shape (units,)."""
    on: BoolArray
    """Whether anything regulates at the bus."""
    v_set_pu: FloatArray
    """Voltage to hold; 1.0 where nothing regulates. [pu]"""
    q_min_mvar: FloatArray
    """Sum of the regulators' least reactive output. [Mvar]"""
    q_max_mvar: FloatArray
    """Sum of the regulators' greatest reactive output. [Mvar]"""

    def unit_mvar(self, units: Units, bus_mvar: FloatArray) -> FloatArray:
        """Reactive output of each unit when the regulators of each bus give ``bus_mvar``.

        Parameters
        ----------
        units
            Units of the case.
        bus_mvar
            Output of each bus's regulators together, shape (buses,). [Mvar]

        Returns
        -------
        numpy.ndarray
            Shape (units,); zero for units that do not regulate. [Mvar]
        """
        width = np.where(self.on, self.q_max_mvar - self.q_min_mvar, 1.0)
        fraction = (bus_mvar - self.q_min_mvar) / width
        own_width = units.q_max_mvar - units.q_min_mvar
        return np.where(self.units, units.q_min_mvar + fraction[units.bus] * own_width, 0.0)


def regulators(units: Units, committed: BoolArray, n_buses: int) -> Regulation:
    """Regulators for one commitment.

    A unit regulates if it is committed, is said to regulate and has a reactive range. The set-point of a bus
    is that of its regulator with the widest range (the first one on a tie).

    Parameters
    ----------
    units
        Units of the case.
    committed
        Whether each unit is on, shape (units,).
    n_buses
        Number of buses.
    """
    width = units.q_max_mvar - units.q_min_mvar
    able = units.regulates & (width > 0.0)
    support = units.of_kind("support")
    taking_part = able & committed & ~support
    manned = np.zeros(n_buses, dtype=np.bool_)
    manned[units.bus[taking_part]] = True
    taking_part |= able & support & ~manned[units.bus]
    on = np.zeros(n_buses, dtype=np.bool_)
    on[units.bus[taking_part]] = True

    def summed(values: FloatArray) -> FloatArray:
        total = np.zeros(n_buses)
        np.add.at(total, units.bus[taking_part], values[taking_part])
        return total

    v_set = np.ones(n_buses)
    narrow_to_wide: IntArray = np.flatnonzero(taking_part)[::-1]
    narrow_to_wide = narrow_to_wide[np.argsort(width[narrow_to_wide], kind="stable")]
    v_set[units.bus[narrow_to_wide]] = units.v_set_pu[narrow_to_wide]
    return Regulation(
        units=taking_part,
        on=on,
        v_set_pu=v_set,
        q_min_mvar=summed(units.q_min_mvar),
        q_max_mvar=summed(units.q_max_mvar),
    )


def participation_factors(units: Units, committed: BoolArray, headroom_mw: FloatArray) -> FloatArray:
    """Share of each unit in an imbalance, shape (units,), adding up to one.

    Shares follow the committed headroom. Where none is left, they follow the rated power of the committed
    units that can be dispatched (everything but wind, solar and voltage support): the grid still balances,
    by running those units beyond their limits, which their outputs show.
    """
    room = np.where(committed, np.maximum(headroom_mw, 0.0), 0.0)
    total = float(room.sum())
    if total > 0.0:
        return room / total
    firm = committed & ~units.of_kind("wind", "pv", "rtpv", "sync_cond", "support")
    rated = np.where(firm, np.maximum(units.p_max_mw, 0.0), 0.0)
    return rated / max(float(rated.sum()), np.finfo(np.float64).tiny)
