"""Merging the parts of a finished span, so that a long study leaves few files."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq

from federates.core.parts import MERGED, PartName, complete_parts, published

ROWS_PER_GROUP = 200_000


def merge_span(run_dir: Path, span: int) -> None:
    """Merge the parts of a span into one per table; nobody may be writing to the span any more.

    The merged part is written under a hidden name and supersedes the others when it is renamed; then they
    are removed. Killed between the two, it leaves parts that no reader of ours takes; merging again removes
    them. The rows stay as they are, and with them the tables' hashes.
    """
    for folder in sorted((run_dir / "tables").glob("*")):
        parts = {part: path for part, path in complete_parts(folder).items() if part.span == span}
        target = PartName(MERGED, span, 0)
        if parts and target not in parts:
            _write(folder, target, list(parts.values()))
        for path in folder.glob("*.parquet"):
            part = PartName.parse(path.name)
            if part is not None and part.span == span and part.federate != MERGED:
                path.unlink()


def _write(folder: Path, target: PartName, paths: list[Path]) -> None:
    rows = ds.dataset([str(path) for path in paths], format="parquet").to_table().unify_dictionaries()
    floats = [field.name for field in rows.schema if field.type == pa.float64()]
    with published(folder, target) as file:
        pq.write_table(
            rows,
            file,
            row_group_size=ROWS_PER_GROUP,
            compression="zstd",
            use_dictionary=[field.name for field in rows.schema if pa.types.is_dictionary(field.type)],
            column_encoding={"t_s": "DELTA_BINARY_PACKED", **dict.fromkeys(floats, "BYTE_STREAM_SPLIT")},
        )
