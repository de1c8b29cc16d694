"""One interval of one feeder: its map, its DERs' offers and its limits, brought to one reference state.

The limits are relaxed, one by one, to the base state (every DER at its base injection), so that a feeder that
is overloaded by its inflexible load alone still has a feasible program in which nothing gets worse.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import ComplexArray, FloatArray
from federates.distribution.linear import OperatingPoint
from federates.dso.columns import KW_PER_MW, DerColumns

DIRECTIONS_COUNT = 8
"""Sides of the polygon inside a branch's circle of power, where reactive injections are columns."""
RELAXATION_PU2 = 1e-4
"""How far a node that the base state puts outside may go beyond it, 5e-5 pu of voltage: without it, a DER
whose phase couples to that node by a millionth would be held still."""
RELAXATION_MW = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederLimits:
    """What the DSO keeps on one feeder."""

    v_min_pu: float = 0.95
    v_max_pu: float = 1.05
    import_mw: float = np.inf
    """Greatest import at the head. [MW]"""
    export_mw: float = np.inf
    """Greatest export at the head. [MW]"""
    loading_pu: float = 1.0
    """Share of each rating that may be used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederCase:
    """One interval of one feeder, ready for the program; K kinds of limit on each of m branch-phases.

    Kind 0 is high voltage, kind 1 low voltage, the rest are directions of power.
    """

    point: OperatingPoint
    columns: DerColumns
    """In the map's order."""
    voltage_at_floor_pu2: FloatArray
    """w with every DER at its floor, shape (m,). [pu^2]"""
    flow_at_floor_mva: ComplexArray
    """Power through each branch-phase then, shape (m,). [MVA]"""
    bound: FloatArray
    """Right-hand sides, shape (K, m). [pu^2] or [MW]"""
    normal: ComplexArray
    """Unit vectors (cos + j sin) of the directions of power, shape (K - 2,)."""
    import_at_floor_mw: float
    """Head import with every DER at its floor. [MW]"""
    least_import_mw: float
    """Head limit, relaxed to the base state. [MW]"""
    greatest_import_mw: float
    """Head limit, relaxed to the base state. [MW]"""
    relaxed_nodes_count: int
    """Voltage limits relaxed to the base state."""
    relaxed_branches_count: int
    """Branch-phases whose limit is relaxed to the base state."""

    @property
    def q_free(self) -> bool:
        """Whether reactive injections are columns."""
        return bool((self.columns.q_limit_kvar > 0).any())

    def excess(self, p_kw: FloatArray, q_kvar: FloatArray) -> FloatArray:
        """How far each limit is exceeded (negative: room), shape (K, m) or (K, m, cases).

        Parameters
        ----------
        p_kw, q_kvar
            Injections, shape (D,) or (D, cases). [kW], [kvar]
        """
        cases = (...,) if p_kw.ndim == 1 else (..., None)

        def lift(values: FloatArray) -> FloatArray:
            return values[cases]

        up, side = p_kw - lift(self.columns.floor_kw), q_kvar - lift(self.columns.q_kvar)
        rise = self.point.dw_pu2(up, side) if self.q_free else self.point.dw_pu2(up)
        w = lift(self.voltage_at_floor_pu2) + rise
        drawn = (self.point.map.incidence @ up) / KW_PER_MW
        power = lift(self.normal.real[:, None]) * (lift(self.flow_at_floor_mva.real) - drawn)
        if self.q_free:
            drawn = (self.point.map.incidence @ side) / KW_PER_MW
            power += lift(self.normal.imag[:, None]) * (lift(self.flow_at_floor_mva.imag) - drawn)
        return np.asarray(np.concatenate([np.stack([w, -w]), power]) - lift(self.bound))


def feeder_case(point: OperatingPoint, columns: DerColumns, limits: FeederLimits) -> FeederCase:
    """One interval's program data around an operating point.

    Parameters
    ----------
    columns
        Offers in the map's order.
    """
    floor, q = columns.floor_kw, columns.q_kvar
    down, side = floor - point.p_kw, q - point.q_kvar
    w = point.w_pu2 + point.dw_pu2(down, side)
    flow = point.flows_kva(down, side) / KW_PER_MW
    up = np.clip(columns.base_kw, floor, columns.top_kw) - floor
    w_base = w + point.dw_pu2(up)
    flow_base = flow - (point.map.incidence @ up) / KW_PER_MW
    high = np.maximum(limits.v_max_pu**2, w_base + RELAXATION_PU2)
    low = np.minimum(limits.v_min_pu**2, w_base - RELAXATION_PU2)
    rating = point.limit_kva * limits.loading_pu / KW_PER_MW
    q_free = bool((columns.q_limit_kvar > 0).any())
    normal, power = _power_bounds(rating, flow_base, q_free=q_free)
    import_at_floor = point.head_power_kw(floor) / KW_PER_MW
    base_import = import_at_floor - float(np.sum(up)) / KW_PER_MW
    return FeederCase(
        point=point,
        columns=columns,
        voltage_at_floor_pu2=w,
        flow_at_floor_mva=flow,
        bound=np.concatenate([np.stack([high, -low]), power]),
        normal=normal,
        import_at_floor_mw=import_at_floor,
        least_import_mw=min(-limits.export_mw, base_import - RELAXATION_MW),
        greatest_import_mw=max(limits.import_mw, base_import + RELAXATION_MW),
        relaxed_nodes_count=int(((w_base > limits.v_max_pu**2) | (w_base < limits.v_min_pu**2)).sum()),
        relaxed_branches_count=int((np.abs(flow_base) > rating).sum()),
    )


def _power_bounds(
    rating_mva: FloatArray, base_mva: ComplexArray, *, q_free: bool
) -> tuple[ComplexArray, FloatArray]:
    """Directions of power, shape (K,), and the bound of each branch-phase in each, shape (K, m). [MW]

    With Q held the circle of power cuts out an interval of P, which is exact; with Q free it is replaced by
    a polygon inside it.
    """
    if not q_free:
        circle = np.maximum(rating_mva, np.abs(base_mva) + RELAXATION_MW)
        return np.array([1.0 + 0j, -1.0 + 0j]), np.tile(np.sqrt(circle**2 - base_mva.imag**2), (2, 1))
    inside = np.cos(np.pi / DIRECTIONS_COUNT)
    bound = np.maximum(rating_mva * inside, np.abs(base_mva) + RELAXATION_MW)
    angle = 2 * np.pi * np.arange(DIRECTIONS_COUNT) / DIRECTIONS_COUNT
    return np.exp(1j * angle), np.tile(bound, (DIRECTIONS_COUNT, 1))
