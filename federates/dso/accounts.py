"""What a total DSO takes in and pays at its own prices, and the rents that explain what is left.

It buys the area's import P at the LMP, pays every DER its DLMP and charges every load its own. With the net
withdrawals n of the dispatch (loads less DERs), the price of import inside ``lambda'``, marginal losses a,
row prices mu and head prices eta, what is left falls into ::

    loss surplus   lambda' (a' n - losses)              marginal losses charged less losses bought
    voltage rent   sum_r mu_r s_r (w_r - w_r without n)
    thermal rent   sum_r mu_r cos(a_r) F_r + eta 1'n + (lambda' - LMP) P

each computed from the duals and from what the limits see (voltages by a solve down the tree, flows by sums up
it), not from prices: what payments and rents do not agree upon is ``unexplained``, an error. Quantities are
those of the dispatch on the DSO's twin.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from federates.core.arrays import FloatArray
from federates.distribution.linear import OperatingPoint
from federates.distribution.linear_tree import Tree
from federates.dso.case import FeederCase
from federates.dso.columns import KW_PER_MW
from federates.dso.dlmp import BranchPrices, prices_at
from federates.dso.program import Vertex


@dataclass(frozen=True, slots=True, kw_only=True)
class PricedFeeder:
    """A feeder with its prices at a dispatch."""

    case: FeederCase
    """To whose limits the prices belong."""
    vertex: Vertex | None
    """The optimum whose duals they are; None where no limit has a price."""
    branches: BranchPrices
    point: OperatingPoint
    """The dispatch on the twin."""
    way_of_nodes: csr_array
    """From every far node to the head, shape (m, m)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionAccounts:
    """One simulated set's money by the hour; positive comes in, negative goes out."""

    purchase_usd_per_h: float
    """For the import, at the LMP. [$/h]"""
    der_usd_per_h: float
    """To DERs for what they inject; from those that draw. [$/h]"""
    load_usd_per_h: float
    """From loads, with what is lost behind the places that the map knows. [$/h]"""
    loss_surplus_usd_per_h: float
    voltage_rent_usd_per_h: float
    thermal_rent_usd_per_h: float
    injected_mw: float
    """By DERs. [MW]"""
    drawn_mw: float
    """By loads, with what is lost behind the places that the map knows. [MW]"""
    lost_mw: float
    """Between the interface and those places. [MW]"""

    @property
    def unexplained_usd_per_h(self) -> float:
        """What is left of the payments less the rents: zero, but for the last digits. [$/h]"""
        left = self.purchase_usd_per_h + self.der_usd_per_h + self.load_usd_per_h
        rents = self.loss_surplus_usd_per_h + self.voltage_rent_usd_per_h + self.thermal_rent_usd_per_h
        return left - rents


NOTHING_DISPATCHED = DistributionAccounts(**dict.fromkeys(DistributionAccounts.__slots__, 0.0))
"""Accounts of a DSO that dispatches nothing."""


def accounts(
    feeders: Sequence[PricedFeeder], import_mw: float, lmp_usd_per_mwh: float
) -> DistributionAccounts:
    """Accounts of an area.

    Parameters
    ----------
    import_mw
        Drawn at the interface at the dispatch. [MW]
    lmp_usd_per_mwh
        At the interface. [$/MWh]
    """
    worth = feeders[0].branches.import_usd_per_mwh
    ders = loads = lost = voltage = injected_mw = 0.0
    thermal = (worth - lmp_usd_per_mwh) * import_mw
    missing_mw = import_mw
    for feeder in feeders:
        drawn = net_withdrawal_mw(feeder.point)
        at_nodes = prices_at(feeder.way_of_nodes, feeder.branches, lmp_usd_per_mwh)
        at_ders = prices_at(feeder.point.map.incidence_t, feeder.branches, lmp_usd_per_mwh)
        injected = float(at_ders.total_usd_per_mwh @ feeder.point.p_kw) / KW_PER_MW
        ders -= injected
        loads += float(at_nodes.total_usd_per_mwh @ drawn) + injected
        lost += float(at_nodes.loss_usd_per_mwh @ drawn)
        missing_mw -= float(drawn.sum())
        injected_mw += float(feeder.point.p_kw.sum()) / KW_PER_MW
        voltage += _voltage_rent(feeder, drawn)
        thermal += _thermal_rent(feeder, drawn)
    return DistributionAccounts(
        purchase_usd_per_h=-lmp_usd_per_mwh * import_mw,
        der_usd_per_h=ders,
        load_usd_per_h=loads,
        loss_surplus_usd_per_h=lost - worth * missing_mw,
        voltage_rent_usd_per_h=voltage,
        thermal_rent_usd_per_h=thermal,
        injected_mw=injected_mw,
        drawn_mw=import_mw - missing_mw + injected_mw,
        lost_mw=missing_mw,
    )


def net_withdrawal_mw(point: OperatingPoint) -> FloatArray:
    """What leaves the tree at each far node: loads less DERs, shape (m,). [MW]"""
    parent = point.map.tree.parent
    below = parent >= 0
    passed_on = np.bincount(parent[below], point.into_kw[below], parent.size)
    return np.asarray((point.s_kva.real - passed_on) / KW_PER_MW)


def _voltage_rent(feeder: PricedFeeder, drawn_mw: FloatArray) -> float:
    """Worth of how far the withdrawals move voltages towards their limits. [$/h]"""
    if feeder.vertex is None:
        return 0.0
    coefficients = feeder.case.point.coefficients
    flow_kw = KW_PER_MW * summed_to_head(feeder.point.map.tree, drawn_mw)
    moved = -coefficients.solve_tree.solve(coefficients.real @ flow_kw)
    return sum(
        float(mu) * (1.0, -1.0)[kind] * float(moved[place])
        for (kind, place), mu in zip(feeder.vertex.binding_rows, feeder.vertex.row_price, strict=True)
        if kind < 2
    )


def _thermal_rent(feeder: PricedFeeder, drawn_mw: FloatArray) -> float:
    """Worth of what the withdrawals take of ratings and of the head's limit. [$/h]"""
    if feeder.vertex is None:
        return 0.0
    flow = summed_to_head(feeder.point.map.tree, drawn_mw)
    rows = zip(feeder.vertex.binding_rows, feeder.vertex.row_price, strict=True)
    ratings = sum(
        float(mu) * float(feeder.case.normal[kind - 2].real) * float(flow[place])
        for (kind, place), mu in rows
        if kind >= 2
    )
    return ratings + feeder.branches.head_usd_per_mwh * float(drawn_mw.sum())


def summed_to_head(tree: Tree, values: FloatArray) -> FloatArray:
    """Sum of a value over each branch-phase and all behind it, shape (m,)."""
    total = values.tolist()
    for place in range(len(total) - 1, -1, -1):
        parent = int(tree.parent[place])
        if parent >= 0:
            total[parent] += total[place]
    return np.array(total)
