"""A recorder that writes tidy Parquet parts, each of them complete from the moment it can be seen.

A part is ``tables/<table>/<federate>.<span>.<part>.parquet`` in the run folder: ``t_s`` (i64, study time),
``id`` (dictionary), the table's columns (f64) and its text. Unit and meaning stand in the fields' metadata. A
part is written under a temporary name that no reader takes, synchronised to disk and then renamed; what was
renamed survives the writer's death and the machine's.

Parts end by study time (at every ``max_age_s``, an hour unless told otherwise) or by size, never by the clock
on the wall, so that two runs of a study leave the same files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from federates.core.arrays import FloatArray
from federates.core.parts import PartName, discard_span, published, synchronise
from federates.core.rows import Rows
from federates.core.tables import TABLES, Table
from federates.core.time import SimTime
from federates.recording.buffer import ColumnBuffer

SCHEMA_VERSION = "1"
_AHEAD = frozenset(name for name in TABLES if name.startswith(("da_", "day_ahead")))
"""Tables whose rows are about times to come: they do not tell how late it is."""


class ParquetRecorder:
    """Recorder of one federate in one span."""

    def __init__(
        self,
        run_dir: Path,
        federate: str,
        span_index: int,
        *,
        start: datetime | None = None,
        rows_per_part: int = 200_000,
        max_age_s: int = 3_600,
    ) -> None:
        """Begin a span: what the federate had left of this span or later ones is removed.

        Parameters
        ----------
        run_dir
            Folder of the run.
        federate
            Name of the federate that records.
        span_index
            Place of the span in the chain, from 0.
        start
            Local standard time of study second 0, kept in the files where it is given.
        rows_per_part
            Rows of a table after which its part is written.
        max_age_s
            Study time at whose multiples every part is written. [s]

        Raises
        ------
        ValueError
            If the federate's name cannot be part of a file name.
        """
        self._tables_dir = run_dir / "tables"
        self._first = PartName(federate, span_index, 0)
        self._metadata = {"schema_version": SCHEMA_VERSION}
        if start is not None:
            self._metadata["study_start"] = start.isoformat()
        self._rows_per_part = rows_per_part
        self._max_age_s = max_age_s
        self._buffers: dict[str, ColumnBuffer] = {}
        self._parts: dict[str, int] = {}
        self._age: int | None = None
        self._open = True
        discard_span(run_dir, span_index, federate)

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
        self._note_time(table, t)
        buffer = self._buffers.get(table.name)
        if buffer is None:
            buffer = self._buffers[table.name] = ColumnBuffer(table)
        buffer.append(t, ids, columns, text)
        if buffer.count >= self._rows_per_part:
            self._write(buffer)

    def flush(self) -> None:
        """Write what is buffered."""
        for buffer in self._buffers.values():
            if buffer.count:
                self._write(buffer)

    def close(self) -> None:
        """Write what is buffered; nothing may be added afterwards. A second call does nothing."""
        if self._open:
            self._open = False
            self.flush()

    def _note_time(self, table: Table, t: SimTime) -> None:
        """Write all parts when study time passes a multiple of the greatest age."""
        if table.name in _AHEAD:
            return
        age = t // self._max_age_s
        if self._age is None or age > self._age:
            if self._age is not None:
                self.flush()
            self._age = age

    def _write(self, buffer: ColumnBuffer) -> None:
        name = buffer.table.name
        folder = self._tables_dir / name
        if name not in self._parts:
            folder.mkdir(parents=True, exist_ok=True)
            synchronise(self._tables_dir)
        part = replace(self._first, part=self._parts.get(name, 0))
        write_part(folder, part, buffer.table, buffer.rows(), self._metadata)
        self._parts[name] = part.part + 1
        buffer.clear()


def write_part(folder: Path, part: PartName, table: Table, rows: Rows, metadata: dict[str, str]) -> None:
    """Write one part such that it is seen whole or not at all."""
    arrow = _arrow(table, rows, metadata)
    encoding = {column.name: "BYTE_STREAM_SPLIT" for column in table.columns}
    with published(folder, part) as file:
        pq.write_table(
            arrow,
            file,
            compression="zstd",
            use_dictionary=[name for name in ("id", table.text) if name is not None],
            column_encoding={"t_s": "DELTA_BINARY_PACKED", **encoding},
        )


def schema(table: Table, metadata: dict[str, str]) -> pa.Schema:
    """Arrow schema of a table, with unit and meaning of every field."""
    text = pa.dictionary(pa.int32(), pa.string())
    fields = [
        pa.field("t_s", pa.int64(), False, {"unit": "s", "meaning": "study time"}),
        pa.field("id", text, False, {"unit": "-", "meaning": table.id_is}),
    ]
    fields += [
        pa.field(c.name, pa.float64(), False, {"unit": c.unit, "meaning": c.meaning}) for c in table.columns
    ]
    if table.text is not None:
        fields.append(pa.field(table.text, text, False, {"unit": "-", "meaning": "text"}))
    return pa.schema(fields, {"table": table.name, "meaning": table.meaning, **metadata})


def _arrow(table: Table, rows: Rows, metadata: dict[str, str]) -> pa.Table:
    arrays = [
        pa.array(rows.t_s),
        pa.DictionaryArray.from_arrays(pa.array(rows.codes), pa.array(rows.names, pa.string())),
        *(pa.array(column) for column in rows.values),
    ]
    if table.text is not None:
        arrays.append(pa.array(rows.text, pa.string()).dictionary_encode())
    return pa.Table.from_arrays(arrays, schema=schema(table, metadata))
