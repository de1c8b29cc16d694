"""Both recorders keep the same rows, whatever the order and the division into parts."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federates.core.parts import discard_span
from federates.core.rows import Rows, by_day, table_hash
from federates.core.tables import BUS, DA_LMP, EVENT, INTERFACE, LMP, TABLES, TIMING, Recorder
from federates.recording.memory import MemoryRecorder
from federates.recording.parquet import ParquetRecorder
from runner.post.hashes import table_hashes
from runner.post.load import load, tables_of

Batch = tuple[int, tuple[str, ...], list[list[float]]]
number = st.floats(allow_nan=True, allow_infinity=True, width=64)


@st.composite
def batches(draw: st.DrawFn) -> list[Batch]:
    names = st.sampled_from(["a", "b", "ü", "line 1", ""])
    out = []
    for t in draw(st.lists(st.integers(-90_000, 200_000), min_size=1, max_size=8)):
        ids = tuple(draw(st.lists(names, min_size=1, max_size=4)))
        column = st.lists(number, min_size=len(ids), max_size=len(ids))
        out.append((t, ids, [draw(column) for _ in INTERFACE.columns]))
    return out


def fill(recorder: Recorder, given_batches: list[Batch]) -> None:
    for t, ids, columns in given_batches:
        recorder.add(INTERFACE, t, ids, *columns)
    recorder.close()


def parts(run_dir: Path) -> list[str]:
    return sorted(path.relative_to(run_dir).as_posix() for path in run_dir.glob("tables/*/*"))


def bus_rows(recorder: Recorder, t: int, shift: float = 0.0) -> None:
    recorder.add(BUS, t, ("x", "y"), *(np.array([1.0, 2.0]) + shift + k for k in range(4)))


@given(batches(), st.integers(1, 10), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_hash_depends_on_rows_only(given_batches: list[Batch], rows_per_part: int, random: object) -> None:
    memory = MemoryRecorder()
    fill(memory, given_batches)
    shuffled = list(given_batches)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    with TemporaryDirectory() as folder:
        half = len(shuffled) // 2
        for federate, share in (("one", shuffled[:half]), ("two", shuffled[half:])):
            recorder = ParquetRecorder(Path(folder), federate, 0, rows_per_part=rows_per_part)
            fill(recorder, share)
        assert table_hashes(Path(folder)) == memory.table_hashes()
    assert set(memory.table_hashes()) == {"interface"}


@given(batches(), st.data())
@settings(max_examples=60, deadline=None)
def test_hash_changes_with_any_value(given_batches: list[Batch], data: st.DataObject) -> None:
    before, after = MemoryRecorder(), MemoryRecorder()
    fill(before, given_batches)
    k = data.draw(st.integers(0, len(given_batches) - 1))
    t, ids, columns = given_batches[k]
    c, r = data.draw(st.integers(0, len(columns) - 1)), data.draw(st.integers(0, len(ids) - 1))
    moved = [list(column) for column in columns]
    old = moved[c][r]
    moved[c][r] = 1.0 if not np.isfinite(old) else float(np.nextafter(old, np.inf if old < 0 else -np.inf))
    fill(after, [*given_batches[:k], (t, ids, moved), *given_batches[k + 1 :]])
    assert before.table_hashes() != after.table_hashes()


@pytest.mark.parametrize("change", ["t", "id", "text", "row"])
def test_hash_sees_time_id_text_and_number_of_rows(change: str) -> None:
    def events(t: int, id_: str, text: str, rows: int) -> dict[str, str]:
        recorder = MemoryRecorder()
        for _ in range(rows):
            recorder.add(EVENT, t, (id_,), [1.0], text=(text,))
        return recorder.table_hashes()

    changed = {
        "t": (1, "a", "b", 1),
        "id": (0, "ab", "b", 1),
        "text": (0, "a", "ab", 1),
        "row": (0, "a", "b", 2),
    }
    assert events(0, "a", "b", 1) != events(*changed[change])


def test_negative_zero_counts_as_zero() -> None:
    plus, minus = MemoryRecorder(), MemoryRecorder()
    fill(plus, [(0, ("a",), [[0.0]] * 4)])
    fill(minus, [(0, ("a",), [[-0.0]] * 4)])
    assert plus.table_hashes() == minus.table_hashes()


def test_hash_of_one_row_is_the_bytes_that_the_definition_names() -> None:
    import hashlib
    import struct

    def text(*parts: str) -> bytes:
        coded = [p.encode() for p in parts]
        return struct.pack("<I", len(coded)) + b"".join(struct.pack("<I", len(c)) + c for c in coded)

    rows = Rows(
        t_s=np.array([90_000]),
        names=["b", "a"],
        codes=np.array([1], np.int32),
        values=np.arange(1.0, 5.0)[:, None],
    )
    data = text("tandem-rows-1", "interface", "p_mw", "q_mvar", "v_pu", "angle_deg", "")
    data += struct.pack("<qqq", 1, 1, 90_000) + text("a") + struct.pack("<i", 0)
    data += struct.pack("<4d", 1.0, 2.0, 3.0, 4.0)
    assert table_hash(INTERFACE, by_day(rows)) == hashlib.sha256(data).hexdigest()


def test_days_out_of_order_are_refused() -> None:
    row = Rows(t_s=np.array([0]), names=["a"], codes=np.zeros(1, np.int32), values=np.zeros((4, 1)))
    with pytest.raises(ValueError, match="are not one and later"):
        table_hash(INTERFACE, [row, row])


def test_text_survives_and_equal_ids_are_hashed_in_any_order(tmp_path: Path) -> None:
    memory = MemoryRecorder()
    disk = ParquetRecorder(tmp_path, "iso", 0)
    rows = [("lost", 2.0), ("lost", 1.0), ("ördered", 1.0)]
    for text, value in rows:
        memory.add(EVENT, 5, ["dso_a"], [value], text=[text])
    for text, value in reversed(rows):
        disk.add(EVENT, 5, ["dso_a"], [value], text=[text])
    disk.close()
    assert table_hashes(tmp_path) == memory.table_hashes()
    found = load(tmp_path, "event")
    assert sorted(zip(found["what"].to_pylist(), found["value"].to_pylist(), strict=True)) == sorted(rows)


def test_texts_stay_with_their_rows_over_days() -> None:
    def hashes(order: list[int]) -> dict[str, str]:
        recorder = MemoryRecorder()
        for day in order:
            recorder.add(EVENT, 86_400 * day, ("x",), [1.0], text=(f"day {day % 2}",))
        return recorder.table_hashes()

    assert hashes([0, 1, 2]) == hashes([2, 0, 1])
    assert hashes([0, 1]) != hashes([0, 2])


def test_times_of_the_machine_are_not_hashed(tmp_path: Path) -> None:
    memory, disk = MemoryRecorder(), ParquetRecorder(tmp_path, "iso", 0)
    for recorder in (memory, disk):
        recorder.add(TIMING, 0, ("iso",), [0.1], [0.2])
        recorder.close()
    assert tables_of(tmp_path) == ("timing",)
    assert table_hashes(tmp_path) == memory.table_hashes() == {}


def test_parts_end_at_hours_of_study_time(tmp_path: Path) -> None:
    recorder = ParquetRecorder(tmp_path, "transmission", 0)
    for t in range(0, 7_200, 60):
        bus_rows(recorder, t)
    assert parts(tmp_path) == ["tables/bus/transmission.000.00000.parquet"]
    assert load(tmp_path, "bus").num_rows == 2 * 60
    recorder.close()
    assert load(tmp_path, "bus").num_rows == 2 * 120


def test_an_hour_of_one_table_ends_the_parts_of_all(tmp_path: Path) -> None:
    recorder = ParquetRecorder(tmp_path, "iso", 0)
    recorder.add(EVENT, 10, ("x",), [1.0], text=("once",))
    recorder.add(LMP, 3_600, ("x",), *([1.0],) * 5)
    assert tables_of(tmp_path) == ("event",)


def test_day_ahead_rows_do_not_tell_how_late_it_is(tmp_path: Path) -> None:
    recorder = ParquetRecorder(tmp_path, "iso", 0)
    for hour in range(24):
        recorder.add(DA_LMP, 3_600 * hour, ("x",), *([1.0],) * 6)
    assert parts(tmp_path) == []
    recorder.add(LMP, 0, ("x",), *([1.0],) * 5)
    recorder.add(LMP, 3_600, ("x",), *([1.0],) * 5)
    assert parts(tmp_path) == ["tables/da_lmp/iso.000.00000.parquet", "tables/lmp/iso.000.00000.parquet"]


def test_parts_end_by_size(tmp_path: Path) -> None:
    recorder = ParquetRecorder(tmp_path, "transmission", 0, rows_per_part=4)
    for t in range(5):
        bus_rows(recorder, t)
    assert len(parts(tmp_path)) == 2


def test_units_and_meanings_stand_in_the_files(tmp_path: Path) -> None:
    recorder = ParquetRecorder(tmp_path, "transmission", 2)
    bus_rows(recorder, 0)
    recorder.close()
    schema = pq.read_schema(next(tmp_path.glob("tables/bus/*")))
    assert schema.metadata[b"schema_version"] == b"1"
    for column in BUS.columns:
        metadata = schema.field(column.name).metadata
        assert metadata[b"unit"].decode() == column.unit
        assert metadata[b"meaning"].decode() == column.meaning


def test_discarding_a_span_keeps_the_spans_before(tmp_path: Path) -> None:
    for span in range(3):
        for federate in ("iso", "transmission"):
            recorder = ParquetRecorder(tmp_path, federate, span)
            bus_rows(recorder, 86_400 * span)
            recorder.close()
    discard_span(tmp_path, 2, "iso")
    assert [p.split("/")[-1][:-14] for p in parts(tmp_path)] == [
        "iso.000", "iso.001", "transmission.000", "transmission.001", "transmission.002"
    ]  # fmt: skip
    discard_span(tmp_path, 1)
    assert len(parts(tmp_path)) == 2


def test_a_span_begun_again_leaves_no_row_of_the_first_attempt(tmp_path: Path) -> None:
    broken = ParquetRecorder(tmp_path, "transmission", 1, rows_per_part=2)
    for t in range(4):
        bus_rows(broken, t, shift=9.0)
    again = ParquetRecorder(tmp_path, "transmission", 1)
    bus_rows(again, 0)
    again.close()
    memory = MemoryRecorder()
    bus_rows(memory, 0)
    assert table_hashes(tmp_path) == memory.table_hashes()


@pytest.mark.parametrize(
    ("columns", "text", "message"),
    [
        (([1.0],) * 3, None, "4 columns are due, 3 came"),
        (([1.0, 2.0], [1.0], [1.0], [1.0]), None, "v_pu has 2 values for 1 ids"),
        (([1.0],) * 4, ("x",), "a text is not taken"),
    ],
)
def test_rows_that_do_not_fit_are_refused(
    columns: tuple[list[float], ...], text: object, message: str
) -> None:
    recorder = MemoryRecorder()
    with pytest.raises(ValueError, match=message):
        recorder.add(BUS, 0, ("a",), *columns, text=text)  # type: ignore[arg-type]
    assert recorder.tables == ()


def test_a_closed_recorder_takes_nothing(tmp_path: Path) -> None:
    for recorder in (MemoryRecorder(), ParquetRecorder(tmp_path, "x", 0)):
        recorder.close()
        recorder.close()
        with pytest.raises(ValueError, match="closed"):
            bus_rows(recorder, 0)


def test_a_federate_that_cannot_name_a_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot name a file"):
        ParquetRecorder(tmp_path, "../x", 0)


def test_columns_are_copied_when_they_are_recorded() -> None:
    recorder = MemoryRecorder()
    values = np.array([1.0])
    recorder.add(INTERFACE, 0, ["a"], values, values, values, values)
    values[0] = 7.0
    assert recorder.column(INTERFACE, "p_mw").tolist() == [1.0]


def test_a_list_of_ids_may_change_between_batches() -> None:
    recorder, ids = MemoryRecorder(), ["a", "b"]
    recorder.add(INTERFACE, 0, ids, *([1.0, 2.0],) * 4)
    ids.reverse()
    recorder.add(INTERFACE, 1, ids, *([1.0, 2.0],) * 4)
    assert recorder.ids(INTERFACE) == ("a", "b", "b", "a")


@pytest.mark.parametrize("name", list(TABLES))
def test_every_table_comes_back_as_it_was_recorded(tmp_path: Path, name: str) -> None:
    table = TABLES[name]
    rng = np.random.default_rng(3)
    values = rng.normal(size=(len(table.columns), 3))
    recorder = ParquetRecorder(tmp_path, "f", 0)
    recorder.add(table, -60, ("c", "a", "b"), *values, text=("x", "y", "z") if table.text else None)
    recorder.close()
    found = load(tmp_path, name)
    assert found["t_s"].to_pylist() == [-60] * 3
    assert found["id"].to_pylist() == ["a", "b", "c"]
    for k, column in enumerate(table.columns):
        assert found[column.name].to_pylist() == values[k, [1, 2, 0]].tolist()
