"""The tables of one run as arrays, each column read once."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property, wraps
from pathlib import Path
from typing import TypeVar
from weakref import WeakKeyDictionary

import numpy as np
import pyarrow as pa

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import MissingInputError
from runner.manifest import RunManifest, read_run
from runner.post.load import load, tables_of

T = TypeVar("T")


class RunTables:
    """Rows of a run's tables, by time and id, as they were when first asked for."""

    def __init__(self, run_dir: Path, run: RunManifest | None = None) -> None:
        """``run``: how the run was started that some tables belong to; None: as their folder says."""
        self.run_dir = run_dir
        self._run = run
        self._loaded: dict[str, pa.Table] = {}

    @cached_property
    def run(self) -> RunManifest:
        """How the run was started."""
        return read_run(self.run_dir) if self._run is None else self._run

    @cached_property
    def names(self) -> frozenset[str]:
        """Tables that have rows."""
        return frozenset(tables_of(self.run_dir))

    @property
    def step_h(self) -> float:
        """Physical step. [h]"""
        return self.run.clock.step_s / 3_600.0

    @property
    def market_h(self) -> float:
        """Market interval. [h]"""
        return self.run.clock.market_s / 3_600.0

    def t_s(self, table: str) -> IntArray:
        """Study time of each row, shape (rows,). [s]"""
        times: IntArray = self._table(table)["t_s"].to_numpy()
        return times

    def column(self, table: str, column: str) -> FloatArray:
        """Values of a column, shape (rows,), in the column's unit.

        Raises
        ------
        MissingInputError
            If there is no such table, or it has no such column, as in a run of another version.
        """
        values: FloatArray = self._column(table, column).to_numpy()
        return values

    def texts(self, table: str, column: str) -> list[str]:
        """Texts of a column, row by row; empty where a row has none.

        Raises
        ------
        MissingInputError
            If there is no such table, or it has no such column, as in a run of another version.
        """
        return [text or "" for text in self._column(table, column).to_pylist()]

    def interval(self, table: str) -> IntArray:
        """Beginning of the market interval that holds each row, shape (rows,). [s]"""
        return self.t_s(table) // self.run.clock.market_s * self.run.clock.market_s

    def ids(self, table: str) -> tuple[tuple[str, ...], IntArray]:
        """Distinct ids, and each row's place among them, shape (rows,)."""
        ids = self._table(table)["id"].unify_dictionaries().combine_chunks()
        return tuple(ids.dictionary.to_pylist()), np.asarray(ids.indices, np.int64)

    def owners(self, table: str, part: int = 0) -> tuple[tuple[str, ...], IntArray]:
        """Distinct values of one part of ``a/b/c`` ids, sorted, and each row's place among them."""
        names, codes = self.ids(table)
        parts = [name.split("/")[part] for name in names]
        distinct = tuple(sorted({parts[k] for k in np.unique(codes)}))
        place = np.array([distinct.index(p) if p in distinct else -1 for p in parts], np.int64)
        return distinct, place[codes]

    def interval_means(self, table: str, values: FloatArray) -> dict[tuple[str, int], float]:
        """Mean of the values of each id in each market interval, shape of ``values`` (rows,)."""
        names, codes = self.ids(table)
        pairs, place = np.unique(np.stack([codes, self.interval(table)]), axis=1, return_inverse=True)
        means = np.bincount(place, values) / np.bincount(place)
        keys = [(names[code], interval) for code, interval in pairs.T.tolist()]
        return dict(zip(keys, means.tolist(), strict=True))

    def multiplicities(self, table: str) -> FloatArray:
        """How often the LDA of each row counts at its interface, shape (rows,)."""
        ldas, place = self.owners(table)
        return np.array([float(self.run.multiplicity[lda]) for lda in ldas])[place]

    def _column(self, table: str, column: str) -> pa.ChunkedArray:
        rows = self._table(table)
        if column not in rows.column_names:
            has = ", ".join(rows.column_names)
            raise MissingInputError(f"table {table!r} of {self.run_dir} has no {column}; columns: {has}")
        return rows[column]

    def _table(self, table: str) -> pa.Table:
        if table not in self._loaded:
            self._loaded[table] = load(self.run_dir, table)
        return self._loaded[table]


def once(compute: Callable[[RunTables], T]) -> Callable[[RunTables], T]:
    """A function of a run's tables, computed once for each reader of them; what it returns is shared."""
    found: WeakKeyDictionary[RunTables, T] = WeakKeyDictionary()

    @wraps(compute)
    def known(tables: RunTables) -> T:
        if tables not in found:
            found[tables] = compute(tables)
        return found[tables]

    return known
