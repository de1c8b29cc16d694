"""Feeder rows: linear limits of distribution feeders on the injections of their resources.

What grand central optimisation with full sight needs: per limit ``j`` of a feeder, with ``a_jk`` MW (or pu)
per MW injected by block ``k``, and excess ``z_j >= 0`` at priced steps::

    lower_j - sum z_j- <= sum_k a_jk x_k <= upper_j + sum z_j+             price mu_j

Rows carry no names of customers or devices: a limit is a number, a block is a place in the offers. They are
added when first broken. A block's own price is the LMP of its bus less what its limits are worth,
``LMP + sum_j mu_j a_jk``: the DLMP of its place on the feeder, in the market's signs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.lp.program import Program
from federates.lp.solution import Solution

TOLERANCE = 1e-7
"""Excess below which a row counts as kept, relative to its largest coefficient times one MW."""
WORST_COUNT = 25
"""Most rows added per interval and round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederRows:
    """Limits on the offered blocks of one clearing."""

    matrix: FloatArray
    """Coefficients, shape (rows, blocks). [row unit/MW]"""
    lower: FloatArray
    """Shape (rows,); ``-inf`` where there is none. [row unit]"""
    upper: FloatArray
    """Shape (rows,); ``inf`` where there is none. [row unit]"""
    excess_usd_per_h: FloatArray
    """Price of a unit of excess, shape (rows,). [$/h/row unit]"""


class FeederLimits:
    """The lazily added feeder rows of a program, for blocks in columns of shape (times, blocks)."""

    def __init__(self, program: Program, blocks: IntArray) -> None:
        self._program, self._blocks = program, blocks
        self._retired_count = 0
        self._rows = FeederRows(
            matrix=np.zeros((0, blocks.shape[1])),
            lower=np.zeros(0),
            upper=np.zeros(0),
            excess_usd_per_h=np.zeros(0),
        )
        self._forget()

    def _forget(self) -> None:
        self._kept: FloatArray = TOLERANCE * np.abs(self._rows.matrix).max(axis=1, initial=0.0)
        self._held = np.zeros((self._blocks.shape[0], self._rows.lower.size), dtype=np.bool_)
        self._time: IntArray = np.zeros(0, dtype=np.int64)
        self._limit: IntArray = np.zeros(0, dtype=np.int64)
        self._row: IntArray = np.zeros(0, dtype=np.int64)
        self._excess: IntArray = np.zeros((0, 2), dtype=np.int64)

    @property
    def rows_count(self) -> int:
        """Number of rows that the present limits have in the program."""
        return int(self._row.size)

    @property
    def added_count(self) -> int:
        """Number of rows added so far: those of limits before are retired, but still weigh."""
        return self._retired_count + self.rows_count

    def set(self, rows: FeederRows) -> None:
        """Put other limits in the place of the present ones, whose rows are retired."""
        self._program.set_row_bounds(self._row, -np.inf, np.inf)
        self._program.set_column_bounds(self._excess.ravel(), 0.0, 0.0)
        self._rows = rows
        self._retired_count += self.rows_count
        self._forget()

    def add_broken(self, x: FloatArray) -> int:
        """Add the rows that ``x`` breaks; return how many."""
        rows = self._rows
        if not rows.lower.size:
            return 0
        activity = x[self._blocks] @ rows.matrix.T
        over = np.maximum(activity - rows.upper, rows.lower - activity)
        over[self._held] = -np.inf
        broken = over > self._kept
        new: list[tuple[int, int]] = []
        for t in np.flatnonzero(broken.any(axis=1)):
            worst = np.argsort(-over[t], kind="stable")[:WORST_COUNT]
            new += [(int(t), int(j)) for j in worst if broken[t, j]]
        if new:
            times, limits = np.array(new, dtype=np.int64).T
            self._add(times, limits)
        return len(new)

    def _add(self, times: IntArray, limits: IntArray) -> None:
        n, rows = times.size, self._rows
        cost = np.repeat(rows.excess_usd_per_h[limits], 2)
        excess = self._program.add_columns(0.0, np.full(2 * n, np.inf), cost).reshape(n, 2)
        columns = np.hstack((self._blocks[times], excess))
        values = np.hstack((rows.matrix[limits], np.broadcast_to([-1.0, 1.0], (n, 2))))
        starts = np.arange(n) * columns.shape[1]
        added = self._program.add_rows(
            rows.lower[limits], rows.upper[limits], starts, columns.ravel(), values.ravel()
        )
        self._held[times, limits] = True
        self._time = np.concatenate((self._time, times))
        self._limit = np.concatenate((self._limit, limits))
        self._row = np.concatenate((self._row, added))
        self._excess = np.vstack((self._excess, excess))

    def excess(self, x: FloatArray) -> FloatArray:
        """Excess of each limit in the first interval, shape (rows,). [row unit]"""
        activity = self._rows.matrix @ x[self._blocks[0]]
        over: FloatArray = np.maximum(activity - self._rows.upper, self._rows.lower - activity)
        return np.where(over > self._kept, over, 0.0)

    def cost_usd_per_h(self, x: FloatArray) -> FloatArray:
        """Cost of excess, shape (times,). [$/h]"""
        spent = x[self._excess].sum(axis=1) * self._rows.excess_usd_per_h[self._limit]
        return np.bincount(self._time, weights=spent, minlength=self._blocks.shape[0]).astype(np.float64)

    def limit_usd_per_h(self, solution: Solution) -> FloatArray:
        """Signed price of each limit, shape (times, rows). [$/h/row unit]"""
        price = np.zeros(self._held.shape)
        price[self._time, self._limit] = solution.row_dual[self._row]
        return price

    def block_part_usd_per_mwh(self, solution: Solution) -> FloatArray:
        """What the limits add to the price of each block's place, shape (times, blocks). [$/MWh]

        A block's injection enters limits with ``+a``: a limit that holds it down lowers its price.
        """
        return self.limit_usd_per_h(solution) @ self._rows.matrix
