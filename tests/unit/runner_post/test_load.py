"""Reading gives what was asked for, sorted, and names what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from federates.core.errors import MissingInputError
from federates.core.tables import BUS
from runner.post.load import load, tables_of
from tests.unit.runner_post.run_folders import record

ROWS = [(60, "y"), (0, "y"), (60, "x"), (0, "x")]


@pytest.fixture
def run_dir(tmp_path: Path) -> Path:
    for federate, rows in (("g", ROWS[:1]), ("f", ROWS[1:])):
        record(tmp_path, BUS, rows, {"v_pu": [t + ord(id_) for t, id_ in rows]}, federate=federate)
    return tmp_path


def test_rows_of_all_parts_come_by_time_and_id(run_dir: Path) -> None:
    found = load(run_dir, "bus")
    assert list(zip(found["t_s"].to_pylist(), found["id"].to_pylist(), strict=True)) == sorted(ROWS)
    assert found["v_pu"].to_pylist() == [t + ord(id_) for t, id_ in sorted(ROWS)]
    assert found.column_names == ["t_s", "id", *(column.name for column in BUS.columns)]


def test_columns_and_ids_are_chosen(run_dir: Path) -> None:
    found = load(run_dir, "bus", columns=["angle_deg"], ids=["x", "not there"])
    assert found.column_names == ["t_s", "id", "angle_deg"]
    assert found["id"].to_pylist() == ["x", "x"]


def test_missing_tables_and_columns_are_named(run_dir: Path) -> None:
    with pytest.raises(MissingInputError, match="no table 'lmp'; tables: bus"):
        load(run_dir, "lmp")
    with pytest.raises(MissingInputError, match="has no v_kv; columns: t_s, id, v_pu"):
        load(run_dir, "bus", columns=["v_kv"])


def test_a_folder_with_nothing_complete_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "tables" / "bus").mkdir(parents=True)
    (tmp_path / "tables" / "bus" / ".f.000.00000.parquet.tmp").write_bytes(b"PAR1")
    assert tables_of(tmp_path) == ()
    with pytest.raises(MissingInputError, match="tables: none yet"):
        load(tmp_path, "bus")
