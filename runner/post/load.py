"""Tables of a run, read from its complete parts; a run may go on meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from federates.core.errors import MissingInputError
from federates.core.parts import complete_parts

_ATTEMPTS = 10
"""How often a table is read anew when its parts are merged under the reader's hands."""


def tables_of(run_dir: Path) -> tuple[str, ...]:
    """Names of the tables that have a complete part, sorted."""
    folders = (run_dir / "tables").glob("*")
    return tuple(sorted(folder.name for folder in folders if complete_parts(folder)))


def parts_of(run_dir: Path, table: str) -> tuple[Path, ...]:
    """Complete parts of a table, in the order of federate, span and part.

    Raises
    ------
    MissingInputError
        If there is none.
    """
    parts = tuple(complete_parts(run_dir / "tables" / table).values())
    if not parts:
        there = ", ".join(tables_of(run_dir)) or "none yet"
        raise MissingInputError(f"{run_dir} has no table {table!r}; tables: {there}")
    return parts


def load(
    run_dir: Path, table: str, columns: Iterable[str] | None = None, ids: Iterable[str] | None = None
) -> pa.Table:
    """Rows of a table, sorted by time and id.

    Parameters
    ----------
    run_dir
        Folder of the run.
    table
        Name of the table.
    columns
        Columns wanted besides ``t_s`` and ``id``; None: all.
    ids
        Ids wanted; None: all.

    Returns
    -------
    pyarrow.Table
        ``t_s`` (i64) [s], ``id`` (text, dictionary-encoded), and the columns (f64) in the units that their
        field metadata name.

    Raises
    ------
    MissingInputError
        If there is no such table, or it has no such column.
    """
    for attempt in range(_ATTEMPTS):
        try:
            return _sorted(_rows(run_dir, table, columns, ids))
        except FileNotFoundError:
            if attempt + 1 == _ATTEMPTS:
                raise
    raise AssertionError


def _rows(run_dir: Path, table: str, columns: Iterable[str] | None, ids: Iterable[str] | None) -> pa.Table:
    """Rows of a table in the order of the parts."""
    data = ds.dataset(list(map(str, parts_of(run_dir, table))), format="parquet")
    wanted = data.schema.names
    if columns is not None:
        wanted = ["t_s", "id", *(name for name in columns if name not in {"t_s", "id"})]
        if unknown := [name for name in wanted if name not in data.schema.names]:
            has = ", ".join(data.schema.names)
            raise MissingInputError(
                f"table {table!r} of {run_dir} has no {', '.join(unknown)}; columns: {has}"
            )
    chosen = None if ids is None else pc.field("id").isin(pa.array(list(ids), pa.string()))
    return data.to_table(columns=wanted, filter=chosen)


def _sorted(rows: pa.Table) -> pa.Table:
    """Rows by time and id."""
    rows = rows.unify_dictionaries()
    keys = pa.table({"t_s": rows["t_s"], "id": rows["id"].cast(pa.string())})
    return rows.take(pc.sort_indices(keys, sort_keys=[("t_s", "ascending"), ("id", "ascending")]))
