"""What one more kW drawn at each place of a feeder loses on its way, from the linear map's own coefficients.

A series element with the far-end impedance Z loses ``Re(I^H Z I)``, with the current I of the power S that
leaves it at its far end. The map's coefficients ``c = 2 conj(V_k) / conj(V_h) Z_kh / base^2`` hold all that
is needed of Z and of the voltages; w is the squared voltage::

    loss = 1/2 Re(S' g) ,  g = (c conj(S)) / (2 w) + c^H (conj(S) / (2 w))        d loss / d P = Re(g)
    d loss / d w = -1/2 Re(S g) / w                                               at the same power

One more kW at a far end therefore loses ``Re(g)`` there and, as it lowers voltages by the map's rows and
every load keeps its power, a little more everywhere else. What is lost below is drawn through the elements
above: factors multiply along the way to the head.
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray
from federates.distribution.linear import OperatingPoint


def losses_kw(point: OperatingPoint) -> float:
    """Series losses of the feeder at the operating point. [kW]"""
    return float((point.s_kva * _slope(point)).real.sum()) / 2


def log_loss_factors(point: OperatingPoint) -> FloatArray:
    """Logarithm of the power into each branch-phase by power out of it, shape (m,).

    Summed along the way to the head, and the exponential of it less one, it is what one more kW loses:
    additive as incidences are, so that a DER's own is ``expm1(incidence_t @ logarithms)``.
    """
    slope = _slope(point)
    by_w = -(point.s_kva * slope).real / (2 * point.w_pu2)
    adjoint = point.coefficients.solve_tree.solve(by_w, trans="T")
    return np.asarray(np.log1p(slope.real - point.coefficients.real.T @ adjoint))


def _slope(point: OperatingPoint) -> ComplexArray:
    """``g``, kW lost by kVA more out of each branch-phase, shape (m,)."""
    drawn, c = np.conj(point.s_kva), point.coefficients
    half = drawn / (2 * point.w_pu2)
    forth = (c.real @ drawn + 1j * (c.imag @ drawn)) / (2 * point.w_pu2)
    back = c.real.T @ half - 1j * (c.imag.T @ half)
    return np.asarray(forth + back)
