"""How a load's power goes with its voltage, as the engine has it, and the derivative of its current.

Over rated voltage r, a load draws P0 r^n_p + j Q0 r^n_q between its limits. Above the upper limit it is an
impedance; below the lower one its current falls on a straight line to that of its rated impedance at the
lowest limit, and with that impedance further on. Both begin where the model is at the limit, but for models 3
and 4, of which the engine takes rated power there.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray
from federates.core.errors import ConfigError
from federates.distribution.layout import CircuitLayout, LoadRatings
from federates.distribution.legs import Legs

JUMPING = (3, 4)
"""Models whose power jumps at their limits."""


class LoadModels:
    """Load models of a circuit.

    Raises
    ------
    ConfigError
        If a load's model is no power of the voltage.
    """

    def __init__(self, ratings: LoadRatings, layout: CircuitLayout) -> None:
        odd = np.flatnonzero(np.isnan(ratings.p_exponent))
        if odd.size:
            names = ", ".join(layout.loads[k] for k in odd[:5])
            raise ConfigError(
                f"circuit {layout.name!r}: no derivative for load model {ratings.model[odd[0]]} "
                f"({odd.size} loads: {names}); use model 1, 2, 3, 4 or 5"
            )
        self._ratings = ratings

    def drawn_va(self, legs: Legs, rated_va: ComplexArray, u_v: ComplexArray) -> ComplexArray:
        """Power that legs draw, shape (legs,), from what they are asked for at rated voltage. [VA]"""
        (p, _), (q, _) = self._factors(legs, u_v)
        return np.asarray(rated_va.real * p + 1j * rated_va.imag * q)

    def derivative(
        self, legs: Legs, rated_va: ComplexArray, u_v: ComplexArray
    ) -> tuple[ComplexArray, ComplexArray]:
        """Admittances a and b of shape (legs,) with di = a du + b conj(du) for the legs' currents. [S]"""
        (p, n_p), (q, n_q) = self._factors(legs, u_v)
        drawn_p, drawn_q = rated_va.real * p, rated_va.imag * q
        slope = (n_p * drawn_p - 1j * n_q * drawn_q) / 2
        a = slope / np.abs(u_v) ** 2
        b = (slope - (drawn_p - 1j * drawn_q)) / np.conj(u_v) ** 2
        return a, b

    def _factors(
        self, legs: Legs, u_v: ComplexArray
    ) -> tuple[tuple[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]:
        """For P and for Q: power over rated power, and the exponent with which it goes there."""
        r = np.abs(u_v) / legs.rated_v
        ratings, of = self._ratings, legs.element
        edge = np.where(np.isin(ratings.model[of], JUMPING), 0.0, ratings.p_exponent[of])
        limits = (ratings.v_low_pu[of], ratings.v_min_pu[of], ratings.v_max_pu[of])
        return (
            _factor(r, ratings.p_exponent[of], edge, *limits),
            _factor(r, ratings.q_exponent[of], edge, *limits),
        )


def _factor(
    r: FloatArray, n: FloatArray, edge: FloatArray, low: FloatArray, least: FloatArray, most: FloatArray
) -> tuple[FloatArray, FloatArray]:
    factor, exponent = r**n, n.copy()
    above = r > most
    factor = np.where(above, most ** (edge - 2) * r**2, factor)
    slope = (least ** (edge - 1) - low) / np.maximum(least - low, np.finfo(float).tiny)
    current = low + slope * (r - low)
    below = (r <= least) & (r > low)
    factor = np.where(below, current * r, factor)
    exponent = np.where(below, 1 + slope * r / current, exponent)
    lowest = (r <= low) & (r <= least)
    factor = np.where(lowest, r**2, factor)
    return factor, np.where(above | lowest, 2.0, exponent)
