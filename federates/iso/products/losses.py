"""Losses of the flows, as the upper envelope of their tangents.

``L(p, l) = sum_m r_m f_m^2 / S``, ``f = H (p - l w) + f0``, is convex, so that every tangent holds for ever::

    l >= L_j + g_j' (p - p_j) + h_j (l - l_j)                                price nu_j >= 0
    g_j = 2 H' (r f_j) / S ,  h_j = -g_j' w

A tangent is added wherever the solved losses lie below those of the flows, until they do not, and one more
half way to the solution before: optima lie between the vertices that linear programs visit, and are found in
two thirds of the passes. (Iterating one set of loss factors instead settles nowhere in general.) The loss
part of a price is ``-sum_j nu_j g_j``.

The envelope is exact only while nobody gains by wasting energy. Where prices are negative the solved losses
may exceed those of the flows: then one tangent, moved half way from solution to solution, is held as an
equation, and the interval is flagged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.iso.network import MarketNetwork
from federates.iso.products.energy import Energy
from federates.lp.program import Program
from federates.lp.solution import Solution

SLACK_MW = 1e-3
"""Solved losses this far above those of the flows are wasted energy, not an error of the envelope."""
HELD_PASSES = 40
DAMPING = 0.5
WASTE_USD_PER_MWH = 1e-4
"""Price of losses in the dispatch run: at a price of zero nothing else keeps them from being wasted."""


class Losses:
    """The lazily added tangents of a program.

    Parameters
    ----------
    program
        The program that holds ``energy``.
    network
        Flows and losses.
    energy
        Net injections and losses that the tangents are about.
    tolerance_mw
        How far the solved losses may lie below those of the flows, shape (times,); infinite where the
        caller fixes them. [MW]
    """

    def __init__(
        self, program: Program, network: MarketNetwork, energy: Energy, tolerance_mw: FloatArray
    ) -> None:
        self._program, self._network, self._energy = program, network, energy
        self._tolerance_mw = tolerance_mw
        n = network.buses_count
        self._time: IntArray = np.zeros(0, dtype=np.int64)
        self._row: IntArray = np.zeros(0, dtype=np.int64)
        self._lower = np.zeros(0)
        self._gradient = np.zeros((0, n))
        self._net_mw, self._loss_mw = np.zeros((tolerance_mw.size, n)), np.zeros(tolerance_mw.size)
        self._known = np.zeros(tolerance_mw.size, dtype=np.bool_)
        self._held: IntArray = np.full(tolerance_mw.size, -1, dtype=np.int64)
        program.set_column_bounds(energy.loss, 0.0, np.inf)

    def set_tolerance(self, tolerance_mw: float) -> None:
        """How far solved losses may lie below those of the flows from now on, in every interval. [MW]"""
        self._tolerance_mw = np.full(self._tolerance_mw.size, tolerance_mw)

    @property
    def rows_count(self) -> int:
        """Number of tangents added so far."""
        return int(self._row.size)

    def actual_mw(self, x: FloatArray) -> FloatArray:
        """Losses of the flows at ``x``, shape (times,). [MW]"""
        return self._network.losses_mw(self._energy.flow_mw(self._network, x))

    def loose(self, x: FloatArray) -> BoolArray:
        """Intervals in which ``x`` wastes energy as losses, shape (times,)."""
        loose: BoolArray = x[self._energy.loss] - self.actual_mw(x) > SLACK_MW
        return loose & np.isfinite(self._tolerance_mw)

    def add_broken(self, x: FloatArray) -> int:
        """Add a tangent in every interval whose losses at ``x`` are too small; return how many."""
        short = self.actual_mw(x) - x[self._energy.loss] > self._tolerance_mw
        times = np.flatnonzero(short & (self._held < 0))
        if times.size:
            net, loss = x[self._energy.net[times]], x[self._energy.loss[times]]
            self._add(times, *self._tangents(net, loss))
            known = self._known[times]
            before = (self._net_mw[times][known], self._loss_mw[times][known])
            if known.any():
                half = 0.5 * (net[known] + before[0]), 0.5 * (loss[known] + before[1])
                self._add(times[known], *self._tangents(*half))
            self._net_mw[times], self._loss_mw[times], self._known[times] = net, loss, True
        return int(times.size)

    def add_at(self, net_mw: FloatArray, loss_mw: FloatArray) -> None:
        """Add the tangents at points, one per interval: shape (times, buses) and (times,). [MW]"""
        times = np.flatnonzero(np.isfinite(self._tolerance_mw))
        self._add(times, *self._tangents(net_mw[times], loss_mw[times]))

    def _tangents(self, net_mw: FloatArray, loss_mw: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Gradients by bus, shape (k, buses), and right-hand sides, shape (k,)."""
        network = self._network
        flow = network.flow_mw(net_mw - loss_mw[:, None] * network.loss_weight)
        gradient = network.pull_back(2.0 * network.loss_per_mw * flow)
        by_loss = -(gradient @ network.loss_weight)
        return gradient, network.losses_mw(flow) - (gradient * net_mw).sum(axis=1) - by_loss * loss_mw

    def _rows(self, times: IntArray, gradient: FloatArray, lower: FloatArray, upper: FloatArray) -> IntArray:
        """Rows ``(1 - h) l - g' p`` in their bounds."""
        n = times.size
        columns = np.hstack((self._energy.loss[times][:, None], self._energy.net[times]))
        values = np.hstack((1.0 + (gradient @ self._network.loss_weight)[:, None], -gradient))
        starts = np.arange(n) * columns.shape[1]
        return self._program.add_rows(lower, upper, starts, columns.ravel(), values.ravel())

    def _add(self, times: IntArray, gradient: FloatArray, lower: FloatArray) -> None:
        rows = self._rows(times, gradient, lower, np.full(times.size, np.inf))
        self._time = np.concatenate((self._time, times))
        self._row = np.concatenate((self._row, rows))
        self._lower = np.concatenate((self._lower, lower))
        self._gradient = np.vstack((self._gradient, gradient))

    def hold(self, times: IntArray, net_mw: FloatArray, loss_mw: FloatArray) -> None:
        """Hold the tangents at points as equations in some intervals, in the place of all others.

        Parameters
        ----------
        times
            Intervals, shape (k,).
        net_mw, loss_mw
            The points, shape (k, buses) and (k,). [MW]
        """
        gradient, rhs = self._tangents(net_mw, loss_mw)
        self._retire(times)
        rows = self._rows(times, gradient, rhs, rhs)
        self._held[times] = np.arange(self._row.size, self._row.size + times.size)
        self._time = np.concatenate((self._time, times))
        self._row = np.concatenate((self._row, rows))
        self._lower = np.concatenate((self._lower, np.full(times.size, -np.inf)))
        self._gradient = np.vstack((self._gradient, gradient))

    @property
    def held(self) -> BoolArray:
        """Intervals in which a tangent is held, shape (times,)."""
        return self._held >= 0

    def _retire(self, times: IntArray) -> None:
        mine = self._row[np.isin(self._time, times)]
        self._program.set_row_bounds(mine, -np.inf, np.inf)

    def keep_near(self, solutions: Sequence[Solution], near_mw: float) -> None:
        """Let go of the tangents that lie further below the losses of all given optima.

        A search carries every row it has: most tangents belong to points that it never comes near again.
        """
        near = np.zeros(self._row.size, dtype=np.bool_)
        for solution in solutions:
            known = self._row < solution.row_activity.size
            near[known] |= solution.row_activity[self._row[known]] - self._lower[known] <= near_mw
        self._program.set_row_bounds(self._row[~near], -np.inf, np.inf)

    def restore(self) -> None:
        """Hold every tangent found so far."""
        self._program.set_row_bounds(self._row, self._lower, np.inf)

    def release(self) -> None:
        """Forget held tangents: the envelope is back in every interval."""
        times = np.flatnonzero(self._held >= 0)
        if times.size:
            mine = np.isin(self._time, times)
            self._program.set_row_bounds(self._row[mine], self._lower[mine], np.inf)
            self._held[times] = -1


def settle_waste(
    losses: Losses, energy: Energy, first: Solution, solve: Callable[[], Solution]
) -> tuple[Solution, BoolArray]:
    """Solution with the losses of its flows where ``first`` wastes energy, and the intervals concerned.

    Parameters
    ----------
    losses, energy
        Of the program.
    first
        Its optimum with the envelope.
    solve
        Solves the program again.

    Returns
    -------
    tuple of Solution and ndarray
        The last solution, and a mask of the intervals in which a tangent is held, shape (times,). Where
        ``HELD_PASSES`` do not settle it, its losses are off those of its flows: callers publish by how much.
    """
    solution, held = first, losses.held
    points: FloatArray = np.zeros((0, 0))
    for _ in range(HELD_PASSES):
        wasteful = losses.loose(solution.x) & ~held
        off = held & (np.abs(solution.x[energy.loss] - losses.actual_mw(solution.x)) > SLACK_MW)
        if not (wasteful | off).any():
            break
        net = solution.x[energy.net]
        points = net.copy() if points.size == 0 else points
        points[off] = (1.0 - DAMPING) * points[off] + DAMPING * net[off]
        points[wasteful] = net[wasteful]
        held |= wasteful
        times = np.flatnonzero(wasteful | off)
        losses.hold(times, points[times], points[times].sum(axis=1))
        solution = solve()
    return solution, held
