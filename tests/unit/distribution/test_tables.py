from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from federates.core.errors import ConfigError, MissingInputError
from federates.distribution.tables import read_feeder

FEEDERS = Path(__file__).parents[3] / "configs" / "feeders"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FEEDERS / "ieee13", tmp_path / "feeder"))


def _edit(file: Path, old: str, new: str) -> int:
    """Replace text once and return the number of its line."""
    text = file.read_text()
    assert text.count(old) == 1
    file.write_text(text.replace(old, new))
    return text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("name", "loads", "kw", "kvar", "length_ft"),
    [("ieee13", 18, 3466.0, 2102.0, 8200 + 10), ("ieee123", 91, 3490.0, 1920.0, None)],
)
def test_totals_equal_the_published_ones(
    name: str, loads: int, kw: float, kvar: float, length_ft: float | None
) -> None:
    feeder = read_feeder(FEEDERS / name)
    assert len(feeder.loads) == loads
    assert sum(load.kw for load in feeder.loads) == pytest.approx(kw, abs=1e-3)
    assert sum(load.kvar for load in feeder.loads) == pytest.approx(kvar, abs=1e-3)
    if length_ft is not None:
        assert sum(line.length_ft for line in feeder.lines) == length_ft


def test_matrices_are_symmetric_and_stand_by_phase() -> None:
    config = {c.name: c for c in read_feeder(FEEDERS / "ieee13").configs}["604"]
    assert config.phases == (1, 3)
    assert config.z_ohm_per_mile[0, 1] == config.z_ohm_per_mile[1, 0] == 0.2066 + 0.4591j


@pytest.mark.parametrize(
    ("file", "old", "new", "column"),
    [
        ("lines.csv", "632-645,632,645,603,500,", "632-645,632,645,603,5oo,", "length_ft"),
        ("lines.csv", "632-645,632,645,603,500,", "632-645,632,645,603,0,", "length_ft"),
        ("loads.csv", "645,645,2,wye", "645,645,4,wye", "phases"),
        ("loads.csv", "645,645,2,wye", "645,645,2,star", "connection"),
        ("loads.csv", "645,645,2,wye,2.4,170,125,pq", "645,645,2,wye,2.4,nan,125,pq", "kw"),
        ("loads.csv", "645,645,2,wye", "652,645,2,wye", "name"),
        ("capacitors.csv", "611,611,3,2.4,100", "611,6 11,3,2.4,100", "bus"),
    ],
)
def test_a_bad_cell_is_named_by_file_line_and_column(
    folder: Path, file: str, old: str, new: str, column: str
) -> None:
    line = _edit(folder / file, old, new)
    if column == "name":
        line += 2  # the second of two equal names is the one at fault
    with pytest.raises(ConfigError, match=rf"{file}:{line}: {column}"):
        read_feeder(folder)


def test_a_row_with_a_missing_cell_is_named(folder: Path) -> None:
    line = _edit(folder / "capacitors.csv", "611,611,3,2.4,100", "611,611,3,2.4")
    with pytest.raises(ConfigError, match=rf"capacitors.csv:{line}: holds 4 cells where 5"):
        read_feeder(folder)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("671-680,671,680,601", "671-680,671,632,601", "closes a loop"),
        ("671-680,671,680,601", "671-680,679,680,601", "not fed from head bus"),
        ("684-611,684,611,605", "684-611,684,611,603", "has only"),
        ("684-611,684,611,605", "684-611,684,611,699", "unknown configuration"),
    ],
)
def test_a_feeder_that_is_not_radial_and_complete_is_refused(
    folder: Path, old: str, new: str, message: str
) -> None:
    _edit(folder / "lines.csv", old, new)
    with pytest.raises(ConfigError, match=message):
        read_feeder(folder)


def test_a_load_at_an_unknown_bus_is_refused(folder: Path) -> None:
    _edit(folder / "loads.csv", "645,645,2,wye", "645,745,2,wye")
    with pytest.raises(ConfigError, match="unknown bus '745'"):
        read_feeder(folder)


def test_a_missing_obligatory_file_is_named(folder: Path) -> None:
    (folder / "loads.csv").unlink()
    with pytest.raises(MissingInputError, match=r"loads\.csv"):
        read_feeder(folder)


def test_a_missing_optional_file_is_an_empty_table(folder: Path) -> None:
    (folder / "capacitors.csv").unlink()
    assert read_feeder(folder).capacitors == ()
