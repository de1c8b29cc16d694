"""What a user's DERs could give over time, from a CSV or Parquet file.

The column ``time`` is local standard time (ISO 8601, no zone), ascending; every other column is a profile,
as a share of rated power. Between two instants a profile is a straight line; the last value holds for as
long as the one before it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from federates.core.arrays import FloatArray, IntArray
from federates.core.errors import ConfigError, MissingInputError

TIME = "time"


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiles:
    """Shares of rated power on an axis of time."""

    path: Path
    names: tuple[str, ...]
    """Columns, in the file's order."""
    t_s: IntArray
    """Seconds since a stated instant, shape (times,). [s]"""
    share: FloatArray
    """Shape (times, profiles)."""

    def at(self, t_s: IntArray) -> FloatArray:
        """Shares at some instants, shape (instants, profiles).

        Raises
        ------
        MissingInputError
            If the file does not reach that far.
        """
        first = int(self.t_s[0])
        last = int(self.t_s[-1] + (self.t_s[-1] - self.t_s[-2] if self.t_s.size > 1 else 0))
        if t_s.size and not first <= int(t_s.min()) <= int(t_s.max()) <= last:
            raise MissingInputError(
                f"{self.path}: profiles reach from {first} s to {last} s of the study, "
                f"{int(t_s.min())} s to {int(t_s.max())} s are asked for; lengthen the file"
            )
        return np.stack([np.interp(t_s, self.t_s, column) for column in self.share.T], axis=1)


def read_profiles(path: Path, zero: datetime) -> Profiles:
    """Profiles of a file (``.parquet``, or else CSV), on seconds since ``zero``.

    Raises
    ------
    MissingInputError
        If there is no such file.
    ConfigError
        If its columns, instants or values do not fit.
    """
    if not path.is_file():
        raise MissingInputError(f"{path} is missing")
    try:
        read = pyarrow.parquet.read_table if path.suffix == ".parquet" else pyarrow.csv.read_csv
        table: pa.Table = read(path)
        stamps = table.column(TIME).cast(pa.timestamp("s")).to_numpy()
        names = tuple(name for name in table.column_names if name != TIME)
        columns = [table.column(name).cast(pa.float64()).to_numpy() for name in names]
    except (KeyError, pa.ArrowException) as error:
        raise ConfigError(f"{path}: wants a column 'time' and columns of numbers: {error}") from error
    if not names or stamps.size < 1 or np.isnat(stamps).any():
        raise ConfigError(f"{path}: wants one instant at least in 'time', and one profile")
    t_s = (stamps - np.datetime64(zero, "s")).astype(np.int64)
    share = np.stack(columns, axis=1)
    if (np.diff(t_s) <= 0).any():
        row = int(np.argmax(np.diff(t_s) <= 0)) + 2
        raise ConfigError(f"{path}: row {row}: time must ascend")
    wrong = ~((share >= 0.0) & (share <= 1.0))
    if wrong.any():
        row, column = map(int, np.argwhere(wrong)[0])
        raise ConfigError(
            f"{path}: row {row + 1}, {names[column]}: {share[row, column]} is no share of rated power, 0 to 1"
        )
    return Profiles(path=path, names=names, t_s=t_s, share=share)
