"""Tables of a run, read from its complete parts; a run may go on meanwhile."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as ds

from federates.core.errors import MissingInputError


def tables_of(run_dir: Path) -> tuple[str, ...]:
    """Names of the tables that have a complete part, sorted."""
    return tuple(sorted({path.parent.name for path in run_dir.glob("tables/*/*.parquet") if _whole(path)}))


def parts_of(run_dir: Path, table: str) -> tuple[Path, ...]:
    """Complete parts of a table, in the order of federate, span and part.

    Raises
    ------
    MissingInputError
        If there is none.
    """
    parts = tuple(sorted(path for path in (run_dir / "tables" / table).glob("*.parquet") if _whole(path)))
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
    rows = data.to_table(columns=wanted, filter=chosen).unify_dictionaries()
    return rows.take(_by_time_and_id(rows))


def _by_time_and_id(rows: pa.Table) -> pa.Array:
    """Places of the rows in the order of time and id."""
    keys = pa.table({"t_s": rows["t_s"], "id": rows["id"].cast(pa.string())})
    return pc.sort_indices(keys, sort_keys=[("t_s", "ascending"), ("id", "ascending")])


def _whole(path: Path) -> bool:
    """Whether a file is a complete part: what is being written has a hidden name."""
    return not path.name.startswith(".")
