"""Reading whole days out of a long series file."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from federates.cases.rts_files import day_rows, series_path, source_rows
from federates.core.errors import MissingInputError

FIRST, DAYS, PER_DAY = date(2020, 2, 25), 12, 24


def series_file(folder: Path, *, newline: str = "\n", final: bool = True, quote: str = "") -> Path:
    """Twelve days over a leap day; the value is the hour since the first."""
    lines = [f"Year,Month,Day,Period,{quote}a{quote},{quote}b{quote}"]
    for hour in range(DAYS * PER_DAY):
        day = FIRST + timedelta(days=hour // PER_DAY)
        lines.append(f"{day.year},{day.month},{day.day},{hour % PER_DAY + 1},{hour},{-hour - 0.5}")
    path = folder / "series.csv"
    path.write_bytes((newline.join(lines) + (newline if final else "")).encode())
    return path


@pytest.mark.parametrize(
    ("newline", "final", "quote"), [("\n", True, ""), ("\r\n", True, '"'), ("\n", False, "")]
)
def test_every_run_of_days_is_found(tmp_path: Path, newline: str, final: bool, quote: str) -> None:
    path = series_file(tmp_path, newline=newline, final=final, quote=quote)
    for first in range(DAYS):
        for days in range(1, DAYS - first + 1):
            columns, values = day_rows(path, FIRST + timedelta(days=first), days, PER_DAY)
            assert columns == ["a", "b"]
            hours = np.arange(first * PER_DAY, (first + days) * PER_DAY)
            np.testing.assert_array_equal(values, np.column_stack((hours, -hours - 0.5)))


@pytest.mark.parametrize("first", [FIRST - timedelta(days=1), FIRST + timedelta(days=DAYS - 1)])
def test_days_that_the_file_lacks_are_named(tmp_path: Path, first: date) -> None:
    with pytest.raises(MissingInputError, match=rf"series\.csv does not hold 24 values a day for {first}"):
        day_rows(series_file(tmp_path), first, 2, PER_DAY)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("2020,2,27,5,", "2020,2,27,6,"),
        (",52,-52.5", ",52"),
        (",52,-52.5", ",nothing,-52.5"),
        ("2020,2,27,5,52,-52.5\n", ""),
    ],
    ids=["period twice", "value missing", "not a number", "line missing"],
)
def test_a_broken_day_is_refused(tmp_path: Path, old: str, new: str) -> None:
    path = series_file(tmp_path)
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(MissingInputError, match="does not hold 24 values a day for 2020-02-27"):
        day_rows(path, date(2020, 2, 27), 1, PER_DAY)
    assert day_rows(path, date(2020, 2, 28), 1, PER_DAY)[1][0, 0] == 72.0


def test_days_of_another_year_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MissingInputError, match="covers 2020 only"):
        day_rows(series_file(tmp_path), date(2021, 2, 27), 1, PER_DAY)


def test_missing_files_are_named() -> None:
    with pytest.raises(MissingInputError, match=r"nothing\.csv is missing"):
        series_path("PV/nothing.csv")
    with pytest.raises(MissingInputError, match=r"nothing\.csv is missing"):
        source_rows("nothing.csv")
