"""Tables of a run as columns: texts, and what is computed of them once."""

from __future__ import annotations

from pathlib import Path

import pytest

from federates.core import tables as t
from federates.core.errors import MissingInputError
from runner.post.run_tables import RunTables, once
from tests.unit.runner_post.run_folders import record


def test_texts_come_in_the_order_of_the_rows_and_are_empty_where_there_is_none(tmp_path: Path) -> None:
    rows = [(0, "a/two/x"), (0, "a/one/x"), (0, "a/three/x")]
    record(tmp_path, t.DER_UNIT, rows, {}, text=("bob", "ann", ""))
    tables = RunTables(tmp_path)
    names, codes = tables.ids("der_unit")
    owners = tables.texts("der_unit", "owner")
    found = {names[code]: owner for code, owner in zip(codes.tolist(), owners, strict=True)}
    assert found == {"a/one/x": "ann", "a/two/x": "bob", "a/three/x": ""}
    with pytest.raises(MissingInputError, match="has no colour; columns: t_s, id"):
        tables.texts("der_unit", "colour")


def test_what_is_computed_once_is_computed_for_each_reader(tmp_path: Path) -> None:
    asked: list[RunTables] = []

    @once
    def rows_count(tables: RunTables) -> int:
        asked.append(tables)
        return tables.t_s("der_unit").size

    record(tmp_path, t.DER_UNIT, [(0, "a/one/x")], {}, text=("",))
    reader, later = RunTables(tmp_path), RunTables(tmp_path)
    assert [rows_count(reader), rows_count(reader)] == [1, 1]
    assert asked == [reader]
    record(tmp_path, t.DER_UNIT, [(0, "a/two/x")], {}, "g", text=("",))
    assert rows_count(later) == 2
    assert asked == [reader, later]
