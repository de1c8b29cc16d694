"""Rows of one table as arrays, and the one hash by which two runs are compared.

The hash is SHA-256 over the rows sorted by time, id and then by every other column, so that neither the order
of writing nor the division into files matters. Rows go in by study days, column by column:

- once: the tag ``tandem-rows-1``, the table's name, the names of its columns;
- for each study day (``t_s // 86400``) that has rows, ascending: the day and the number of rows (i64 each);
  ``t_s`` (i64); the distinct ids of the day and each row's place among them (i32); every column (f64); the
  distinct texts and each row's place among them, if the table has a text column.

Everything is little-endian; a text is its length in bytes (u32) and UTF-8. Negative zero counts as zero and
every NaN as the same NaN. Numbers are those recorded, in float64: nothing is rounded before.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federates.core.arrays import FloatArray, IntArray
from federates.core.tables import Table
from federates.core.time import DAY_S

CodeArray = NDArray[np.int32]
_TAG = "tandem-rows-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Rows of one table, in any order."""

    t_s: IntArray
    """Study time, shape (rows,). [s]"""
    names: Sequence[str]
    """Distinct ids, in any order; some may be without a row."""
    codes: CodeArray
    """Place of each row's id in ``names``, shape (rows,)."""
    values: FloatArray
    """Columns in the table's order, shape (columns, rows)."""
    text: Sequence[str] = ()
    """Text of each row; empty where the table has no text column."""

    @property
    def count(self) -> int:
        """Number of rows."""
        return int(self.t_s.size)

    def take(self, rows: IntArray) -> Rows:
        """Chosen rows, in the order given by their places, shape (chosen,)."""
        return Rows(
            t_s=self.t_s[rows],
            names=self.names,
            codes=self.codes[rows],
            values=self.values[:, rows],
            text=tuple(self.text[k] for k in rows) if self.text else (),
        )


def table_hash(table: Table, days: Iterable[Rows]) -> str:
    """SHA-256 of a table, in hexadecimal.

    Parameters
    ----------
    table
        The table, whose names go into the hash.
    days
        All rows of each study day, days ascending; see ``by_day``.

    Raises
    ------
    ValueError
        If a block holds rows of several days, or days do not ascend.
    """
    digest = hashlib.sha256(_texts((_TAG, table.name, *(c.name for c in table.columns), table.text or "")))
    last: int | None = None
    for rows in days:
        found = np.unique(rows.t_s // DAY_S)
        if found.size != 1 or (last is not None and found[0] <= last):
            raise ValueError(
                f"table {table.name}: the days {found.tolist()} after {last} are not one and later"
            )
        last = int(found[0])
        for piece in _canonical(rows, last):
            digest.update(piece)
    return digest.hexdigest()


def by_day(rows: Rows) -> Iterator[Rows]:
    """Rows of each study day, days ascending."""
    day = rows.t_s // DAY_S
    found = np.unique(day)
    if found.size == 1:
        yield rows
        return
    for one in found:
        yield rows.take(np.flatnonzero(day == one))


def rows_hashes(recorded: Mapping[str, tuple[Table, Rows]]) -> dict[str, str]:
    """Hash of every table that has rows and holds no times of the machine, by table name."""
    return {
        name: table_hash(table, by_day(rows))
        for name, (table, rows) in sorted(recorded.items())
        if rows.count and not table.wall_clock
    }


def _canonical(rows: Rows, day: int) -> Iterator[bytes]:
    """Bytes of one study day's rows."""
    names, codes = _ranked(rows.names, rows.codes)
    texts, text_codes = _coded(rows.text)
    values = np.where(np.isnan(rows.values), np.nan, rows.values + 0.0)
    order = _order(rows.t_s, codes, values, text_codes)
    yield struct.pack("<qq", day, rows.count)
    yield rows.t_s[order].astype("<i8", copy=False).tobytes()
    yield _texts(names)
    yield codes[order].astype("<i4").tobytes()
    for column in values:
        yield column[order].astype("<f8", copy=False).tobytes()
    if rows.text:
        yield _texts(texts)
        yield text_codes[order].astype("<i4").tobytes()


def _order(t_s: IntArray, codes: IntArray, values: FloatArray, text_codes: IntArray) -> IntArray:
    """Places of the rows in the order of time, id and, among equals, every other column."""
    order = np.lexsort((codes, t_s))
    time, id_ = t_s[order], codes[order]
    if not ((time[1:] == time[:-1]) & (id_[1:] == id_[:-1])).any():
        return order
    others = [*values[::-1], codes, t_s]
    return np.lexsort([text_codes, *others] if text_codes.size else others)


def _ranked(names: Sequence[str], codes: CodeArray) -> tuple[list[str], IntArray]:
    """Names that have a row, sorted, and each row's place among them."""
    used = np.unique(codes)
    kept = sorted((names[k], int(k)) for k in used)
    rank = np.zeros(len(names), np.int64)
    rank[[k for _, k in kept]] = np.arange(len(kept))
    return [name for name, _ in kept], rank[codes]


def _coded(text: Sequence[str]) -> tuple[list[str], IntArray]:
    """Distinct texts, sorted, and each row's place among them."""
    distinct = sorted(set(text))
    place = {one: k for k, one in enumerate(distinct)}
    return distinct, np.array([place[one] for one in text], np.int64)


def _texts(texts: Sequence[str]) -> bytes:
    """Number of texts, and each with its length."""
    encoded = [text.encode() for text in texts]
    return struct.pack("<I", len(encoded)) + b"".join(struct.pack("<I", len(e)) + e for e in encoded)
