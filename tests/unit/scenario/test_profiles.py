"""Profiles from CSV and Parquet: the same numbers, straight lines between them, and faults with their row."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow.csv
import pyarrow.parquet
import pytest

from federates.core.errors import ConfigError, MissingInputError
from federates.scenario.profiles import read_profiles

ZERO = datetime.fromisoformat("2020-03-27")
TEXT = """\
time,south,west
2020-03-27T06:00,0.0,0.0
2020-03-27T06:30,0.2,0.1
2020-03-27T07:00,0.6,0.15
"""


def written(folder: Path, text: str = TEXT) -> Path:
    path = folder / "sun.csv"
    path.write_text(text)
    return path


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_profile_is_a_straight_line_between_its_instants(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path)
    if suffix == "parquet":
        table = pyarrow.csv.read_csv(path)
        path = tmp_path / "sun.parquet"
        pyarrow.parquet.write_table(table, path)
    profiles = read_profiles(path, ZERO)
    assert profiles.names == ("south", "west")
    hour = 3_600
    found = profiles.at(np.array([6 * hour, 6 * hour + 900, 7 * hour, 7 * hour + 1_800]))
    np.testing.assert_allclose(found, [[0.0, 0.0], [0.1, 0.05], [0.6, 0.15], [0.6, 0.15]])


def test_what_a_file_does_not_reach_is_an_error(tmp_path: Path) -> None:
    profiles = read_profiles(written(tmp_path), ZERO)
    for t_s in (5 * 3_600, 7 * 3_600 + 1_801):
        with pytest.raises(MissingInputError, match=r"sun\.csv: profiles reach from 21600 s to 27000 s"):
            profiles.at(np.array([t_s]))
    with pytest.raises(MissingInputError, match="is missing"):
        read_profiles(tmp_path / "no.csv", ZERO)


@pytest.mark.parametrize(
    ("old", "new", "what"),
    [
        ("time,", "when,", "wants a column 'time'"),
        ("0.2,0.1", "0.2,much", "columns of numbers"),
        ("06:30,0.2", "06:30,1.2", "row 2, south: 1.2 is no share of rated power"),
        ("06:30,0.2", "06:30,", "row 2, south: nan is no share"),
        ("T07:00", "T06:30", "row 3: time must ascend"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, old: str, new: str, what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        read_profiles(written(tmp_path, TEXT.replace(old, new)), ZERO)
