"""One interval of one feeder: its map, its DERs' offers and its limits, brought to one reference state.

The limits are relaxed, one by one, to the base state (every DER at its base injection), so that a feeder that
is overloaded by its inflexible load alone still has a feasible program in which nothing gets worse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
from scipy.sparse import csr_array

from federates.core.arrays import BoolArray, ComplexArray, FloatArray, IntArray
from federates.distribution.linear import OperatingPoint
from federates.distribution.tangent import AreaTangent
from federates.dso.columns import KW_PER_MW, DerColumns

DIRECTIONS_COUNT = 8
"""Sides of the polygon inside a branch's circle of power, where reactive injections are columns."""
RELAXATION_PU2 = 1e-4
"""How far a node that the base state puts outside may go beyond it, 5e-5 pu of voltage: without it, a DER
whose phase couples to that node by a millionth would be held still."""
RELAXATION_MW = 1e-9
OVERLOAD_SWING = 1.1
"""How far a branch that a solved base state overloads may be loaded, over its flow there: what it feeds draws
up to a tenth more or less as voltage moves through Range A."""
OUTSIDE_SWING_PU2 = 5e-3
"""How far a node that a solved base state puts outside may go beyond it, 0.0025 pu of voltage: the bus that
all feeders share moves by as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederLimits:
    """What the DSO keeps on one feeder."""

    v_min_pu: float = 0.95
    v_max_pu: float = 1.05
    loaded: BoolArray | None = None
    """Far nodes that have loads, shape (m,): where voltages are limited, as they are judged; None: at all."""
    import_mw: float = np.inf
    """Greatest import at the head. [MW]"""
    export_mw: float = np.inf
    """Greatest export at the head. [MW]"""
    import_is_reachable: bool = False
    """Whether the DERs are known to keep the import limit; it is relaxed to the base state otherwise."""
    loading_pu: float = 1.0
    """Share of each rating that may be used."""
    before_pu: FloatArray | None = None
    """Voltage at each far node before the interval, shape (m,); None: it may begin anywhere. [pu]"""
    relaxed_pu: tuple[float, float] = (0.0, np.inf)
    """Voltages beyond which no base state relaxes the limits. [pu]"""
    reached_pu2: FloatArray | None = None
    """Squared voltage at each far node in the state that, of those the DERs reach, exceeds these limits
    least, shape (m,): they are relaxed to it; None: they can be kept. [pu^2]"""
    rise_pu: float = np.inf
    fall_pu: float = np.inf
    """How far the interval may move each of them, upward and downward, other than to the base state. [pu]"""

    def at_loads(self, of_nodes: FloatArray) -> FloatArray:
        """Those of the values of all far nodes that belong to nodes whose voltage is limited."""
        return of_nodes if self.loaded is None else of_nodes[self.loaded]

    def relaxed_import_mw(self, base_import_mw: float) -> float:
        """Greatest import, relaxed to the base state's where that limit is not known to be reachable. [MW]"""
        if self.import_is_reachable:
            return self.import_mw
        return max(self.import_mw, base_import_mw + RELAXATION_MW)


class LinearMap(Protocol):
    """A linear map around a solved state: of one feeder (radial), or of an area (by its Jacobian)."""

    @property
    def coefficients(self) -> object:
        """What the slopes belong to; the same object, the same slopes."""

    @property
    def incidence(self) -> csr_array:
        """Share of each DER's injection in the subtree of each branch-phase, shape (m, D)."""

    @property
    def relief_by_p(self) -> FloatArray:
        """How much less is imported for a kW injected, shape (D,). [kW/kW]"""

    @property
    def relief_by_q(self) -> FloatArray:
        """How much less is imported for a kvar injected, shape (D,). [kW/kvar]"""

    def head_power_kw(self, p_kw: FloatArray, q_kvar: FloatArray) -> float:
        """Import at injections. [kW]"""

    def dw_pu2(self, dp_kw: FloatArray, dq_kvar: FloatArray | None = None) -> FloatArray:
        """Change of w for moves, shape (m,) or (m, moves). [pu^2]"""

    def voltage_rows(self, branch_phases: IntArray) -> tuple[FloatArray, FloatArray]:
        """Rows of dw/dp and dw/dq, each shape (rows, D)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeadLimits:
    """Limits on the heads of an area's feeders, where the program's import is that of all of them."""

    relief_by_p: FloatArray
    """How much less each head draws for a kW injected, shape (feeders, D). [kW/kW]"""
    relief_by_q: FloatArray
    """How much less each head draws for a kvar injected, shape (feeders, D). [kW/kvar]"""
    at_floor_mw: FloatArray
    """Drawn with every DER at its floor, shape (feeders,). [MW]"""
    least_mw: FloatArray
    """Shape (feeders,). [MW]"""
    greatest_mw: FloatArray
    """Shape (feeders,). [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One interval, ready for the program; K kinds of limit on each of m branch-phases.

    Kind 0 is high voltage, kind 1 low voltage, the rest are directions of power. In an area's case,
    branch-phases and DERs are those of its feeders, one after the other.
    """

    point: LinearMap
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
    heads: HeadLimits | None = None
    """Limits on single heads; None where the import is one head's."""

    @property
    def q_free(self) -> bool:
        """Whether reactive injections are columns."""
        return bool((self.columns.q_limit_kvar > 0).any())

    def import_mw(self, p_kw: FloatArray, q_kvar: FloatArray) -> float:
        """Import at injections of shape (D,). [MW]"""
        up, side = p_kw - self.columns.floor_kw, q_kvar - self.columns.q_kvar
        relief_kw = self.point.relief_by_p @ up + self.point.relief_by_q @ side
        return self.import_at_floor_mw - float(relief_kw) / KW_PER_MW

    def w_pu2(self, p_kw: FloatArray, q_kvar: FloatArray) -> FloatArray:
        """Squared voltage at each far node at injections of shape (D,), shape (m,). [pu^2]"""
        up, side = p_kw - self.columns.floor_kw, q_kvar - self.columns.q_kvar
        return self.voltage_at_floor_pu2 + self.point.dw_pu2(up, side)

    def keeps(self, p_kw: FloatArray) -> bool:
        """Whether injections of shape (D,), cut to the offers, keep every limit: a solution exists then."""
        cut = np.clip(p_kw, self.columns.floor_kw, self.columns.top_kw)
        drawn_mw = self.import_mw(cut, self.columns.q_kvar)
        within = self.least_import_mw <= drawn_mw <= self.greatest_import_mw
        return within and bool(self.excess(cut, self.columns.q_kvar).max() <= 0.0)

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
        drawn = (self.point.incidence @ up) / KW_PER_MW
        power = lift(self.normal.real[:, None]) * (lift(self.flow_at_floor_mva.real) - drawn)
        if self.q_free:
            drawn = (self.point.incidence @ side) / KW_PER_MW
            power += lift(self.normal.imag[:, None]) * (lift(self.flow_at_floor_mva.imag) - drawn)
        return np.asarray(np.concatenate([np.stack([w, -w]), power]) - lift(self.bound))


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederCase(Case):
    """One interval of one feeder."""

    point: OperatingPoint


def feeder_case(point: OperatingPoint, columns: DerColumns, limits: FeederLimits) -> FeederCase:
    """One interval's program data around an operating point.

    The base state is taken from the map, which keeps the program feasible there.

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
    rating = point.limit_kva * limits.loading_pu / KW_PER_MW
    bounds = _bounds(
        limits,
        rating,
        w + point.dw_pu2(up),
        flow - (point.incidence @ up) / KW_PER_MW,
        q_free=bool((columns.q_limit_kvar > 0).any()),
    )
    import_at_floor = point.head_power_kw(floor, q) / KW_PER_MW
    base_import = import_at_floor - float(np.sum(up)) / KW_PER_MW
    return FeederCase(
        point=point,
        columns=columns,
        voltage_at_floor_pu2=w,
        flow_at_floor_mva=flow,
        bound=bounds.bound,
        normal=bounds.normal,
        import_at_floor_mw=import_at_floor,
        least_import_mw=min(-limits.export_mw, base_import - RELAXATION_MW),
        greatest_import_mw=limits.relaxed_import_mw(base_import),
        relaxed_nodes_count=bounds.relaxed_nodes_count,
        relaxed_branches_count=bounds.relaxed_branches_count,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class SolvedBase:
    """What is kept of one feeder around its base state, where that state was solved.

    A node that the base state puts outside may go `OUTSIDE_SWING_PU2` beyond it, and a branch that it
    overloads `OVERLOAD_SWING` times as far: voltages of loads that nobody moves do as much.
    """

    point: OperatingPoint
    """The base state."""
    limits: FeederLimits

    def bounds(self, now: OperatingPoint, *, q_free: bool, margin_pu: float = 0.0) -> Bounds:
        """Right-hand sides in another state, ``margin_pu`` inside the voltage limits."""
        limits = replace(
            self.limits,
            v_min_pu=self.limits.v_min_pu + margin_pu,
            v_max_pu=self.limits.v_max_pu - margin_pu,
        )
        rating = now.limit_kva * limits.loading_pu / KW_PER_MW
        flow = self.point.s_kva / KW_PER_MW
        flow = np.where(np.abs(flow) > rating, OVERLOAD_SWING * flow, flow)
        return _bounds(limits, rating, self.point.w_pu2, flow, q_free=q_free, beyond_pu2=OUTSIDE_SWING_PU2)

    @property
    def least_import_mw(self) -> float:
        """Head limit, relaxed. [MW]"""
        return min(-self.limits.export_mw, self.point.p_head_kw / KW_PER_MW - RELAXATION_MW)

    @property
    def greatest_import_mw(self) -> float:
        """Head limit, relaxed. [MW]"""
        return self.limits.relaxed_import_mw(self.point.p_head_kw / KW_PER_MW)


def area_case(
    tangent: AreaTangent, columns: DerColumns, bases: Sequence[SolvedBase], margin_pu: float
) -> Case:
    """One program's data for all feeders of an area around a solved state.

    Parameters
    ----------
    columns
        Offers in the tangent's order.
    bases
        Limits of each feeder, with its base state.
    margin_pu
        How far inside the voltage limits the program stays. [pu]
    """
    floor, q = columns.floor_kw, columns.q_kvar
    q_free = bool((columns.q_limit_kvar > 0).any())
    down, side = floor - tangent.p_kw, q - tangent.q_kvar
    bounds = [
        base.bounds(point, q_free=q_free, margin_pu=margin_pu)
        for base, point in zip(bases, tangent.points, strict=True)
    ]
    s_kva = np.concatenate([point.s_kva for point in tangent.points])
    return Case(
        point=tangent,
        columns=columns,
        voltage_at_floor_pu2=tangent.w_pu2 + tangent.dw_pu2(down, side),
        flow_at_floor_mva=(s_kva - tangent.incidence @ (down + 1j * side)) / KW_PER_MW,
        bound=np.concatenate([b.bound for b in bounds], axis=1),
        normal=bounds[0].normal,
        import_at_floor_mw=tangent.head_power_kw(floor, q) / KW_PER_MW,
        least_import_mw=-np.inf,
        greatest_import_mw=np.inf,
        relaxed_nodes_count=sum(b.relaxed_nodes_count for b in bounds),
        relaxed_branches_count=sum(b.relaxed_branches_count for b in bounds),
        heads=HeadLimits(
            relief_by_p=-tangent.heads_by_p,
            relief_by_q=-tangent.heads_by_q,
            at_floor_mw=tangent.heads_kw(floor, q) / KW_PER_MW,
            least_mw=np.array([base.least_import_mw for base in bases]),
            greatest_mw=np.array([base.greatest_import_mw for base in bases]),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Right-hand sides of a feeder's limits, relaxed to its base state."""

    bound: FloatArray
    """Shape (K, m). [pu^2] or [MW]"""
    normal: ComplexArray
    """Directions of power, shape (K - 2,)."""
    relaxed_nodes_count: int
    relaxed_branches_count: int


def _bounds(
    limits: FeederLimits,
    rating_mva: FloatArray,
    w_base_pu2: FloatArray,
    base_mva: ComplexArray,
    *,
    q_free: bool,
    beyond_pu2: float = RELAXATION_PU2,
) -> Bounds:
    """Limits as they are, or as the base state needs them; ``beyond_pu2`` for nodes that it puts outside."""
    v_max, v_min = limits.v_max_pu**2, limits.v_min_pu**2
    is_high, is_low = w_base_pu2 > v_max, w_base_pu2 < v_min
    high = np.where(is_high, w_base_pu2 + beyond_pu2, np.maximum(v_max, w_base_pu2 + RELAXATION_PU2))
    low = np.where(is_low, w_base_pu2 - beyond_pu2, np.minimum(v_min, w_base_pu2 - RELAXATION_PU2))
    high = np.minimum(high, max(v_max, limits.relaxed_pu[1] ** 2))
    low = np.maximum(low, min(v_min, limits.relaxed_pu[0] ** 2))
    if limits.loaded is not None:
        is_high, is_low = is_high & limits.loaded, is_low & limits.loaded
        high, low = np.where(limits.loaded, high, np.inf), np.where(limits.loaded, low, -np.inf)
    if limits.before_pu is not None:
        above = (limits.before_pu + limits.rise_pu) ** 2
        below = np.maximum(limits.before_pu - limits.fall_pu, 0.0) ** 2
        high = np.minimum(high, np.maximum(above, w_base_pu2 + RELAXATION_PU2))
        low = np.maximum(low, np.minimum(below, w_base_pu2 - RELAXATION_PU2))
    if limits.reached_pu2 is not None:
        high = np.maximum(high, limits.reached_pu2 + RELAXATION_PU2)
        low = np.minimum(low, limits.reached_pu2 - RELAXATION_PU2)
    normal, power = _power_bounds(rating_mva, base_mva, q_free=q_free)
    return Bounds(
        bound=np.concatenate([np.stack([high, -low]), power]),
        normal=normal,
        relaxed_nodes_count=int((is_high | is_low).sum()),
        relaxed_branches_count=int((np.abs(base_mva) > rating_mva).sum()),
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
