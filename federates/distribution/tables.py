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

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from federates.core.errors import ConfigError
from federates.distribution.model import Capacitor, Feeder, Line, LineConfig, Load, Regulator, Transformer
from federates.distribution.rows import Row, read_rows
from federates.distribution.topology import CENTRE_TAPPED, bus_levels

_T = TypeVar("_T")


def read_feeder(folder: Path) -> Feeder:
    """Return the feeder that a folder holds, checked to be radial and complete.

    Raises
    ------
    MissingInputError
        If the folder or one of its obligatory files is missing.
    ConfigError
        If a cell does not fit, with file, line and column.
    """
    heads = list(read_rows(folder / "feeder.csv", "name head_bus kv source"))
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


def _table(
    folder: Path, stem: str, columns: str, build: Callable[[Row], _T], *, optional: bool = False
) -> tuple[_T, ...]:
    path = folder / f"{stem}.csv"
    if optional and not path.exists():
        return ()
    seen: dict[str, str] = {}
    items = []
    for row in read_rows(path, columns):
        name = row.name("name").lower()
        if name in seen:
            raise row.fault("name", f"{name!r} stands already at {seen[name]}")
        seen[name] = row.place
        items.append(build(row))
    return tuple(items)


def _config(row: Row) -> LineConfig:
    phases = row.phases()
    size = len(phases)
    return LineConfig(
        name=row.name("name"),
        phases=phases,
        ampacity_a=row.positive("ampacity_a"),
        z_ohm_per_mile=row.triangle("r_ohm_per_mile", size) + 1j * row.triangle("x_ohm_per_mile", size),
        b_us_per_mile=row.triangle("b_us_per_mile", size).astype(np.complex128),
    )


def _line(row: Row) -> Line:
    return Line(
        name=row.name("name"),
        bus1=row.name("bus1"),
        bus2=row.name("bus2"),
        config=row.name("config"),
        length_ft=row.positive("length_ft"),
        ampacity_a=row.positive("ampacity_a") if row.cells["ampacity_a"] else None,
    )


def _transformer(row: Row) -> Transformer:
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


def _regulator(row: Row) -> Regulator:
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


def _capacitor(row: Row) -> Capacitor:
    return Capacitor(
        name=row.name("name"),
        bus=row.name("bus"),
        phases=row.phases(),
        kv=row.positive("kv"),
        kvar=row.positive("kvar"),
    )


def _load(row: Row) -> Load:
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
