"""The network as the market sees it: direct-current flows, with losses that follow from them.

Flow ``f = b (theta_from - theta_to - phi)`` with ``b = 1 / (x ratio)``, the MATPOWER convention (R. D.
Zimmerman, C. E. Murillo-Sanchez, MATPOWER User's Manual, section 3.7). In shift factors, ``f = H p + f0``:
``H`` belongs to a reference bus; flows of balanced injections, and so prices, do not. ``H`` is never stored:
the susceptance matrix is factorised once, a flow is one solve with it, a row of ``H`` another.

Losses are those of the flows, ``L = sum_m r_m f_m^2 / S_base``, drawn at the buses in fixed shares ``w`` (E.
Litvinov, T. Zheng, G. Rosenwald, P. Shamsollahi, "Marginal loss modeling in LMP calculation", IEEE Trans.
Power Systems 19(2), 2004): with losses of ``l`` MW the flows are ``H (p - l w) + f0``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy.sparse import csc_matrix
from scipy.sparse.linalg import splu

from federates.cases.case import TransmissionCase
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import ConfigError

LEAST_X_PU = 1e-5
"""Stands in for a reactance of zero. [pu]"""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class MarketNetwork:
    """Flows, shift factors, ratings and direct-current lines."""

    bus_ids: tuple[str, ...]
    """Names of the buses."""
    branch_ids: tuple[str, ...]
    """Names of the branches."""
    from_bus: IntArray
    """Bus at which each branch begins, shape (branches,)."""
    to_bus: IntArray
    """Bus at which it ends, shape (branches,)."""
    susceptance: FloatArray
    """``b``, zero where out of service, shape (branches,). [pu]"""
    loss_per_mw: FloatArray
    """Loss per squared flow, ``r / S_base``, shape (branches,). [MW/MW^2]"""
    shift_flow_mw: FloatArray
    """Flow that the phase shifts alone drive, shape (branches,). [MW]"""
    limit_mw: FloatArray
    """Ratings, ``inf`` where there is none, shape (branches,). [MW]"""
    dc_from: IntArray
    """Bus at which each direct-current line draws, shape (dc lines,)."""
    dc_to: IntArray
    """Bus at which it injects, shape (dc lines,)."""
    dc_limit_mw: FloatArray
    """Greatest flow either way, shape (dc lines,). [MW]"""
    reference_weight: FloatArray
    """Weights whose average price is the energy component, load-weighted, sum 1, shape (buses,)."""
    loss_weight: FloatArray
    """Share of each bus in the withdrawal of losses, load-weighted, sum 1, shape (buses,)."""
    region: IntArray
    """Reserve region of each bus, shape (buses,)."""
    _others: IntArray
    _factor: Any

    @property
    def buses_count(self) -> int:
        """Number of buses."""
        return len(self.bus_ids)

    @property
    def bus_rank(self) -> IntArray:
        """Place of each bus in the order of their names, shape (buses,): input order does not count."""
        rank = np.empty(len(self.bus_ids), dtype=np.int64)
        rank[np.argsort(np.array(self.bus_ids), kind="stable")] = np.arange(len(self.bus_ids))
        return rank

    def flow_mw(self, injection_mw: FloatArray) -> FloatArray:
        """Branch flows of bus injections, shape (..., buses) to (..., branches). [MW]

        What the injections lack to add up to zero is drawn at the reference bus.
        """
        flow: FloatArray = self._angle_difference(injection_mw) * self.susceptance + self.shift_flow_mw
        return flow

    def shift_factors(self, branches: IntArray) -> FloatArray:
        """Flow on some branches per MW injected at each bus, shape (k,) to (k, buses)."""
        ends = np.zeros((branches.size, self.buses_count))
        rows = np.arange(branches.size)
        ends[rows, self.from_bus[branches]] = self.susceptance[branches]
        ends[rows, self.to_bus[branches]] -= self.susceptance[branches]
        return self._solved(ends)

    def pull_back(self, values: FloatArray) -> FloatArray:
        """``H' v``: values per MW of flow, seen from the buses; shape (..., branches) to (..., buses)."""
        weighted = (values * self.susceptance).reshape(math.prod(values.shape[:-1]), values.shape[-1])
        ends = np.zeros((weighted.shape[0], self.buses_count))
        for row, along in zip(ends, weighted, strict=True):
            row += np.bincount(self.from_bus, weights=along, minlength=self.buses_count)
            row -= np.bincount(self.to_bus, weights=along, minlength=self.buses_count)
        return self._solved(ends).reshape(*values.shape[:-1], self.buses_count)

    def losses_mw(self, flow_mw: FloatArray) -> FloatArray:
        """Losses of branch flows, shape (..., branches) to (...). [MW]"""
        losses: FloatArray = (flow_mw * flow_mw) @ self.loss_per_mw
        return losses

    def _angle_difference(self, injection_mw: FloatArray) -> FloatArray:
        angle = self._solved(injection_mw.reshape(-1, self.buses_count))
        difference = angle[:, self.from_bus] - angle[:, self.to_bus]
        return difference.reshape(*injection_mw.shape[:-1], self.from_bus.size)

    def _solved(self, ends: FloatArray) -> FloatArray:
        solved = np.zeros(ends.shape)
        if self._others.size and ends.shape[0]:
            solved[:, self._others] = self._factor.solve(np.ascontiguousarray(ends[:, self._others].T)).T
        return solved


def market_network(
    case: TransmissionCase, *, out: tuple[str, ...] = (), reference_bus: int | None = None
) -> MarketNetwork:
    """Network of a case.

    Parameters
    ----------
    case
        The transmission system.
    out
        Names of branches that are out of service; they carry nothing.
    reference_bus
        Place of the bus at which shift factors draw; the case's own where not given.

    Raises
    ------
    ConfigError
        If a branch is unknown or the buses do not hang together.
    """
    unknown = [branch for branch in out if branch not in case.branches.ids]
    if unknown:
        raise ConfigError(f"no branch {unknown[0]!r} in the transmission case {case.name!r}")
    branches, n = case.branches, len(case.buses.ids)
    in_service = np.array([branch not in out for branch in branches.ids], dtype=np.bool_)
    _check_connected(case, branches.from_bus[in_service], branches.to_bus[in_service])
    x = np.where(np.abs(branches.x_pu) < LEAST_X_PU, LEAST_X_PU, branches.x_pu)
    b = np.where(in_service, 1.0 / (x * branches.ratio), 0.0)
    others = np.delete(np.arange(n), case.reference_bus if reference_bus is None else reference_bus)
    load = np.maximum(case.buses.load_mw, 0.0)
    weight = load if load.sum() > 0.0 else np.ones(load.size)
    unshifted = MarketNetwork(
        bus_ids=case.buses.ids,
        branch_ids=branches.ids,
        from_bus=branches.from_bus,
        to_bus=branches.to_bus,
        susceptance=b,
        loss_per_mw=np.where(in_service, branches.r_pu / case.base_mva, 0.0),
        shift_flow_mw=np.zeros(b.size),
        limit_mw=branches.rating_mw,
        dc_from=case.dc_lines.from_bus,
        dc_to=case.dc_lines.to_bus,
        dc_limit_mw=case.dc_lines.limit_mw,
        reference_weight=weight / weight.sum(),
        loss_weight=weight / weight.sum(),
        region=case.buses.area,
        _others=others,
        _factor=_factorised(case, b, others),
    )
    pushed = b * np.deg2rad(branches.shift_deg) * case.base_mva
    if not pushed.any():
        return unshifted
    at_bus: FloatArray = np.bincount(branches.from_bus, weights=pushed, minlength=n).astype(np.float64)
    at_bus -= np.bincount(branches.to_bus, weights=pushed, minlength=n)
    return replace(unshifted, shift_flow_mw=unshifted.flow_mw(at_bus) - pushed)


def _factorised(case: TransmissionCase, b: FloatArray, others: IntArray) -> Any:
    """Sparse factors of the susceptance matrix without the reference bus."""
    if not others.size:
        return None
    n, f, t = len(case.buses.ids), case.branches.from_bus, case.branches.to_bus
    rows, columns = np.concatenate((f, t, f, t)), np.concatenate((f, t, t, f))
    matrix = csc_matrix((np.concatenate((b, b, -b, -b)), (rows, columns)), shape=(n, n))
    return splu(matrix[others][:, others], permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0)


def _check_connected(case: TransmissionCase, from_bus: IntArray, to_bus: IntArray) -> None:
    island = np.arange(len(case.buses.ids))
    while True:
        least = np.minimum(island[from_bus], island[to_bus])
        before = island.copy()
        np.minimum.at(island, from_bus, least)
        np.minimum.at(island, to_bus, least)
        if (island == before).all():
            break
    apart: BoolArray = island != island[case.reference_bus]
    if apart.any():
        raise ConfigError(
            f"bus {case.buses.ids[np.flatnonzero(apart)[0]]!r} has no alternating-current path to the "
            "reference bus; the market clears one island: connect it, or leave its buses out of the case"
        )
