"""Feeders in the project's tabular form: a folder of CSV files.

==================  ====================================================================================
``feeder.csv``      ``name, head_bus, kv, source``; one row
``configs.csv``     ``name, phases, ampacity_a, r_ohm_per_mile, x_ohm_per_mile, b_us_per_mile``; matrices
                    as lower triangles, row by row, blank-separated, in the order of ``phases``
``lines.csv``       ``name, bus1, bus2, config, length_ft, ampacity_a``; empty ampacity: the configuration's
``transformers.csv``, ``regulators.csv``, ``capacitors.csv``, ``loads.csv``
                    columns as the fields of :mod:`federates.distribution.model`
==================  ====================================================================================

Phases are written as digits (``123``), series of numbers blank-separated. A missing file of the second group
is an empty table. A line that starts with ``#`` is a comment.
"""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np

from federates.core.arrays import FloatArray
from federates.core.errors import ConfigError, MissingInputError
from federates.distribution.model import Capacitor, Feeder, Line, LineConfig, Load, Regulator, Transformer
from federates.distribution.topology import CENTRE_TAPPED, bus_levels

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of a table, which knows where it stands."""

    place: str
    cells: dict[str, str]

    def fault(self, column: str, problem: str) -> ConfigError:
        return ConfigError(f"{self.place}: {column}: {problem}")

    def text(self, column: str) -> str:
        value = self.cells[column]
        if not value:
            raise self.fault(column, "is empty")
        return value

    def name(self, column: str) -> str:
        value = self.text(column)
        if not _NAME.fullmatch(value):
            raise self.fault(column, f"{value!r} may hold letters, digits, '_' and '-' only")
        return value

    def choice(self, column: str, *allowed: str) -> str:
        value = self.text(column)
        if value not in allowed:
            raise self.fault(column, f"{value!r} is none of {', '.join(allowed)}")
        return value

    def number(self, column: str) -> float:
        (value,) = self.numbers(column, 1)
        return value

    def positive(self, column: str) -> float:
        value = self.number(column)
        if value <= 0:
            raise self.fault(column, f"{value} must be above zero")
        return value

    def numbers(self, column: str, count: int) -> tuple[float, ...]:
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
        value = self.text(column)
        if not set(value) <= set("123") or len(set(value)) < len(value):
            raise self.fault(column, f"{value!r} must be distinct digits of 1, 2, 3")
        return tuple(map(int, value))

    def triangle(self, column: str, size: int) -> FloatArray:
        values = self.numbers(column, size * (size + 1) // 2)
        matrix = np.zeros((size, size))
        matrix[np.tril_indices(size)] = values
        return matrix + np.tril(matrix, -1).T


def read_feeder(folder: Path) -> Feeder:
    """Return the feeder that a folder holds, checked to be radial and complete.

    Raises
    ------
    MissingInputError
        If the folder or one of its obligatory files is missing.
    ConfigError
        If a cell does not fit, with file, line and column.
    """
    heads = list(_rows(folder / "feeder.csv", "name head_bus kv source"))
    if len(heads) != 1:
        raise ConfigError(f"{folder / 'feeder.csv'}: must hold one row, holds {len(heads)}")
    head = heads[0]
    feeder = Feeder(
        name=head.name("name"),
        head_bus=head.name("head_bus"),
        kv=head.positive("kv"),
        source=head.text("source"),
        configs=_table(folder, "configs", _CONFIG_COLUMNS, _config),
        lines=_table(folder, "lines", "name bus1 bus2 config length_ft ampacity_a", _line),
        transformers=_table(folder, "transformers", _TRANSFORMER_COLUMNS, _transformer, optional=True),
        regulators=_table(folder, "regulators", _REGULATOR_COLUMNS, _regulator, optional=True),
        capacitors=_table(folder, "capacitors", "name bus phases kv kvar", _capacitor, optional=True),
        loads=_table(folder, "loads", "name bus phases connection kv kw kvar model", _load),
    )
    bus_levels(feeder)
    return feeder


_CONFIG_COLUMNS = "name phases ampacity_a r_ohm_per_mile x_ohm_per_mile b_us_per_mile"
_TRANSFORMER_COLUMNS = "name bus1 bus2 phases kv1 kv2 kva r_pct x_pct connection1 connection2"
_REGULATOR_COLUMNS = (
    "name bus1 bus2 phases kv kva v_set_v bandwidth_v pt_ratio ct_primary_a ldc_r_v ldc_x_v delay_s ganged"
)


def _rows(path: Path, columns: str) -> Iterator[_Row]:
    wanted = columns.split()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError as error:
        raise MissingInputError(f"{path} is missing") from error
    kept = [(number, line) for number, line in enumerate(lines, start=1) if line.strip() and line[0] != "#"]
    cells = list(csv.reader(line for _, line in kept))
    if not cells or cells[0] != wanted:
        raise ConfigError(f"{path}: the first row must read {','.join(wanted)}")
    for (number, _), values in zip(kept[1:], cells[1:], strict=True):
        if len(values) != len(wanted):
            raise ConfigError(f"{path}:{number}: holds {len(values)} cells where {len(wanted)} are wanted")
        stripped = [value.strip() for value in values]
        yield _Row(f"{path}:{number}", dict(zip(wanted, stripped, strict=True)))


def _table(
    folder: Path, stem: str, columns: str, build: Callable[[_Row], _T], *, optional: bool = False
) -> tuple[_T, ...]:
    path = folder / f"{stem}.csv"
    if optional and not path.exists():
        return ()
    seen: dict[str, str] = {}
    items = []
    for row in _rows(path, columns):
        name = row.name("name").lower()
        if name in seen:
            raise row.fault("name", f"{name!r} stands already at {seen[name]}")
        seen[name] = row.place
        items.append(build(row))
    return tuple(items)


def _config(row: _Row) -> LineConfig:
    phases = row.phases()
    size = len(phases)
    return LineConfig(
        name=row.name("name"),
        phases=phases,
        ampacity_a=row.positive("ampacity_a"),
        z_ohm_per_mile=row.triangle("r_ohm_per_mile", size) + 1j * row.triangle("x_ohm_per_mile", size),
        b_us_per_mile=row.triangle("b_us_per_mile", size).astype(np.complex128),
    )


def _line(row: _Row) -> Line:
    return Line(
        name=row.name("name"),
        bus1=row.name("bus1"),
        bus2=row.name("bus2"),
        config=row.name("config"),
        length_ft=row.positive("length_ft"),
        ampacity_a=row.positive("ampacity_a") if row.cells["ampacity_a"] else None,
    )


def _transformer(row: _Row) -> Transformer:
    return Transformer(
        name=row.name("name"),
        bus1=row.name("bus1"),
        bus2=row.name("bus2"),
        phases=row.phases(),
        kv1=row.positive("kv1"),
        kv2=row.positive("kv2"),
        kva=row.positive("kva"),
        r_pct=row.number("r_pct"),
        x_pct=row.positive("x_pct"),
        connection1=row.choice("connection1", "wye", "delta"),
        connection2=row.choice("connection2", "wye", "delta", CENTRE_TAPPED),
    )


def _regulator(row: _Row) -> Regulator:
    phases = row.phases()
    ganged = row.choice("ganged", "yes", "no") == "yes"
    relays = 1 if ganged else len(phases)
    return Regulator(
        name=row.name("name"),
        bus1=row.name("bus1"),
        bus2=row.name("bus2"),
        phases=phases,
        kv=row.positive("kv"),
        kva=row.positive("kva"),
        v_set_v=row.numbers("v_set_v", relays),
        bandwidth_v=row.positive("bandwidth_v"),
        pt_ratio=row.positive("pt_ratio"),
        ct_primary_a=row.positive("ct_primary_a"),
        ldc_r_v=row.numbers("ldc_r_v", relays),
        ldc_x_v=row.numbers("ldc_x_v", relays),
        delay_s=row.positive("delay_s"),
        ganged=ganged,
    )


def _capacitor(row: _Row) -> Capacitor:
    return Capacitor(
        name=row.name("name"),
        bus=row.name("bus"),
        phases=row.phases(),
        kv=row.positive("kv"),
        kvar=row.positive("kvar"),
    )


def _load(row: _Row) -> Load:
    phases = row.phases()
    connection = row.choice("connection", "wye", "delta")
    if (connection == "delta") != (len(phases) == 2) and len(phases) < 3:
        raise row.fault("connection", "one phase is wye, two phases are delta")
    return Load(
        name=row.name("name"),
        bus=row.name("bus"),
        phases=phases,
        connection=connection,
        kv=row.positive("kv"),
        kw=row.number("kw"),
        kvar=row.number("kvar"),
        model=row.choice("model", "pq", "z", "i"),
    )
