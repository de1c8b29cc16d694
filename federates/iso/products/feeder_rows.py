"""Feeder rows: linear limits of distribution feeders on the injections of their resources.

What grand central optimisation with full sight needs: per limit ``j`` of a feeder, with ``a_jk`` MW (or pu)
per MW injected by block ``k``, and excess ``z_j >= 0`` at priced steps::

    lower_j - sum z_j- <= sum_k a_jk x_k <= upper_j + sum z_j+             price mu_j

Rows carry no names of customers or devices: a limit is a number, a block is a place in the offers. They are
added when first broken. A block's own price is the LMP of its bus less what its limits are worth,
``LMP + sum_j mu_j a_jk``: the DLMP of its place on the feeder, in the market's signs.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from scipy.sparse import csr_array

from federates.core.arrays import FloatArray, IntArray
from federates.lp.program import Program
from federates.lp.solution import Solution

T = TypeVar("T")
TOLERANCE = 1e-7
"""Excess below which a row counts as kept, relative to its largest coefficient times one MW."""
WORST_COUNT, WORST_SHARE = 25, 0.2
"""Most rows added per interval and round: so many, or this part of those broken."""


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

    def keys(self, limits: IntArray) -> list[tuple[bytes, bytes, float]]:
        """What tells some limits from others, bounds aside: coefficients and the price of excess."""
        matrix, price = self.matrix, self.excess_usd_per_h[limits].tolist()
        begin, end = matrix.indptr[limits].tolist(), matrix.indptr[limits + 1].tolist()
        return [
            (matrix.indices[i:j].tobytes(), matrix.data[i:j].tobytes(), p)
            for i, j, p in zip(begin, end, price, strict=True)
        ]


def no_rows(blocks_count: int) -> FeederRows:
    """Limits of a market that sees no feeder."""
    none = np.zeros(0)
    matrix = csr_array((0, blocks_count), dtype=np.float64)
    return FeederRows(matrix=matrix, lower=none, upper=none, excess_usd_per_h=none)


class _Marks:
    """Limits to be found again by their coefficients: a random sum of them first, the whole row after it."""

    def __init__(self, rows: FeederRows, weight: FloatArray) -> None:
        self._rows, self._weight = rows, weight
        mark = rows.matrix @ weight
        self._order = np.argsort(mark, kind="stable")
        self._ascending = mark[self._order]

    def find(self, others: FeederRows, limits: IntArray) -> IntArray:
        """Place of each of some other limits here, -1 where it is not; bounds aside."""
        found: IntArray = np.full(limits.size, -1)
        if not self._order.size:
            return found
        mark = others.matrix[limits] @ self._weight
        place = np.maximum(np.searchsorted(self._ascending, mark, side="right") - 1, 0)
        (alike,) = np.nonzero(self._ascending[place] == mark)
        here = self._order[place[alike]]
        same = [a == b for a, b in zip(others.keys(limits[alike]), self._rows.keys(here), strict=True)]
        found[alike] = np.where(same, here, -1)
        return found


class FeederLimits:
    """The lazily added feeder rows of a program, for blocks in columns of shape (times, blocks)."""

    def __init__(self, program: Program, blocks: IntArray) -> None:
        self._program, self._blocks = program, blocks
        self._retired_count = 0
        self._rows: tuple[FeederRows, ...] = (no_rows(blocks.shape[1]),) * blocks.shape[0]
        self._forget()

    def _forget(self) -> None:
        self._kept = _of_each(self._rows, lambda r: TOLERANCE * _greatest(r.matrix))
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
    def retired_count(self) -> int:
        """Number of rows of limits that are gone: they bind nothing, but still weigh."""
        return self._retired_count

    def set(self, rows: Sequence[FeederRows]) -> None:
        """Put other limits, one set per interval, in the place of the present ones.

        A limit whose bounds alone are new keeps its row; the rows of those that are gone are retired.
        """
        limit = self._matched(rows)
        gone = limit < 0
        self._program.set_row_bounds(self._row[gone], -np.inf, np.inf)
        self._program.set_column_bounds(self._excess[gone].ravel(), 0.0, 0.0)
        self._retired_count += int(gone.sum())
        kept = ~gone
        time, row, excess = self._time[kept], self._row[kept], self._excess[kept]
        self._rows = tuple(rows)
        self._forget()
        self._time, self._limit, self._row, self._excess = time, limit[kept], row, excess
        for t, j in zip(time, self._limit, strict=True):
            self._held[t][j] = True
        lower, upper = (self._of_rows([getattr(r, bound) for r in rows]) for bound in ("lower", "upper"))
        self._program.set_row_bounds(self._row, lower, upper)

    def _matched(self, rows: Sequence[FeederRows]) -> IntArray:
        """Place among new limits of each limit that has a row, -1 where it is gone, shape (present rows,)."""
        limit: IntArray = np.full(self._row.size, -1)
        if not self._row.size:
            return limit
        weight: FloatArray = np.random.default_rng(0).standard_normal(self._blocks.shape[1:])
        mark = _of_each(rows, lambda r: _Marks(r, weight))
        for t, before in enumerate(self._rows):
            (mine,) = np.nonzero(self._time == t)
            limit[mine] = mark[t].find(before, self._limit[mine])
        return limit

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
                most = max(WORST_COUNT, int(WORST_SHARE * broken.size))
                worst = broken[np.argsort(-over[broken], kind="stable")[:most]]
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

    def limit_usd_per_h(self, solution: Solution, t: int = 0) -> FloatArray:
        """Signed price of each limit in an interval, shape (rows,). [$/h/row unit]"""
        mine = self._time == t
        price = np.zeros(self._rows[t].lower.size)
        # limits alike may have ended in the row of one
        np.add.at(price, self._limit[mine], solution.row_dual[self._row[mine]])
        return price

    def block_part_usd_per_mwh(self, solution: Solution) -> FloatArray:
        """What the limits add to the price of each block's place, shape (times, blocks). [$/MWh]

        A block's injection enters limits with ``+a``: a limit that holds it down lowers its price.
        """
        part = np.zeros(self._blocks.shape)
        for t, rows in enumerate(self._rows):
            part[t] = rows.matrix.T @ self.limit_usd_per_h(solution, t)
        return part


def _of_each(rows: Sequence[FeederRows], work: Callable[[FeederRows], T]) -> list[T]:
    """What ``work`` makes of the limits of each interval; asked once where intervals have them in common."""
    done = {id(r): work(r) for r in {id(r): r for r in rows}.values()}
    return [done[id(r)] for r in rows]


def _greatest(matrix: csr_array) -> FloatArray:
    """Greatest magnitude in each row, shape (rows,)."""
    filled = np.diff(matrix.indptr) > 0
    greatest = np.zeros(matrix.shape[0])
    if filled.any():
        greatest[filled] = np.maximum.reduceat(np.abs(matrix.data), matrix.indptr[:-1][filled])
    return greatest


def _excess(rows: FeederRows, block_mw: FloatArray) -> FloatArray:
    """How far awards exceed each limit; negative: room, shape (rows,). [row unit]"""
    activity = rows.matrix @ block_mw
    over: FloatArray = np.maximum(activity - rows.upper, rows.lower - activity)
    return over
