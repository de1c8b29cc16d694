"""Feeder rows: linear limits of distribution feeders on the injections of their resources.

What grand central optimisation with full sight needs: per limit ``j`` of a feeder, with ``a_jk`` MW (or pu)
per MW injected by block ``k``, and excess ``z_j >= 0`` at priced steps::

    lower_j - sum z_j- <= sum_k a_jk x_k <= upper_j + sum z_j+             price mu_j

Rows carry no names of customers or devices: a limit is a number, a block is a place in the offers. They are
added when first broken. A block's own price is the LMP of its bus less what its limits are worth,
``LMP + sum_j mu_j a_jk``: the DLMP of its place on the feeder, in the market's signs.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from federates.core.arrays import FloatArray, IntArray
from federates.lp.program import Program
from federates.lp.solution import Solution

TOLERANCE = 1e-7
"""Excess below which a row counts as kept, relative to its largest coefficient times one MW."""
WORST_COUNT = 25
"""Most rows added per interval and round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederRows:
    """Limits on the offered blocks of one interval."""

    matrix: csr_array
    """Coefficients, shape (rows, blocks). [row unit/MW]"""
    lower: FloatArray
    """Shape (rows,); ``-inf`` where there is none. [row unit]"""
    upper: FloatArray
    """Shape (rows,); ``inf`` where there is none. [row unit]"""
    excess_usd_per_h: FloatArray
    """Price of a unit of excess, shape (rows,). [$/h/row unit]"""

    def at_slots(self, slot: IntArray, slots_count: int) -> FeederRows:
        """The same limits with block ``k`` in column ``slot[k]`` of ``slots_count``."""
        entries = (self.matrix.data, slot[self.matrix.indices], self.matrix.indptr)
        matrix = csr_array(entries, shape=(self.matrix.shape[0], slots_count))
        return FeederRows(
            matrix=matrix, lower=self.lower, upper=self.upper, excess_usd_per_h=self.excess_usd_per_h
        )

    def has_entries_of(self, other: FeederRows) -> bool:
        """Whether only the bounds differ."""
        mine, theirs = self.matrix, other.matrix
        return mine.shape == theirs.shape and all(
            np.array_equal(a, b)
            for a, b in (
                (mine.indptr, theirs.indptr),
                (mine.indices, theirs.indices),
                (mine.data, theirs.data),
                (self.excess_usd_per_h, other.excess_usd_per_h),
            )
        )


def no_rows(blocks_count: int) -> FeederRows:
    """Limits of a market that sees no feeder."""
    none = np.zeros(0)
    matrix = csr_array((0, blocks_count), dtype=np.float64)
    return FeederRows(matrix=matrix, lower=none, upper=none, excess_usd_per_h=none)


class FeederLimits:
    """The lazily added feeder rows of a program, for blocks in columns of shape (times, blocks)."""

    def __init__(self, program: Program, blocks: IntArray) -> None:
        self._program, self._blocks = program, blocks
        self._retired_count = 0
        self._rows: tuple[FeederRows, ...] = (no_rows(blocks.shape[1]),) * blocks.shape[0]
        self._forget()

    def _forget(self) -> None:
        self._kept = [TOLERANCE * _greatest(rows.matrix) for rows in self._rows]
        self._held = [np.zeros(rows.lower.size, dtype=np.bool_) for rows in self._rows]
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

    def set(self, rows: Sequence[FeederRows]) -> None:
        """Put other limits, one set per interval, in the place of the present ones.

        Where only bounds are new the rows stay; else they are retired.
        """
        known = all(new.has_entries_of(old) for new, old in zip(rows, self._rows, strict=True))
        self._rows = tuple(rows)
        if known:
            lower, upper = (self._of_rows([getattr(r, b) for r in rows]) for b in ("lower", "upper"))
            self._program.set_row_bounds(self._row, lower, upper)
            return
        self._program.set_row_bounds(self._row, -np.inf, np.inf)
        self._program.set_column_bounds(self._excess.ravel(), 0.0, 0.0)
        self._retired_count += self.rows_count
        self._forget()

    def _of_rows(self, values: Sequence[FloatArray]) -> FloatArray:
        """Values of the limits that have a row, given those of all limits of each interval."""
        of_row = (values[t][j] for t, j in zip(self._time, self._limit, strict=True))
        return np.fromiter(of_row, dtype=np.float64, count=self._row.size)

    def add_broken(self, x: FloatArray) -> int:
        """Add the rows that ``x`` breaks; return how many."""
        found = 0
        for t, rows in enumerate(self._rows):
            over = _excess(rows, x[self._blocks[t]])
            over[self._held[t]] = -np.inf
            broken = np.flatnonzero(over > self._kept[t])
            if broken.size:
                worst = broken[np.argsort(-over[broken], kind="stable")[:WORST_COUNT]]
                self._add(t, worst)
                found += worst.size
        return found

    def _add(self, t: int, limits: IntArray) -> None:
        n, rows = limits.size, self._rows[t]
        cost = np.repeat(rows.excess_usd_per_h[limits], 2)
        excess = self._program.add_columns(0.0, np.full(2 * n, np.inf), cost).reshape(n, 2)
        entries = rows.matrix[limits]
        last = entries.indptr[1:].astype(np.int64)
        columns = np.insert(self._blocks[t][entries.indices], np.repeat(last, 2), excess.ravel())
        values = np.insert(entries.data, np.repeat(last, 2), np.tile([-1.0, 1.0], n))
        starts = entries.indptr[:-1] + 2 * np.arange(n)
        added = self._program.add_rows(rows.lower[limits], rows.upper[limits], starts, columns, values)
        self._held[t][limits] = True
        self._time = np.concatenate((self._time, np.full(n, t)))
        self._limit = np.concatenate((self._limit, limits))
        self._row = np.concatenate((self._row, added))
        self._excess = np.vstack((self._excess, excess))

    def excess(self, x: FloatArray, t: int = 0) -> FloatArray:
        """Excess of each limit in an interval, shape (rows,). [row unit]"""
        over = _excess(self._rows[t], x[self._blocks[t]])
        return np.where(over > self._kept[t], over, 0.0)

    def cost_usd_per_h(self, x: FloatArray) -> FloatArray:
        """Cost of excess, shape (times,). [$/h]"""
        spent = x[self._excess].sum(axis=1) * self._of_rows([r.excess_usd_per_h for r in self._rows])
        return np.bincount(self._time, weights=spent, minlength=self._blocks.shape[0]).astype(np.float64)

    def block_part_usd_per_mwh(self, solution: Solution) -> FloatArray:
        """What the limits add to the price of each block's place, shape (times, blocks). [$/MWh]

        A block's injection enters limits with ``+a``: a limit that holds it down lowers its price.
        """
        part = np.zeros(self._blocks.shape)
        for t, rows in enumerate(self._rows):
            mine = self._time == t
            price = np.zeros(rows.lower.size)
            price[self._limit[mine]] = solution.row_dual[self._row[mine]]
            part[t] = rows.matrix.T @ price
        return part


def _greatest(matrix: csr_array) -> FloatArray:
    """Greatest magnitude in each row, shape (rows,)."""
    greatest = np.zeros(matrix.shape[0])
    row = np.repeat(np.arange(greatest.size), np.diff(matrix.indptr))
    np.maximum.at(greatest, row, np.abs(matrix.data))
    return greatest


def _excess(rows: FeederRows, block_mw: FloatArray) -> FloatArray:
    """How far awards exceed each limit; negative: room, shape (rows,). [row unit]"""
    activity = rows.matrix @ block_mw
    over: FloatArray = np.maximum(activity - rows.upper, rows.lower - activity)
    return over
