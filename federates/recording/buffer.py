"""Rows of one table on their way to a file: growing columns, ids as codes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.rows import CodeArray, Rows
from federates.core.tables import Table
from federates.core.time import SimTime

_FIRST_CAPACITY = 1_024
_KNOWN_ID_LISTS = 64


class ColumnBuffer:
    """Columns of one table, filled batch by batch.

    The codes of an id list are remembered, so that a federate which gives the same ids at every instant
    (best: the same tuple) pays for the copy of its columns only.
    """

    __slots__ = ("_codes", "_known", "_last", "_places", "_t_s", "_text", "_values", "count", "table")

    def __init__(self, table: Table) -> None:
        self.table = table
        self.count = 0
        """Rows held."""
        self._t_s = np.empty(_FIRST_CAPACITY, np.int64)
        self._codes: CodeArray = np.empty(_FIRST_CAPACITY, np.int32)
        self._values = np.empty((len(table.columns), _FIRST_CAPACITY))
        self._text: list[str] = []
        self._places: dict[str, int] = {}
        self._known: dict[tuple[str, ...], CodeArray] = {}
        self._last: tuple[tuple[str, ...], CodeArray] = ((), np.empty(0, np.int32))

    def append(
        self,
        t: SimTime,
        ids: Sequence[str],
        columns: Sequence[FloatArray | Sequence[float]],
        text: Sequence[str] | None,
    ) -> None:
        """Take rows of one instant.

        Raises
        ------
        ValueError
            If columns or texts do not fit the table or the ids.
        """
        rows = len(ids)
        self._check(t, rows, columns, text)
        end = self.count + rows
        if end > self._t_s.size:
            self._grow(end)
        here = slice(self.count, end)
        self._codes[here] = self._codes_of(ids if type(ids) is tuple else tuple(ids))
        for place, column in zip(self._values, columns, strict=True):
            place[here] = column
        self._t_s[here] = t
        if text is not None:
            self._text.extend(text)
        self.count = end

    def rows(self) -> Rows:
        """Rows held, as views that the next ``append`` may change."""
        return Rows(
            t_s=self._t_s[: self.count],
            names=tuple(self._places),
            codes=self._codes[: self.count],
            values=self._values[:, : self.count],
            text=tuple(self._text),
        )

    def clear(self) -> None:
        """Forget the rows and their ids, keep the room."""
        self.count = 0
        self._text.clear()
        self._places.clear()
        self._known.clear()
        self._last = ((), np.empty(0, np.int32))

    def _check(
        self,
        t: SimTime,
        rows: int,
        columns: Sequence[FloatArray | Sequence[float]],
        text: Sequence[str] | None,
    ) -> None:
        where = f"table {self.table.name} at {t} s"
        if len(columns) != len(self.table.columns):
            raise ValueError(f"{where}: {len(self.table.columns)} columns are due, {len(columns)} came")
        for meant, column in zip(self.table.columns, columns, strict=True):
            if len(column) != rows:
                raise ValueError(f"{where}: {meant.name} has {len(column)} values for {rows} ids")
        if (text is None) != (self.table.text is None):
            raise ValueError(f"{where}: a text is {'not taken' if self.table.text is None else 'due'}")
        if text is not None and len(text) != rows:
            raise ValueError(f"{where}: {len(text)} texts came for {rows} ids")

    def _codes_of(self, ids: tuple[str, ...]) -> CodeArray:
        last, codes = self._last
        if ids is last:
            return codes
        known = self._known.get(ids)
        if known is None:
            places = self._places
            known = np.array([places.setdefault(one, len(places)) for one in ids], np.int32)
            if len(self._known) >= _KNOWN_ID_LISTS:
                self._known.clear()
            self._known[ids] = known
        self._last = (ids, known)
        return known

    def _grow(self, needed: int) -> None:
        size = max(needed, 2 * self._t_s.size)
        t_s, codes, values = self._t_s, self._codes, self._values
        self._t_s = np.empty(size, np.int64)
        self._codes = np.empty(size, np.int32)
        self._values = np.empty((values.shape[0], size))
        held = self.count
        self._t_s[:held] = t_s[:held]
        self._codes[:held] = codes[:held]
        self._values[:, :held] = values[:, :held]
