"""Line ratings: rows on net injections and losses, added once a flow breaks them, with priced excess.

Per line and interval, with shift factors ``H_m``, loss withdrawal ``w`` and excess ``s >= 0`` by steps::

    -F_m - sum s- <= H_m (p - l w) + f0_m <= F_m + sum s+                   price mu_m
"""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.iso.network import MarketNetwork
from federates.iso.penalties import Penalties
from federates.iso.products.energy import Energy
from federates.lp.program import Program
from federates.lp.solution import Solution

FLOW_TOLERANCE_MW = 1e-6
WORST_COUNT = 10
"""Most rows added per interval and round."""


class LineLimits:
    """The lazily added line rows of a program.

    Parameters
    ----------
    program
        The program that holds ``energy``.
    network
        Shift factors and ratings.
    energy
        The net injections that the rows are about.
    penalties
        Price of excess by steps.
    """

    def __init__(
        self, program: Program, network: MarketNetwork, energy: Energy, penalties: Penalties
    ) -> None:
        self._program = program
        self._network = network
        self._energy = energy
        self._steps = np.array(penalties.line)
        self._held = np.zeros((energy.net.shape[0], network.limit_mw.size), dtype=np.bool_)
        self._time = np.zeros(0, dtype=np.int64)
        self._branch = np.zeros(0, dtype=np.int64)
        self._row = np.zeros(0, dtype=np.int64)
        self._excess: IntArray = np.zeros((0, 2, self._steps.shape[0]), dtype=np.int64)

    @property
    def rows_count(self) -> int:
        """Number of line rows added so far."""
        return int(self._row.size)

    def flow_mw(self, x: FloatArray) -> FloatArray:
        """Branch flows, shape (times, branches). [MW]"""
        return self._energy.flow_mw(self._network, x)

    def excess_mw(self, x: FloatArray) -> FloatArray:
        """Flow beyond ratings, all lines together, shape (times,). [MW]"""
        over = np.abs(self.flow_mw(x)) - self._network.limit_mw
        excess: FloatArray = np.where(over > FLOW_TOLERANCE_MW, over, 0.0).sum(axis=1)
        return excess

    def add_broken(self, x: FloatArray) -> int:
        """Add the rows that ``x`` breaks; return how many were added."""
        over = np.abs(self.flow_mw(x)) - self._network.limit_mw
        over[self._held] = -np.inf
        new: list[tuple[int, int]] = []
        for time in np.flatnonzero((over > FLOW_TOLERANCE_MW).any(axis=1)):
            worst = np.argsort(-over[time], kind="stable")[:WORST_COUNT]
            new += [(int(time), int(m)) for m in worst if over[time, m] > FLOW_TOLERANCE_MW]
        if new:
            times, branches = np.array(new, dtype=np.int64).T
            self._add(times, branches)
        return len(new)

    def _add(self, times: IntArray, branches: IntArray) -> None:
        n, steps = times.size, len(self._steps)
        limit = self._network.limit_mw[branches]
        share = np.where(np.isfinite(self._steps[:, 0]), self._steps[:, 0], 0.0)
        ends = np.where(np.isfinite(self._steps[:, 0]), share * limit[:, None], np.inf)
        width = np.broadcast_to(ends[:, None, :], (n, 2, steps))
        cost = np.broadcast_to(self._steps[:, 1], (n, 2, steps))
        excess = self._program.add_columns(0.0, width.ravel(), cost.ravel()).reshape(n, 2, steps)
        factor = self._network.shift_factors(branches)
        signs = np.repeat(np.array([-1.0, 1.0]), steps)
        loss = self._energy.loss[times][:, None]
        columns = np.hstack((self._energy.net[times], loss, excess.reshape(n, 2 * steps)))
        lost = -(factor @ self._network.loss_weight)[:, None]
        values = np.hstack((factor, lost, np.broadcast_to(signs, (n, 2 * steps))))
        shift = self._network.shift_flow_mw[branches]
        rows = self._program.add_rows(
            -limit - shift, limit - shift, np.arange(n) * columns.shape[1], columns.ravel(), values.ravel()
        )
        self._held[times, branches] = True
        self._time = np.concatenate((self._time, times))
        self._branch = np.concatenate((self._branch, branches))
        self._row = np.concatenate((self._row, rows))
        self._excess = np.concatenate((self._excess, excess))

    def scale_penalties(self, factor: float) -> None:
        """Make excess ``factor`` times as dear as it is, on the rows that are there."""
        dear = np.broadcast_to(factor * self._steps[:, 1], self._excess.shape)
        self._program.set_costs(self._excess.ravel(), dear.ravel())

    def cost_usd_per_h(self, x: FloatArray) -> FloatArray:
        """Cost of excess, shape (times,). [$/h]"""
        spent = (x[self._excess] * self._steps[:, 1]).sum(axis=(1, 2))
        return np.bincount(self._time, weights=spent, minlength=self._held.shape[0]).astype(np.float64)

    def price_usd_per_mwh(self, solution: Solution) -> FloatArray:
        """Cost of one more MW of flow limit each way, signed by the flow's direction, (times, branches).

        Negative where the flow from *from* to *to* is at its limit: more rating there would save that much.
        """
        price = np.zeros(self._held.shape)
        price[self._time, self._branch] = solution.row_dual[self._row]
        return price

    def congestion_usd_per_mwh(self, solution: Solution) -> FloatArray:
        """What the ratings add to the price of each bus, ``H' mu``, shape (times, buses). [$/MWh]"""
        return self._network.pull_back(self.price_usd_per_mwh(solution))
