"""What a DER model is: what its devices can do in an interval, and what they are afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.errors import ModelError
from federates.der.fleet import Fleet

S_PER_H = 3_600.0
POWER_TOLERANCE_KW = 1e-6
"""Width by which a set-point may leave its range before it is an error. [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """What an interval brings to each device."""

    length_s: int
    """Length. [s]"""
    limit_kw: FloatArray
    """What the sun gives, or the whole demand of a flexible load; not read for stores, shape (ders,). [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PqRange:
    """Powers that devices can hold through an interval; injection positive, shape (ders,)."""

    p_min_kw: FloatArray
    """Least injection. [kW]"""
    p_max_kw: FloatArray
    """Greatest injection. [kW]"""
    q_max_kvar: FloatArray
    """Reactive power possible either way at any of these active powers. [kvar]"""

    def clip(self, p_kw: FloatArray) -> FloatArray:
        """Nearest possible active power, shape (ders,). [kW]"""
        return np.clip(p_kw, self.p_min_kw, self.p_max_kw)


class DerModel(Protocol):
    """Behaviour of all devices of one kind; energies and powers are arrays over these devices."""

    @property
    def kind(self) -> str:
        """Key of the kind."""

    def feasible(self, devices: Fleet, soc_kwh: FloatArray, interval: Interval) -> PqRange:
        """What the devices can hold through the interval."""

    def advance(
        self, devices: Fleet, soc_kwh: FloatArray, p_kw: FloatArray, interval: Interval
    ) -> FloatArray:
        """Energy held after ``p_kw`` was held through the interval, shape (ders,). [kWh]

        Raises
        ------
        ModelError
            If a power is not feasible; clip it first.
        """


def pq_range(devices: Fleet, p_min_kw: FloatArray, p_max_kw: FloatArray) -> PqRange:
    """Range with the reactive power that the inverter has left at the rated active power."""
    q_kvar = np.sqrt(np.maximum(devices.s_kva**2 - devices.power_kw**2, 0.0))
    return PqRange(p_min_kw=p_min_kw, p_max_kw=p_max_kw, q_max_kvar=q_kvar)


def require_feasible(devices: Fleet, possible: PqRange, p_kw: FloatArray) -> None:
    """Check powers against a range.

    Raises
    ------
    ModelError
        If one lies outside; names the device.
    """
    outside = np.maximum(possible.p_min_kw - p_kw, p_kw - possible.p_max_kw)
    if outside.size and outside.max() > POWER_TOLERANCE_KW:
        worst = int(np.argmax(outside))
        raise ModelError(
            f"DER {devices.ids[worst]!r}: {p_kw[worst]:.3f} kW is outside "
            f"{possible.p_min_kw[worst]:.3f} .. {possible.p_max_kw[worst]:.3f} kW; clip the set-point first"
        )
