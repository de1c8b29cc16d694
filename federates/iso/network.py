"""The network as the market sees it: lossless direct-current flows as shift factors.

Flow ``f = b (theta_from - theta_to - phi)`` with ``b = 1 / (x ratio)``, the MATPOWER convention (R. D.
Zimmerman, C. E. Murillo-Sanchez, MATPOWER User's Manual, section 3.7). Shift factors are dense and belong
to a reference bus; flows of balanced injections, and so prices, do not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.cases.case import TransmissionCase
from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError

LEAST_X_PU = 1e-5
"""Stands in for a reactance of zero. [pu]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class MarketNetwork:
    """Shift factors, ratings and direct-current lines."""

    bus_ids: tuple[str, ...]
    """Names of the buses."""
    branch_ids: tuple[str, ...]
    """Names of the branches."""
    ptdf: FloatArray
    """Flow on each branch per MW injected at each bus and drawn at the reference, (branches, buses)."""
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

    @property
    def buses_count(self) -> int:
        """Number of buses."""
        return len(self.bus_ids)

    def flow_mw(self, injection_mw: FloatArray) -> FloatArray:
        """Branch flows of balanced bus injections, shape (..., buses) to (..., branches). [MW]"""
        flow: FloatArray = injection_mw @ self.ptdf.T + self.shift_flow_mw
        return flow


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
    in_service = np.array([branch not in out for branch in case.branches.ids])
    ptdf, shift_flow = _shift_factors(
        case, in_service, case.reference_bus if reference_bus is None else reference_bus
    )
    load = np.maximum(case.buses.load_mw, 0.0)
    weight = load if load.sum() > 0.0 else np.ones(load.size)
    return MarketNetwork(
        bus_ids=case.buses.ids,
        branch_ids=case.branches.ids,
        ptdf=ptdf,
        shift_flow_mw=shift_flow,
        limit_mw=case.branches.rating_mw,
        dc_from=case.dc_lines.from_bus,
        dc_to=case.dc_lines.to_bus,
        dc_limit_mw=case.dc_lines.limit_mw,
        reference_weight=weight / weight.sum(),
    )


def _shift_factors(
    case: TransmissionCase, in_service: np.ndarray[tuple[int], np.dtype[np.bool_]], reference_bus: int
) -> tuple[FloatArray, FloatArray]:
    branches, n = case.branches, len(case.buses.ids)
    x = np.where(np.abs(branches.x_pu) < LEAST_X_PU, LEAST_X_PU, branches.x_pu)
    b = np.where(in_service, 1.0 / (x * branches.ratio), 0.0)
    incidence = np.zeros((b.size, n))
    incidence[np.arange(b.size), branches.from_bus] = 1.0
    incidence[np.arange(b.size), branches.to_bus] -= 1.0
    susceptance = incidence.T @ (b[:, None] * incidence)
    others = np.delete(np.arange(n), reference_bus)
    _check_connected(case, branches.from_bus[in_service], branches.to_bus[in_service])
    ptdf = np.zeros((b.size, n))
    reduced = susceptance[np.ix_(others, others)]
    ptdf[:, others] = np.linalg.solve(reduced, (b[:, None] * incidence)[:, others].T).T
    ptdf[np.abs(ptdf) < 1e-12] = 0.0
    pushed = b * np.deg2rad(branches.shift_deg) * case.base_mva
    return ptdf, ptdf @ (incidence.T @ pushed) - pushed


def _check_connected(case: TransmissionCase, from_bus: IntArray, to_bus: IntArray) -> None:
    island = np.arange(len(case.buses.ids))
    while True:
        least = np.minimum(island[from_bus], island[to_bus])
        before = island.copy()
        np.minimum.at(island, from_bus, least)
        np.minimum.at(island, to_bus, least)
        if (island == before).all():
            break
    apart = np.flatnonzero(island != island[case.reference_bus])
    if apart.size:
        raise ConfigError(
            f"bus {case.buses.ids[apart[0]]!r} has no alternating-current path to the reference bus; "
            "the market clears one island: connect it, or leave its buses out of the case"
        )
