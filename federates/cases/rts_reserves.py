"""Reserve requirements of RTS-GMLC over a window of study time.

What the files hold, and what is done here:

- Regulation up and down and spin of three regions come hourly (day-ahead) and every five minutes (real-time);
  flexible ramping up comes hourly only: its hourly value holds in real time.
- Regulation and flexible ramping are wide files, one row a day and one column a period; spin is long.
- The total is spin of all regions plus flexible ramping up. Response times are in no file of the package.
"""

from __future__ import annotations

import csv
from datetime import date, timedelta

import numpy as np

from federates.cases.rts_files import series_path
from federates.cases.rts_series import Resolution, Window
from federates.core.arrays import FloatArray
from federates.core.errors import MissingInputError
from federates.core.time import Clock

REGIONS = (1, 2, 3)
NAMES = ("reg_up", "reg_down", *(f"spin_R{k}" for k in REGIONS), "total")
"""Requirements, in the order of the columns."""
_SPIN = "Reserves/{}_regional_Spin_Up_R%d.csv"


def read_rts_reserves(clock: Clock, resolution: Resolution, begin_s: int, end_s: int) -> FloatArray:
    """Requirements of every hour or five minutes that overlaps the window, shape (times, requirements). [MW]

    Raises
    ------
    MissingInputError
        If the window leaves the year of the data, or a file is missing or broken.
    ConfigError
        If the window is empty.
    """
    window = Window(clock=clock, resolution=resolution, begin_s=begin_s, end_s=end_s)
    prefix = "DAY_AHEAD" if resolution == "day_ahead" else "REAL_TIME"
    spin = np.hstack([window.rows(_SPIN % region)[1] for region in REGIONS])
    flexible = np.repeat(_wide("DAY_AHEAD", "Flex_Up", window, 24), window.per_day // 24)
    columns = [
        _wide(prefix, "Reg_Up", window, window.per_day),
        _wide(prefix, "Reg_Down", window, window.per_day),
        *spin.T,
        spin.sum(axis=1) + flexible,
    ]
    return np.stack(columns, axis=1)[window.inside]


def _wide(prefix: str, product: str, window: Window, per_day: int) -> FloatArray:
    """Values of a file with one row a day over the window's whole days, shape (days * per_day,). [MW]"""
    path = series_path(f"Reserves/{prefix}_regional_{product}.csv")
    first = window.clock.at(window.clock.midnight(window.first_day)).date()
    wanted = {first + timedelta(days=k): k for k in range(window.days)}
    values = np.full((window.days, per_day), np.nan)
    with path.open(newline="") as file:
        for row in list(csv.reader(file))[1:]:
            day = date(*(int(part) for part in row[:3]))
            if day in wanted and len(row) == 3 + per_day:
                values[wanted[day]] = [float(value) for value in row[3:]]
    if np.isnan(values).any():
        raise MissingInputError(f"{path} does not hold {per_day} values for every day from {first} on")
    return values.ravel()
