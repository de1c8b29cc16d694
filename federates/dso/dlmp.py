"""Distribution locational marginal prices: what one more MW drawn at a place of a feeder costs.

DLMP = energy + loss + voltage + thermal. Energy is the price at the interface. The other parts follow from
the feeder's program at that price: with ``mu >= 0`` the price of each binding row, one more MW drawn at node
n saves or costs what its row gains or loses by it ::

    voltage_n = -sum_r mu_r s_r dw_r/dp_n      s_r = 1 for a high limit, -1 for a low one
    thermal_n =  sum_r mu_r cos(a_r) [r on the way from n to the head] + eta

where eta is the price of what holds the import at the head or the interface: its worth inside less its price
outside. Rows sum up in one adjoint solve to a price per branch-phase; a place pays for those on its way
to the head. The program holds losses constant; their part is the interface's price times the marginal losses
of the operating point (`federates.distribution.marginal_loss`).

At DLMPs less losses no DER would rather be dispatched otherwise: that is what duals are. The parts of such
prices are discussed by A. Papavasiliou, "Analysis of distribution locational marginal prices", IEEE
Transactions on Smart Grid 9(5), 2018.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from federates.core.arrays import FloatArray, IntArray
from federates.core.curve import NetCurve
from federates.distribution.linear import OperatingPoint
from federates.distribution.marginal_loss import log_loss_factors
from federates.dso.case import FeederCase
from federates.dso.columns import KW_PER_MW
from federates.dso.program import Vertex

SAME_MW = 1e-6
"""An award this near to a breakpoint stands on it. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dlmps:
    """Prices of one more MW drawn at some places, and their parts; arrays of shape (places,)."""

    energy_usd_per_mwh: float
    """Price at the interface. [$/MWh]"""
    loss_usd_per_mwh: FloatArray
    """Marginal losses at that price. [$/MWh]"""
    voltage_usd_per_mwh: FloatArray
    """What it does to binding voltage limits. [$/MWh]"""
    thermal_usd_per_mwh: FloatArray
    """What it does to binding ratings, and to what holds the import. [$/MWh]"""

    @property
    def total_usd_per_mwh(self) -> FloatArray:
        """The price, shape (places,). [$/MWh]"""
        return (
            self.energy_usd_per_mwh
            + self.loss_usd_per_mwh
            + self.voltage_usd_per_mwh
            + self.thermal_usd_per_mwh
        )

    @property
    def with_parts(self) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """The price, and its loss, voltage and thermal parts, each of shape (places,). [$/MWh]"""
        loss, voltage, thermal = self.loss_usd_per_mwh, self.voltage_usd_per_mwh, self.thermal_usd_per_mwh
        return self.total_usd_per_mwh, loss, voltage, thermal

    def ordered(self, place: IntArray) -> Dlmps:
        """The same prices in another order, the k-th of them at place ``place[k]``."""
        back = np.argsort(place)
        return Dlmps(
            energy_usd_per_mwh=self.energy_usd_per_mwh,
            loss_usd_per_mwh=self.loss_usd_per_mwh[back],
            voltage_usd_per_mwh=self.voltage_usd_per_mwh[back],
            thermal_usd_per_mwh=self.thermal_usd_per_mwh[back],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederPrices:
    """Prices on one feeder."""

    ders: Dlmps
    """At its DERs, in fleet order."""
    loads: Dlmps
    """At its loads."""
    load: IntArray
    """Places of its loads in the circuit's order, shape (loads,)."""
    load_kw: FloatArray
    """What they are believed to draw at rated voltage, shape (loads,). [kW]"""

    def mean_usd_per_mwh(self) -> FloatArray:
        """Energy, loss, voltage and thermal part that a mean kWh of load pays, shape (4,). [$/MWh]"""
        total = float(self.load_kw.sum())
        even = np.full(self.load_kw.size, 1.0 / max(self.load_kw.size, 1))
        weight = self.load_kw / total if total else even
        parts = [float(weight @ part) for part in self.loads.with_parts[1:]]
        return np.array([self.loads.energy_usd_per_mwh, *parts])

    def range_usd_per_mwh(self) -> tuple[float, float]:
        """Least and greatest price at a load or a DER. [$/MWh]"""
        every = np.concatenate([self.loads.total_usd_per_mwh, self.ders.total_usd_per_mwh])
        return float(every.min()), float(every.max())


@dataclass(frozen=True, slots=True, kw_only=True)
class BranchPrices:
    """What each branch-phase adds to the price of all places behind it, shape (m,)."""

    log_loss: FloatArray
    """Logarithm of the power into it by the power out of it."""
    voltage_usd_per_mwh: FloatArray
    """Voltage limits, anywhere on the feeder. [$/MWh]"""
    thermal_usd_per_mwh: FloatArray
    """Its own rating. [$/MWh]"""
    import_usd_per_mwh: float
    """What the area's import is worth. [$/MWh]"""
    head_usd_per_mwh: float
    """The feeder's own limits at its head; the same for every place. [$/MWh]"""
    head_loss: float
    """What one more MW at the head loses between the interface and the head."""


def branch_prices(
    case: FeederCase,
    vertex: Vertex | None,
    point: OperatingPoint,
    import_usd_per_mwh: float,
    head_loss: float = 0.0,
) -> BranchPrices:
    """Parts of the prices by branch-phase, from the feeder's optimum at a price of import.

    Parameters
    ----------
    case
        The interval.
    vertex
        Its optimum; None where the merit order alone is one, so that no limit has a price.
    point
        The state whose losses count.
    import_usd_per_mwh
        Price of import at which it is the optimum. [$/MWh]
    head_loss
        What one more MW at the head loses between the interface and the head.
    """
    m = case.point.map.branch_phases_count
    voltage, thermal, head = np.zeros(m), np.zeros(m), 0.0
    if vertex is not None:
        by_row = np.zeros(case.bound.shape)
        for (kind, place), mu in zip(vertex.binding_rows, vertex.row_price, strict=True):
            by_row[kind, place] = mu
        coefficients = case.point.coefficients
        adjoint = coefficients.solve_tree.solve(by_row[1] - by_row[0], trans="T")
        voltage = KW_PER_MW * (coefficients.real.T @ adjoint)
        thermal = case.normal.real @ by_row[2:]
        head = vertex.price_usd_per_mwh - import_usd_per_mwh
    return BranchPrices(
        log_loss=log_loss_factors(point),
        voltage_usd_per_mwh=voltage,
        thermal_usd_per_mwh=thermal,
        import_usd_per_mwh=import_usd_per_mwh,
        head_usd_per_mwh=head,
        head_loss=head_loss,
    )


def prices_at(way: csr_array, branches: BranchPrices, lmp_usd_per_mwh: float) -> Dlmps:
    """Prices at some places of a feeder.

    Parameters
    ----------
    way
        Share of a place's power that each branch-phase carries, shape (places, m): the mean of its phases.
    branches
        Of the feeder.
    lmp_usd_per_mwh
        At the interface. [$/MWh]
    """
    lost = (1.0 + branches.head_loss) * np.exp(way @ branches.log_loss) - 1.0
    held = branches.import_usd_per_mwh - lmp_usd_per_mwh
    return Dlmps(
        energy_usd_per_mwh=lmp_usd_per_mwh,
        loss_usd_per_mwh=branches.import_usd_per_mwh * lost,
        voltage_usd_per_mwh=way @ branches.voltage_usd_per_mwh,
        thermal_usd_per_mwh=way @ branches.thermal_usd_per_mwh + branches.head_usd_per_mwh + held,
    )


def import_price(
    curve: NetCurve, award_mw: float, lmp_usd_per_mwh: float, *, whole: tuple[bool, bool]
) -> float:
    """What the area's import is worth at an award: the LMP where the curve agrees with it. [$/MWh]

    Where it does not, something else holds the import (the substation, a fixed quantity, reserves): the
    nearest of the values of the last MW imported and of the next.

    Parameters
    ----------
    curve
        The area's own, whatever was sent of it.
    award_mw
        Net import. [MW]
    lmp_usd_per_mwh
        At the interface. [$/MWh]
    whole
        Whether the curve's ends, least and greatest, are those of the feeders: beyond those there is nothing
        at any price.
    """
    if curve.width_mw.size == 0:
        return lmp_usd_per_mwh
    value = np.concatenate(([np.inf], curve.value_usd_per_mwh, [-np.inf]))
    for end, beyond in ((0, 1), (-1, -2)):
        if not whole[end]:
            value[end] = value[beyond]
    taken = min(int(np.searchsorted(curve.import_mw, award_mw - SAME_MW)), curve.import_mw.size - 1)
    next_ = max(int(np.searchsorted(curve.import_mw, award_mw + SAME_MW, side="right")), 1)
    return float(np.clip(lmp_usd_per_mwh, value[next_], value[taken]))


def substation_loss(loss_mw: float, drawn_mva: complex) -> float:
    """What one more MW behind a substation loses in it: ``2 L P / |S|^2``, as L goes with ``|S|^2``."""
    return 2.0 * loss_mw * drawn_mva.real / abs(drawn_mva) ** 2 if drawn_mva else 0.0
