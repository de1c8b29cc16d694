"""Rows of the project's CSV files, which know where they stand, so that a fault names its cell."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.errors import ConfigError, MissingInputError

_NAME = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a table, which knows where it stands."""

    place: str
    """File and line."""
    cells: dict[str, str]
    """Text by column."""

    def fault(self, column: str, problem: str) -> ConfigError:
        """Error that names the cell."""
        return ConfigError(f"{self.place}: {column}: {problem}")

    def text(self, column: str) -> str:
        """Text of a cell, which must not be empty."""
        value = self.cells[column]
        if not value:
            raise self.fault(column, "is empty")
        return value

    def name(self, column: str) -> str:
        """Name: letters, digits, underscore and hyphen."""
        value = self.text(column)
        if not _NAME.fullmatch(value):
            raise self.fault(column, f"{value!r} may hold letters, digits, '_' and '-' only")
        return value

    def choice(self, column: str, *allowed: str) -> str:
        """One of several words."""
        value = self.text(column)
        if value not in allowed:
            raise self.fault(column, f"{value!r} is none of {', '.join(allowed)}")
        return value

    def number(self, column: str) -> float:
        """One finite number."""
        (value,) = self.numbers(column, 1)
        return value

    def positive(self, column: str) -> float:
        """One number above zero."""
        value = self.number(column)
        if value <= 0:
            raise self.fault(column, f"{value} must be above zero")
        return value

    def numbers(self, column: str, count: int) -> tuple[float, ...]:
        """Finite numbers, blank-separated, as many as are wanted."""
        words = self.text(column).split()
        if len(words) != count:
            raise self.fault(column, f"holds {len(words)} numbers where {count} are wanted")
        try:
            values = tuple(float(word) for word in words)
        except ValueError as error:
            raise self.fault(column, f"{self.cells[column]!r} is not a number") from error
        if not all(map(math.isfinite, values)):
            raise self.fault(column, "must be finite")
        return values

    def phases(self, column: str = "phases") -> tuple[int, ...]:
        """Distinct phases, written as digits."""
        value = self.text(column)
        if not set(value) <= set("123") or len(set(value)) < len(value):
            raise self.fault(column, f"{value!r} must be distinct digits of 1, 2, 3")
        return tuple(map(int, value))

    def triangle(self, column: str, size: int) -> FloatArray:
        """Symmetric matrix from its lower triangle, shape (size, size)."""
        values = self.numbers(column, size * (size + 1) // 2)
        matrix = np.zeros((size, size))
        matrix[np.tril_indices(size)] = values
        return matrix + np.tril(matrix, -1).T


def read_rows(path: Path, columns: str, optional: str = "") -> Iterator[Row]:
    """Rows of a CSV file whose first row names just these columns, blank-separated here, in this order.

    ``optional`` is one more column that the file may end with; where it does not, its cells are empty.

    Raises
    ------
    MissingInputError
        If there is no such file.
    ConfigError
        If its columns are others, or a row holds too few or too many cells.
    """
    wanted = columns.split()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise MissingInputError(f"{path} is missing") from error
    kept = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and line[0] != "#"]
    cells = list(csv.reader(line for _, line in kept))
    longer = [*wanted, optional] if optional else wanted
    if not cells or cells[0] not in (wanted, longer):
        may = f", and may end with ,{optional}" if optional else ""
        raise ConfigError(f"{path}: the first row must read {','.join(wanted)}{may}")
    for (number, _), values in zip(kept[1:], cells[1:], strict=True):
        if len(values) != len(cells[0]):
            raise ConfigError(f"{path}:{number}: holds {len(values)} cells where {len(cells[0])} are wanted")
        stripped = [value.strip() for value in values]
        yield Row(f"{path}:{number}", dict.fromkeys(longer, "") | dict(zip(cells[0], stripped, strict=True)))
