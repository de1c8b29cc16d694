"""What an inverter does with reactive power: its circle of power and its curves on local voltage.

Figures are those of IEEE Std 1547-2018: least reactive capability of normal-operation categories A and B in
its table 7, default voltage-reactive power settings in table 8, default voltage-active power settings in
table 10. Both curves are those of the steady state: their open-loop response times (10 s and 5 s for reactive
power, 10 s for active power) are short against a physical step of a minute. Voltages are per unit of the
nominal voltage, reactive power is positive where it is injected, as everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from federates.core.arrays import FloatArray

Category = Literal["A", "B"]
"""Normal-operation performance category."""
Priority = Literal["active", "reactive"]
"""Which power keeps its value where both do not fit."""
FULL_CAPABILITY_SHARE = 0.2
LEAST_ACTIVE_SHARE = 0.05
"""Full reactive capability from the first share of rated active power, in proportion down to the second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VoltageCurve:
    """A piecewise linear curve over voltage, constant beyond its ends."""

    v_pu: tuple[float, ...]
    """Voltages of the corners, ascending. [pu]"""
    share: tuple[float, ...]
    """Value at each corner, as a share of the rating."""

    def at(self, v_pu: FloatArray) -> FloatArray:
        """Share of the rating at a voltage, same shape."""
        return np.asarray(np.interp(v_pu, self.v_pu, self.share))


Q_INJECTED_SHARE: dict[Category, float] = {"A": 0.44, "B": 0.44}
Q_ABSORBED_SHARE: dict[Category, float] = {"A": 0.25, "B": 0.44}
"""Least reactive capability over nameplate apparent power: IEEE Std 1547-2018, table 7."""
VOLT_VAR: dict[Category, VoltageCurve] = {
    "A": VoltageCurve(v_pu=(0.9, 1.0, 1.1), share=(0.25, 0.0, -0.25)),
    "B": VoltageCurve(v_pu=(0.92, 0.98, 1.02, 1.08), share=(0.44, 0.0, 0.0, -0.44)),
}
"""Default reactive power over nameplate apparent power: IEEE Std 1547-2018, table 8."""
VOLT_WATT_V_PU = (1.06, 1.1)
VOLT_WATT_LEAST_SHARE = 0.2
"""Default active power limit, both categories: all below the first voltage, the lesser of this share and the
least output above the second (nothing where the unit can absorb): IEEE Std 1547-2018, table 10."""


def reactive_room_kvar(s_kva: FloatArray, p_kw: FloatArray) -> FloatArray:
    """Reactive power that an active power leaves inside the circle, either way. [kvar]

    Parameters
    ----------
    s_kva, p_kw
        Rating and active power of each inverter, same shape. [kVA], [kW]
    """
    return np.asarray(np.sqrt(np.maximum(s_kva**2 - p_kw**2, 0.0)))


def inside_circle(
    p_kw: FloatArray, q_kvar: FloatArray, s_kva: FloatArray, priority: Priority = "active"
) -> tuple[FloatArray, FloatArray]:
    """Powers inside the circle: one kept as far as the rating allows, the other cut to what is left.

    Parameters
    ----------
    p_kw, q_kvar, s_kva
        Powers asked for and rating of each inverter, shape (ders,). [kW], [kvar], [kVA]
    priority
        Which of the two is kept.

    Returns
    -------
    tuple
        Active [kW] and reactive power [kvar], shape (ders,).
    """
    first, second = (p_kw, q_kvar) if priority == "active" else (q_kvar, p_kw)
    first = np.clip(first, -s_kva, s_kva)
    room = reactive_room_kvar(s_kva, first)
    second = np.clip(second, -room, room)
    return (first, second) if priority == "active" else (second, first)


def reactive_capability_kvar(
    p_kw: FloatArray, rated_kw: FloatArray, s_kva: FloatArray, category: Category
) -> tuple[FloatArray, FloatArray]:
    """Reactive power that a unit of a category can at least absorb and inject at an active power.

    Full from 20 % of rated active power, in proportion to it down to 5 %, none below; never outside the
    circle.

    Parameters
    ----------
    p_kw, rated_kw, s_kva
        Active power, its rating and the apparent power rating, shape (ders,). [kW], [kW], [kVA]

    Returns
    -------
    tuple
        Least (negative) and greatest reactive power, shape (ders,). [kvar]
    """
    loaded = np.divide(np.abs(p_kw), rated_kw, out=np.zeros_like(s_kva), where=rated_kw > 0.0)
    share = np.where(loaded < LEAST_ACTIVE_SHARE, 0.0, np.minimum(loaded / FULL_CAPABILITY_SHARE, 1.0))
    room = reactive_room_kvar(s_kva, p_kw)
    absorbed = np.minimum(Q_ABSORBED_SHARE[category] * share * s_kva, room)
    injected = np.minimum(Q_INJECTED_SHARE[category] * share * s_kva, room)
    return -absorbed, injected


def volt_var_kvar(v_pu: FloatArray, s_kva: FloatArray, category: Category) -> FloatArray:
    """Reactive power that the default voltage-reactive power curve asks for, shape (ders,). [kvar]

    Parameters
    ----------
    v_pu
        Voltage at each unit's terminals, shape (ders,). [pu]
    s_kva
        Rating, shape (ders,). [kVA]
    """
    return np.asarray(VOLT_VAR[category].at(v_pu) * s_kva)


def volt_watt_kw(v_pu: FloatArray, rated_kw: FloatArray, least_kw: FloatArray) -> FloatArray:
    """Active power that the default voltage-active power curve allows, both categories, shape (ders,). [kW]

    Parameters
    ----------
    v_pu
        Voltage at each unit's terminals, shape (ders,). [pu]
    rated_kw
        Rated active power, shape (ders,). [kW]
    least_kw
        Least output, shape (ders,); zero or less where the unit can stop or absorb. [kW]
    """
    floor = np.minimum(VOLT_WATT_LEAST_SHARE * rated_kw, np.maximum(least_kw, 0.0))
    low, high = VOLT_WATT_V_PU
    down = np.clip((v_pu - low) / (high - low), 0.0, 1.0)
    return np.asarray(rated_kw - down * (rated_kw - floor))
