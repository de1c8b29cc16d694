"""Merging changes the files and nothing else."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from shutil import copytree

import numpy as np
import pyarrow.parquet as pq
import pytest

from federates.core.parts import MERGED, PartName, complete_parts
from federates.core.tables import BUS, EVENT
from federates.recording.parquet import ParquetRecorder
from runner.post.hashes import table_hashes
from runner.post.load import load
from runner.post.merge import merge_span


def write(run_dir: Path, federate: str, span: int) -> None:
    recorder = ParquetRecorder(run_dir, federate, span)
    for t in range(86_400 * span, 86_400 * span + 10_800, 600):
        ids = (f"{federate}1", f"{federate}2")
        recorder.add(BUS, t, ids, *(np.array([t, t + 0.1]) + k for k in range(4)))
    recorder.add(EVENT, t, (federate,), [1.0], text=("end",))
    recorder.close()


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    for span in range(2):
        for federate in ("x", "y"):
            write(tmp_path / "run", federate, span)
    return tmp_path / "run"


def files(run_dir: Path, table: str = "bus") -> list[str]:
    return sorted(path.name for path in (run_dir / "tables" / table).iterdir())


def test_merging_keeps_rows_hashes_and_metadata(run_dir: Path) -> None:
    before, hashes = load(run_dir, "bus"), table_hashes(run_dir)
    assert len(files(run_dir)) == 12
    merge_span(run_dir, 0)
    assert files(run_dir)[0] == "all.000.00000.parquet"
    assert len(files(run_dir)) == 1 + 6
    merge_span(run_dir, 1)
    assert len(files(run_dir)) == 2
    after = load(run_dir, "bus")
    assert after.drop_columns("id").equals(before.drop_columns("id"))
    assert after["id"].to_pylist() == before["id"].to_pylist()
    assert table_hashes(run_dir) == hashes
    field = pq.read_schema(run_dir / "tables" / "bus" / files(run_dir)[0]).field("v_pu")
    assert field.metadata[b"unit"] == b"pu"


def test_rows_are_read_once_while_parts_are_merged(tmp_path: Path) -> None:
    def spans() -> None:
        for span in range(8):
            write(tmp_path, "x", span)
            merge_span(tmp_path, span)

    counts = []
    with ThreadPoolExecutor(1) as pool:
        write(tmp_path, "y", 8)
        writing = pool.submit(spans)
        while not writing.done():
            rows = load(tmp_path, "bus", columns=[])
            assert rows.num_rows == rows.group_by(["t_s", "id"]).aggregate([]).num_rows
            counts.append(rows.num_rows)
        writing.result()
    assert counts == sorted(counts)
    assert load(tmp_path, "bus").num_rows == 9 * 36


def test_merging_twice_is_merging_once(run_dir: Path) -> None:
    merge_span(run_dir, 0)
    once = files(run_dir)
    merge_span(run_dir, 0)
    assert files(run_dir) == once


def test_killed_between_merging_and_removing_no_row_counts_twice(run_dir: Path, tmp_path: Path) -> None:
    hashes = table_hashes(run_dir)
    parts = copytree(run_dir, tmp_path / "copy")
    merge_span(run_dir, 0)
    for name in files(parts):
        (run_dir / "tables" / "bus" / name).write_bytes((parts / "tables" / "bus" / name).read_bytes())
    assert len(files(run_dir)) == 13
    assert table_hashes(run_dir) == hashes
    merge_span(run_dir, 0)
    assert len(files(run_dir)) == 1 + 6
    assert table_hashes(run_dir) == hashes


def test_a_span_begun_again_removes_what_was_merged_of_it(run_dir: Path) -> None:
    hashes = table_hashes(run_dir)
    merge_span(run_dir, 0)
    merge_span(run_dir, 1)
    for federate in ("x", "y"):
        write(run_dir, federate, 1)
    assert [part.federate for part in complete_parts(run_dir / "tables" / "bus")][:1] == [MERGED]
    assert table_hashes(run_dir) == hashes


@pytest.mark.parametrize(
    "name", ["a.0.parquet", ".a.000.00000.parquet.tmp", "a.000.00000.parquet.tmp", "a b.0.0.parquet"]
)
def test_other_files_are_no_parts(name: str) -> None:
    assert PartName.parse(name) is None


def test_names_of_parts_come_back() -> None:
    part = PartName("agg_lda1_own", 364, 23)
    assert PartName.parse(part.file) == part
    assert PartName.parse_hidden(part.hidden) == part
