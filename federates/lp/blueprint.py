"""Rows of a program while they are being drawn: entries in any order, poured once in compressed form."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.lp.program import Program, Values


class Blueprint:
    """Named index arrays of columns and rows for one program.

    Columns exist at once; rows are reserved, given entries by whoever takes part in them, and poured into
    the program together.
    """

    def __init__(self, program: Program) -> None:
        self.program = program
        self._start()

    def _start(self) -> None:
        self._first_row = self.program.rows_count
        self._lower: list[FloatArray] = []
        self._upper: list[FloatArray] = []
        self._rows: list[IntArray] = []
        self._columns: list[IntArray] = []
        self._values: list[FloatArray] = []
        self._reserved_count = 0

    def columns(
        self, shape: tuple[int, ...], lower: Values, upper: Values, cost: Values, *, integer: bool = False
    ) -> IntArray:
        """Add columns in an array of ``shape``; bounds and costs broadcast to it."""
        low, high, price = (np.broadcast_to(v, shape).ravel() for v in (lower, upper, cost))
        if low.size == 0:
            return np.zeros(shape, dtype=np.int64)
        return self.program.add_columns(low, high, price, integer=integer).reshape(shape)

    def rows(self, shape: tuple[int, ...], lower: Values, upper: Values) -> IntArray:
        """Reserve rows in an array of ``shape``; bounds broadcast to it."""
        count = int(np.prod(shape))
        self._lower.append(np.broadcast_to(lower, shape).ravel().astype(np.float64))
        self._upper.append(np.broadcast_to(upper, shape).ravel().astype(np.float64))
        first = self._first_row + self._reserved_count
        self._reserved_count += count
        return np.arange(first, first + count).reshape(shape)

    def entries(self, rows: IntArray, columns: IntArray, values: Values) -> None:
        """Put ``values`` where ``rows`` and ``columns`` meet; all three broadcast. Zeros are left out."""
        at_row, at_column, value = np.broadcast_arrays(rows, columns, np.asarray(values, dtype=np.float64))
        some = value != 0.0
        self._rows.append(at_row[some])
        self._columns.append(at_column[some])
        self._values.append(value[some])

    def pour(self) -> None:
        """Add the reserved rows to the program; the blueprint is empty again."""
        rows = np.concatenate([*self._rows, np.zeros(0, dtype=np.int64)]) - self._first_row
        order = np.argsort(rows, kind="stable")
        starts = np.searchsorted(rows[order], np.arange(self._reserved_count))
        if self._reserved_count:
            self.program.add_rows(
                np.concatenate(self._lower),
                np.concatenate(self._upper),
                starts,
                np.concatenate(self._columns)[order],
                np.concatenate(self._values)[order],
            )
        self._start()
