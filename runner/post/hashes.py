"""Table hashes of a run, from its files alone; see ``federates.core.rows`` for what is hashed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from federates.core.rows import Rows, table_hash
from federates.core.tables import TABLES, Table
from federates.core.time import DAY_S
from runner.manifest import Done, read_done
from runner.post.load import parts_of, tables_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """What a run's files say against what was written down when it ended."""

    equal: tuple[str, ...]
    """Tables whose hash is as it was."""
    different: tuple[str, ...]
    """Tables whose rows have changed."""
    missing: tuple[str, ...]
    """Tables written down that are not there."""
    added: tuple[str, ...]
    """Tables there that were not written down."""

    @property
    def holds(self) -> bool:
        """Whether every table is as it was."""
        return not (self.different or self.missing or self.added)


def table_hashes(run_dir: Path) -> dict[str, str]:
    """SHA-256 of every table that holds no times of the machine, by table name.

    Tables are read a study day at a time, so that memory does not grow with the study.
    """
    known = (TABLES[name] for name in tables_of(run_dir) if name in TABLES)
    return {
        table.name: table_hash(table, _days(parts_of(run_dir, table.name), table))
        for table in known
        if not table.wall_clock
    }


def verify(run_dir: Path) -> Verification:
    """Compare the tables of a finished run with the hashes written down at its end.

    Raises
    ------
    MissingInputError
        If the run did not finish.
    """
    done: Done = read_done(run_dir)
    then, now = done.table_hashes, table_hashes(run_dir)
    return Verification(
        equal=tuple(sorted(name for name in then if now.get(name) == then[name])),
        different=tuple(sorted(name for name in then if name in now and now[name] != then[name])),
        missing=tuple(sorted(name for name in then if name not in now)),
        added=tuple(sorted(name for name in now if name not in then)),
    )


def _days(parts: tuple[Path, ...], table: Table) -> Iterator[Rows]:
    """Rows of each study day, days ascending."""
    covers = {path: _days_of(path) for path in parts}
    for day in sorted({day for days in covers.values() for day in days}):
        paths = [str(path) for path, days in covers.items() if day in days]
        within = (ds.field("t_s") >= day * DAY_S) & (ds.field("t_s") < (day + 1) * DAY_S)
        found = ds.dataset(paths, format="parquet").to_table(filter=within)
        if found.num_rows:
            yield _rows(found, table)


def _days_of(path: Path) -> range:
    """Study days between the first and the last row of a part, by its footer."""
    footer = pq.read_metadata(path)
    times = [footer.row_group(k).column(0).statistics for k in range(footer.num_row_groups)]
    return range(min(s.min for s in times) // DAY_S, max(s.max for s in times) // DAY_S + 1)


def _rows(found: pa.Table, table: Table) -> Rows:
    ids = found["id"].unify_dictionaries().combine_chunks()
    return Rows(
        t_s=found["t_s"].to_numpy(),
        names=ids.dictionary.to_pylist(),
        codes=ids.indices.to_numpy(),
        values=np.vstack([found[column.name].to_numpy() for column in table.columns]),
        text=() if table.text is None else found[table.text].to_pylist(),
    )
