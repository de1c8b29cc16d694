"""A recorder that keeps its rows: for tests and for what runs in one process."""

from __future__ import annotations

from collections.abc import Sequence

from federates.core.arrays import FloatArray
from federates.core.rows import Rows, rows_hashes
from federates.core.tables import Table
from federates.core.time import SimTime
from federates.recording.buffer import ColumnBuffer


class MemoryRecorder:
    """Recorder whose rows stay in memory."""

    def __init__(self) -> None:
        self._buffers: dict[str, ColumnBuffer] = {}
        self._open = True

    def add(
        self,
        table: Table,
        t: SimTime,
        ids: Sequence[str],
        *columns: FloatArray | Sequence[float],
        text: Sequence[str] | None = None,
    ) -> None:
        """Take rows of one instant: ``columns`` in the table's order, each of shape (ids,).

        Raises
        ------
        ValueError
            If columns or texts do not fit, or the recorder is closed.
        """
        if not self._open:
            raise ValueError(f"table {table.name} at {t} s: the recorder is closed")
        buffer = self._buffers.get(table.name)
        if buffer is None:
            buffer = self._buffers[table.name] = ColumnBuffer(table)
        buffer.append(t, ids, columns, text)

    def close(self) -> None:
        """Take nothing more; what is recorded stays readable."""
        self._open = False

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables that have rows, sorted."""
        return tuple(sorted(name for name, buffer in self._buffers.items() if buffer.count))

    def rows(self, table: Table) -> Rows:
        """Rows of a table in the order of recording; none if nothing was recorded."""
        return self._buffers.get(table.name, ColumnBuffer(table)).rows()

    def ids(self, table: Table) -> tuple[str, ...]:
        """Id of each row of a table."""
        rows = self.rows(table)
        return tuple(rows.names[k] for k in rows.codes)

    def column(self, table: Table, name: str) -> FloatArray:
        """Values of one column, shape (rows,), in the column's unit.

        Raises
        ------
        KeyError
            If the table has no such column.
        """
        places = {column.name: k for k, column in enumerate(table.columns)}
        values: FloatArray = self.rows(table).values[places[name]]
        return values

    def table_hashes(self) -> dict[str, str]:
        """Hash of every table that has rows and holds no times of the machine."""
        return rows_hashes({name: (b.table, b.rows()) for name, b in self._buffers.items()})
