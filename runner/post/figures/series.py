"""Columns of a table as series over time, by id or by a part of it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from runner.post.figures.grid import Grid, Reduction, spread
from runner.post.figures.traces import in_order
from runner.post.run_tables import RunTables


def by_id(
    tables: RunTables, table: str, column: str, grid: Grid, how: Reduction
) -> tuple[list[str], FloatArray]:
    """Ids in numeric order, and their values, shape (ids, grid.count)."""
    order, codes = _ordered(tables, table)
    values = tables.column(table, column)
    return order, spread(grid, tables.t_s(table), codes, len(order), values, how)


def rows_by_id(tables: RunTables, table: str, grid: Grid) -> FloatArray:
    """How many rows of each id fall into each cell, shape (ids, grid.count); ids in numeric order."""
    order, codes = _ordered(tables, table)
    return spread(grid, tables.t_s(table), codes, len(order), np.ones(codes.size), "sum")


def totals(
    tables: RunTables, table: str, values: FloatArray, grid: Grid, codes: IntArray, count: int
) -> FloatArray:
    """Mean over time of what the rows of each series add up to at an instant, shape (count, grid.count)."""
    t_s = tables.t_s(table)
    sums = spread(grid, t_s, codes, count, values, "sum")
    instants = np.unique(t_s)
    ones = np.ones(instants.size)
    here = spread(grid, instants, np.zeros(instants.size, np.int64), 1, ones, "sum")
    return sums / here


def least(values: FloatArray, axis: int = 0) -> FloatArray:
    """Least along an axis, gaps left out; a gap where there is nothing else."""
    result: FloatArray = np.fmin.reduce(values, axis=axis)
    return result


def greatest(values: FloatArray, axis: int = 0) -> FloatArray:
    """Greatest along an axis, gaps left out; a gap where there is nothing else."""
    result: FloatArray = np.fmax.reduce(values, axis=axis)
    return result


def median(values: FloatArray) -> FloatArray:
    """Median of each column, gaps left out; a gap where there is nothing else."""
    known = ~np.isnan(values).all(axis=0)
    result = np.full(values.shape[1], np.nan)
    result[known] = np.nanmedian(values[:, known], axis=0)
    return result


def greatest_rows(names: Sequence[str], values: FloatArray, most: int) -> list[int]:
    """Places of the rows with the greatest values, at most so many, in their own order."""
    peaks = greatest(np.abs(values), axis=1)
    return sorted(np.argsort(-peaks, kind="stable")[: min(most, len(names))].tolist())


def _ordered(tables: RunTables, table: str) -> tuple[list[str], IntArray]:
    """Ids in numeric order, and each row's place among them."""
    names, codes = tables.ids(table)
    order = in_order({names[k] for k in np.unique(codes)})
    rank = {name: k for k, name in enumerate(order)}
    place = np.array([rank.get(name, -1) for name in names], np.int64)
    return order, place[codes]
