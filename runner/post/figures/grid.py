"""Rows of a table on a regular grid of time, one row of the result for each series."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from runner.post.run_tables import RunTables

MOST_POINTS = 720
"""Points of a line beyond which rows are drawn together."""
MOST_CELLS = 30_000
"""Cells of a heat map beyond which rows of a table are drawn together."""
MOST_COLUMNS = 400
"""Columns of a heat map beyond which hours are drawn together."""
HOUR_S = 3_600
SHORT_STUDY_S = 6 * HOUR_S
"""A study that is shorter has its heat maps by table row, not by hour."""
_LADDER_S = (60, 300, 900, 1_800, HOUR_S, 2 * HOUR_S, 6 * HOUR_S, 24 * HOUR_S)

Reduction = Literal["mean", "sum", "min", "max"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Grid:
    """A regular grid of study time."""

    begin_s: int
    """Beginning of the first cell. [s]"""
    cell_s: int
    """Length of a cell. [s]"""
    count: int
    """Number of cells."""

    def place(self, t_s: IntArray) -> IntArray:
        """Cell of each instant; outside 0 ... count - 1 where it is not on the grid."""
        cells: IntArray = (t_s - self.begin_s) // self.cell_s
        return cells


def line_grid(tables: RunTables, *names: str) -> Grid:
    """Grid for lines: as fine as the coarsest of the tables, at most ``MOST_POINTS`` cells a study."""
    return _grid(tables, names, MOST_POINTS, 1)


def hour_grid(tables: RunTables, *names: str) -> Grid:
    """Grid for heat maps: hours, or the table's own rows in a short study."""
    short = tables.run.clock.duration_s < SHORT_STUDY_S
    return _grid(tables, names, MOST_COLUMNS, 1 if short else HOUR_S)


def interval_grid(tables: RunTables, rows: int, *names: str) -> Grid:
    """Grid for heat maps of so many rows as fine as the tables themselves, where that is not too much."""
    return _grid(tables, names, max(MOST_CELLS // max(rows, 1), 24), 1)


def day_ahead_grid(tables: RunTables, *names: str) -> Grid:
    """Grid of the market days, which may begin before the study and end after it."""
    t_s = np.concatenate([tables.t_s(name) for name in names])
    begin, end = int(t_s.min()), int(t_s.max()) + HOUR_S
    cell = next((c for c in _LADDER_S if c >= HOUR_S and (end - begin) <= c * MOST_COLUMNS), _LADDER_S[-1])
    return Grid(begin_s=begin, cell_s=cell, count=-(-(end - begin) // cell))


def spread(
    grid: Grid, t_s: IntArray, codes: IntArray, count: int, values: FloatArray, how: Reduction
) -> FloatArray:
    """Values of each series in each cell.

    Parameters
    ----------
    grid
        Cells of time.
    t_s
        Instant of each row, shape (rows,). [s]
    codes
        Series of each row, shape (rows,); rows with a negative code are left out.
    count
        Number of series.
    values
        Value of each row, shape (rows,).
    how
        What a cell shows of the rows that fall into it.

    Returns
    -------
    numpy.ndarray
        Shape (count, grid.count); NaN where no row fell into the cell.
    """
    place = grid.place(t_s)
    inside = (place >= 0) & (place < grid.count) & (codes >= 0)
    flat = codes[inside] * grid.count + place[inside]
    kept = values[inside]
    size = count * grid.count
    filled = np.bincount(flat, minlength=size) > 0
    result = _REDUCTIONS[how](flat, kept, size)
    result[~filled] = np.nan
    return result.reshape(count, grid.count)


def clock_text(tables: RunTables, t_s: int) -> str:
    """Local standard time of a study time, ISO 8601."""
    return (datetime.fromisoformat(tables.run.clock.start) + timedelta(seconds=t_s)).isoformat()


def cell_text(tables: RunTables, grid: Grid) -> list[str]:
    """Local standard time at which each cell begins."""
    return [clock_text(tables, grid.begin_s + k * grid.cell_s) for k in range(grid.count)]


def _grid(tables: RunTables, names: tuple[str, ...], most: int, least_s: int) -> Grid:
    duration = tables.run.clock.duration_s
    finest = max([least_s, *(_cadence_s(tables, name) for name in names)])
    wanted = next((c for c in _LADDER_S if duration <= c * most), _LADDER_S[-1])
    cell = finest if wanted <= finest else -(-wanted // finest) * finest
    return Grid(begin_s=0, cell_s=cell, count=-(-duration // cell))


def _cadence_s(tables: RunTables, name: str) -> int:
    """Least distance of two instants of a table; the physical step where there is one instant only."""
    instants = np.unique(tables.t_s(name))
    apart = np.diff(instants[instants >= 0])
    return int(apart.min()) if apart.size else tables.run.clock.market_s


def _sum(flat: IntArray, kept: FloatArray, size: int) -> FloatArray:
    return np.bincount(flat, kept, size).astype(np.float64)


def _mean(flat: IntArray, kept: FloatArray, size: int) -> FloatArray:
    return _sum(flat, kept, size) / np.maximum(np.bincount(flat, minlength=size), 1)


def _least(flat: IntArray, kept: FloatArray, size: int) -> FloatArray:
    result = np.full(size, np.inf)
    np.minimum.at(result, flat, kept)
    return result


def _greatest(flat: IntArray, kept: FloatArray, size: int) -> FloatArray:
    result = np.full(size, -np.inf)
    np.maximum.at(result, flat, kept)
    return result


_REDUCTIONS: dict[Reduction, Callable[[IntArray, FloatArray, int], FloatArray]] = {
    "mean": _mean,
    "sum": _sum,
    "min": _least,
    "max": _greatest,
}
