"""Full-space LinDist3Flow program: every voltage and flow a variable, built element by element.

The oracle of the reduced program: it shares the circuit's admittances and voltages with it, and no code.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import OptimizeResult, linprog
from scipy.sparse import csr_array, lil_array

from federates.core.arrays import FloatArray
from federates.dso.case import DIRECTIONS_COUNT, FeederCase
from tests.unit.dso.area import Area


@dataclass(frozen=True, slots=True, kw_only=True)
class FullOptimum:
    """Optimum of the full-space program."""

    cost_usd_per_h: float
    """Cost of the DERs."""
    import_mw: float
    price_usd_per_mwh: float
    """Dual of the head's balance."""
    voltage_at_limit_count: int
    flow_at_limit_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearProgram:
    """Least ``cost @ x`` with rows and bounds, as SciPy takes it."""

    cost: FloatArray
    upper_rows: csr_array | None
    upper: FloatArray | None
    equal_rows: csr_array
    equal: FloatArray
    low: FloatArray
    high: FloatArray

    def solve(self) -> OptimizeResult:
        """Its optimum, tightly."""
        result = linprog(
            self.cost,
            A_ub=self.upper_rows,
            b_ub=self.upper,
            A_eq=self.equal_rows,
            b_eq=self.equal,
            bounds=np.stack([self.low, self.high], axis=1),
            method="highs-ds",
            options={"primal_feasibility_tolerance": 1e-9, "dual_feasibility_tolerance": 1e-9},
        )
        assert result.status == 0, result.message
        return result


class FullSpace:
    """The program around the circuit's present state; blocks and limits are those of ``case``.

    Columns: blocks, q, w, P, Q (per branch-phase), head import; MW, Mvar and squared pu.
    """

    def __init__(self, one: Area, case: FeederCase) -> None:
        self.case = case
        tree, columns = case.point.map.tree, case.columns
        self.m, self.blocks, self.ders = tree.far.size, columns.der.size, columns.ders_count
        self.at_q = self.blocks
        self.at_w = self.blocks + self.ders
        self.at_p, self.at_flow_q = self.at_w + self.m, self.at_w + 2 * self.m
        self.head = self.at_w + 3 * self.m
        self.rows = lil_array((3 * self.m + 1, self.head + 1))
        self.right = np.zeros(3 * self.m + 1)
        fed_by = {int(n): e for e, n in enumerate(tree.far)}
        s0 = np.zeros(self.m, dtype=complex)
        v = one.circuit.node_voltages_v()
        base = one.circuit.node_base_v
        head_in = 0j
        for branch, reverse in zip(tree.branches, tree.reversed_, strict=True):
            y = one.circuit.yprim(branch.name)
            k = len(branch.nodes1)
            near, far = branch.nodes1, branch.nodes2
            if reverse:
                near, far = far, near
                y = np.roll(np.roll(y, k, axis=0), k, axis=1)
            v1, v2 = v[list(near)], v[list(far)]
            z = np.linalg.inv(y[k:, k:])
            a = -z @ y[k:, :k]
            current = -(y[k:, :k] @ v1 + y[k:, k:] @ v2)
            for i in range(k):
                e = fed_by[far[i]]
                s0[e] = v2[i] * np.conj(current[i]) / 1e6
                parent = fed_by.get(near[i], -1)
                if parent < 0:
                    head_in += v1[i] * np.conj(y[i, :k] @ v1 + y[i, k:] @ v2) / 1e6
                self.rows[e, self.at_w + e] = 1.0
                ratio = abs(a[i] @ v1) ** 2 / abs(v1[i]) ** 2 * (base[near[i]] / base[far[i]]) ** 2
                w1 = abs(v1[i]) ** 2 / base[near[i]] ** 2
                self.right[e] = -(abs(z[i] @ current) ** 2) / base[far[i]] ** 2
                if parent < 0:
                    self.right[e] += ratio * w1
                else:
                    self.rows[e, self.at_w + parent] = -ratio
                for h in range(k):
                    g = 2e6 / base[far[i]] ** 2 * np.conj(v2[i]) / np.conj(v2[h]) * z[i, h]
                    other = fed_by[far[h]]
                    self.rows[e, self.at_p + other] += g.real
                    self.rows[e, self.at_flow_q + other] += g.imag
        self._balances(s0, head_in, fed_by, one)

    def _balances(self, s0: np.ndarray, head_in: complex, fed_by: dict[int, int], one: Area) -> None:
        """Flow out of a node's feeding branch = flows into the next ones, their losses, load less DERs."""
        case, tree = self.case, self.case.point.map.tree
        columns = case.columns
        p0, q0 = case.point.p_kw / 1e3, case.point.q_kvar / 1e3
        loss = s0.copy()
        for e, parent in enumerate(tree.parent):
            for part, offset in ((1, self.at_p), (2, self.at_flow_q)):
                self.rows[part * self.m + e, offset + e] += 1.0
                if parent >= 0:
                    self.rows[part * self.m + parent, offset + e] -= 1.0
            if parent >= 0:
                loss[parent] -= s0[e]
        self.right[self.m : 2 * self.m] = loss.real
        self.right[2 * self.m : 3 * self.m] = loss.imag
        self.rows[3 * self.m, self.head] = 1.0
        self.right[3 * self.m] = head_in.real + p0.sum() - columns.floor_kw.sum() / 1e3
        for d, fleet in enumerate(case.point.map.order):
            nodes = one.circuit.der_nodes[fleet]
            for node in nodes:
                e, share = fed_by[node], 1 / len(nodes)
                self.right[self.m + e] -= share * (columns.floor_kw[d] / 1e3 - p0[d])
                self.right[2 * self.m + e] -= share * (columns.q_kvar[d] / 1e3 - q0[d])
                self.rows[2 * self.m + e, self.at_q + d] += share
                for b in np.flatnonzero(columns.der == d):
                    self.rows[self.m + e, b] += share
        for b in range(self.blocks):
            self.rows[3 * self.m, b] = 1.0

    def program(
        self, price_usd_per_mwh: float, import_mw: float | None = None, *, block_cost: bool = True
    ) -> LinearProgram:
        """Least cost at a price of import, or at a fixed import, as arrays."""
        case, columns = self.case, self.case.columns
        cost = np.zeros(self.head + 1)
        cost[: self.blocks] = columns.price_usd_per_mwh if block_cost else 0.0
        cost[self.head] = price_usd_per_mwh
        low, high = np.full((2, self.head + 1), [[-np.inf], [np.inf]])
        low[: self.blocks], high[: self.blocks] = 0.0, columns.width_kw / 1e3
        span = columns.q_limit_kvar / 1e3
        low[self.at_q : self.at_w] = np.where(span > 0, -span - columns.q_kvar / 1e3, 0.0)
        high[self.at_q : self.at_w] = np.where(span > 0, span - columns.q_kvar / 1e3, 0.0)
        low[self.at_w : self.at_p], high[self.at_w : self.at_p] = -case.bound[1], case.bound[0]
        polygon, room = self._power_limits(low, high)
        low[self.head], high[self.head] = case.least_import_mw, case.greatest_import_mw
        if import_mw is not None:
            low[self.head] = high[self.head] = import_mw
        return LinearProgram(
            cost=cost, upper_rows=polygon, upper=room, equal_rows=self.rows.tocsr(), equal=self.right,
            low=low, high=high,
        )  # fmt: skip

    def solve(
        self, price_usd_per_mwh: float, import_mw: float | None = None, *, block_cost: bool = True
    ) -> FullOptimum:
        """Least cost at a price of import, or at a fixed import."""
        program = self.program(price_usd_per_mwh, import_mw, block_cost=block_cost)
        result = program.solve()
        voltage, flow = self.at_limit(result.x)
        return FullOptimum(
            cost_usd_per_h=float(program.cost[: self.blocks] @ result.x[: self.blocks]),
            import_mw=float(result.x[self.head]),
            price_usd_per_mwh=float(result.eqlin.marginals[3 * self.m]),
            voltage_at_limit_count=voltage,
            flow_at_limit_count=flow,
        )

    def at_limit(self, x: FloatArray) -> tuple[int, int]:
        """How many voltages and flows stand at their limits."""
        case = self.case
        w, p = x[self.at_w : self.at_p], x[self.at_p : self.at_flow_q]
        at_voltage = (np.abs(w - case.bound[0]) < 1e-8) | (np.abs(w + case.bound[1]) < 1e-8)
        return int(at_voltage.sum()), int((np.abs(np.abs(p) - case.bound[2]) < 1e-7).sum())

    def _power_limits(self, low: FloatArray, high: FloatArray) -> tuple[csr_array | None, FloatArray | None]:
        """Bounds on P where Q is held; polygon rows where it is not."""
        bound = self.case.bound[2:]
        if not self.case.q_free:
            high[self.at_p : self.at_flow_q], low[self.at_p : self.at_flow_q] = bound[0], -bound[1]
            return None, None
        rows = lil_array((DIRECTIONS_COUNT * self.m, self.head + 1))
        for j in range(DIRECTIONS_COUNT):
            angle = 2 * np.pi * j / DIRECTIONS_COUNT
            for e in range(self.m):
                rows[j * self.m + e, self.at_p + e] = np.cos(angle)
                rows[j * self.m + e, self.at_flow_q + e] = np.sin(angle)
        room = np.concatenate([bound[j] for j in range(DIRECTIONS_COUNT)])
        finite = np.isfinite(room)
        return rows.tocsr()[finite], room[finite]
