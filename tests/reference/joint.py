"""Transmission and all feeders below it as ONE linear program, written out in full.

The bulk grid enters with bus angles and branch flows, every feeder with all its voltages and flows
(`tests.unit.dso.full_space`); an LDA of m equal sets draws m times what its simulated feeders draw. Losses of
branches are found by tangents in their own flows. Nothing of the market engine or of the bids is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import block_diag, csr_array, hstack, lil_array, vstack

from federates.cases.case import TransmissionCase
from federates.core.arrays import FloatArray
from tests.unit.dso.full_space import FullSpace, LinearProgram

LOSS_TOLERANCE_MW = 1e-10
"""How far losses may lie below those of the flows."""
TANGENT_ROUNDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class JointArea:
    """One LDA as the joint program sees it."""

    bus: int
    multiplicity: int
    feeders: Sequence[FullSpace]
    constant_mw: float
    """Drawn by one set beyond its feeders. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class JointOptimum:
    """Optimum of transmission and distribution together."""

    cost_usd_per_h: float
    """Units' blocks and every DER's blocks against their floors."""
    lmp_usd_per_mwh: FloatArray
    """Dual of every bus, shape (buses,)."""
    unit_mw: FloatArray
    import_mw: FloatArray
    """Net import of every LDA, shape (areas,)."""
    flow_mw: FloatArray
    loss_mw: float
    feeder_limits_count: int
    """Voltages and flows of the simulated feeders at their limits."""


class Joint:
    """The joint program; `solve` at any load."""

    def __init__(self, case: TransmissionCase, areas: Sequence[JointArea], *, losses: bool) -> None:
        self.case, self.areas, self.losses = case, areas, losses
        self.spaces = [space for one in areas for space in one.feeders]
        self.sets = [one.multiplicity for one in areas for _ in one.feeders]
        buses, branches, units = len(case.buses.ids), len(case.branches.ids), len(case.units.ids)
        self.block_unit = np.repeat(np.arange(units), case.units.block_mw.shape[1])
        blocks = self.block_unit.size
        self.at_angle, self.at_flow = blocks, blocks + buses
        self.at_loss = self.at_flow + branches
        self.bulk = self.at_loss + 1
        self.begin = self.bulk + np.cumsum([0, *(space.head + 1 for space in self.spaces)])
        self.tangents: list[FloatArray] = [np.zeros(branches)]
        self.program = self._drawn()

    def _drawn(self) -> LinearProgram:
        """Rows: buses' balances, flows of branches, then every feeder's own."""
        case, branches = self.case, self.case.branches
        buses, lines = len(case.buses.ids), len(case.branches.ids)
        weight = case.buses.load_mw / case.buses.load_mw.sum()
        bulk = lil_array((buses + lines, int(self.begin[-1])))
        for b, unit in enumerate(self.block_unit):
            bulk[case.units.bus[unit], b] = 1.0
        for k in range(lines):
            f, t = branches.from_bus[k], branches.to_bus[k]
            bulk[f, self.at_flow + k], bulk[t, self.at_flow + k] = -1.0, 1.0
            b = case.base_mva / (branches.x_pu[k] * branches.ratio[k])
            bulk[buses + k, self.at_flow + k] = 1.0
            bulk[buses + k, self.at_angle + f], bulk[buses + k, self.at_angle + t] = -b, b
        bulk[:buses, [self.at_loss]] = -weight[:, None]
        place = 0
        for one in self.areas:
            for space in one.feeders:
                bulk[one.bus, self.begin[place] + space.head] = -float(one.multiplicity)
                place += 1
        own = [space.program(0.0) for space in self.spaces]
        below = block_diag([p.equal_rows for p in own], format="csr")
        empty = csr_array((below.shape[0], self.bulk))
        angle, free = np.full(buses, np.inf), np.full(lines, np.inf)
        rating = np.where(np.isfinite(branches.rating_mw), branches.rating_mw, free)
        width = case.units.block_mw.ravel()
        angle[case.reference_bus] = 0.0
        most_loss = np.inf if self.losses else 0.0
        price = case.units.block_usd_per_mwh.ravel()
        return LinearProgram(
            cost=np.concatenate(
                [price, np.zeros(buses + lines + 1)]
                + [m * p.cost for m, p in zip(self.sets, own, strict=True)]
            ),
            upper_rows=None,
            upper=None,
            equal_rows=csr_array(vstack([bulk.tocsr(), hstack([empty, below])])),
            equal=np.concatenate([np.zeros(buses + lines), *(p.equal for p in own)]),
            low=np.concatenate([np.zeros(width.size), -angle, -rating, [0.0], *(p.low for p in own)]),
            high=np.concatenate([width, angle, rating, [most_loss], *(p.high for p in own)]),
        )

    def solve(self, load_mw: FloatArray) -> JointOptimum:
        """Optimum at the load of every bus outside the LDAs."""
        buses = load_mw.size
        right = self.program.equal.copy()
        right[:buses] = load_mw
        for one in self.areas:
            right[one.bus] += one.multiplicity * one.constant_mw
        loss_per_mw = self.case.branches.r_pu / self.case.base_mva
        for _ in range(TANGENT_ROUNDS):
            rows, bound = self._tangent_rows(loss_per_mw)
            program = LinearProgram(
                cost=self.program.cost, upper_rows=rows, upper=bound, equal_rows=self.program.equal_rows,
                equal=right, low=self.program.low, high=self.program.high,
            )  # fmt: skip
            result = program.solve()
            flow, loss = result.x[self.at_flow : self.at_loss], float(result.x[self.at_loss])
            if not self.losses or loss_per_mw @ flow**2 - loss <= LOSS_TOLERANCE_MW:
                break
            self.tangents.append(flow)
        else:
            raise AssertionError("the tangents of the losses have not settled")
        if self.losses:
            assert loss - loss_per_mw @ flow**2 <= 1e-6, "the joint optimum wastes energy"
        return self._optimum(result.x, np.asarray(result.eqlin.marginals[:buses]), float(result.fun))

    def _tangent_rows(self, loss_per_mw: FloatArray) -> tuple[csr_array | None, FloatArray | None]:
        """``sum r (2 f_j f - f_j^2) <= loss`` at every point found so far."""
        if not self.losses:
            return None, None
        points = np.array(self.tangents)
        rows = lil_array((points.shape[0], int(self.begin[-1])))
        rows[:, self.at_flow : self.at_loss] = 2.0 * loss_per_mw * points
        rows[:, [self.at_loss]] = -np.ones((points.shape[0], 1))
        return rows.tocsr(), (loss_per_mw * points**2).sum(axis=1)

    def _optimum(self, x: FloatArray, lmp: FloatArray, cost: float) -> JointOptimum:
        limits, drawn, place = 0, [], 0
        for one in self.areas:
            own = one.constant_mw
            for space in one.feeders:
                part = x[self.begin[place] : self.begin[place + 1]]
                own += float(part[space.head])
                limits += sum(space.at_limit(part))
                place += 1
            drawn.append(one.multiplicity * own)
        blocks = np.bincount(self.block_unit, x[: self.block_unit.size], len(self.case.units.ids))
        return JointOptimum(
            cost_usd_per_h=cost,
            lmp_usd_per_mwh=lmp,
            unit_mw=blocks,
            import_mw=np.array(drawn),
            flow_mw=x[self.at_flow : self.at_loss],
            loss_mw=float(x[self.at_loss]),
            feeder_limits_count=limits,
        )
