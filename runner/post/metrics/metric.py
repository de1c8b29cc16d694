"""A metric of one run, and what it came to."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from federates.core.arrays import FloatArray
from runner.post.run_tables import RunTables

Better = Literal["less", "more", "neither"]
KW_PER_MW = 1_000.0
MIN_PER_H = 60.0
HOUR_S = 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """One figure of a run; its unit ends its key."""

    key: str
    """Stable name, with the unit."""
    meaning: str
    """Definition, in one line."""
    needs: tuple[str, ...]
    """Tables that it is taken from; without them it has no value."""
    value: Callable[[RunTables], float]
    """How it is computed."""
    better: Better = "neither"
    """Whether less or more of it is better, all else equal."""
    title: str = ""
    """Words for it in a table of key figures; empty: it is not one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Metrics of one theme."""

    key: str
    """Stable name."""
    title: str
    """Heading."""
    metrics: tuple[Metric, ...]
    """In their order."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What a metric came to in one run."""

    value: float | None
    """Figure in the unit that ends the metric's key; None where there is none."""
    why_not: str = ""
    """Why there is no figure."""


def measured(tables: RunTables, metrics: Iterable[Metric]) -> dict[str, Measured]:
    """Every metric of a run by key; what was not recorded has a reason in place of a figure."""
    return {metric.key: _measured(tables, metric) for metric in metrics}


def lacking(tables: RunTables, needs: Iterable[str]) -> Measured | None:
    """No figure, for want of tables that were not recorded; None: all of them are there."""
    missing = [name for name in needs if name not in tables.names]
    return Measured(value=None, why_not=f"no table {', '.join(missing)}") if missing else None


def _measured(tables: RunTables, metric: Metric) -> Measured:
    if none := lacking(tables, metric.needs):
        return none
    value = float(metric.value(tables))
    if not np.isfinite(value):
        return Measured(value=None, why_not="nothing of the kind in the tables")
    return Measured(value=value)


def step_integral(tables: RunTables, values: FloatArray) -> float:
    """Sum of values of physical steps times their length: an energy in MWh where they are in MW."""
    return float(values.sum() * tables.step_h)


def market_integral(tables: RunTables, table: str, column: str) -> float:
    """Sum of a column of market intervals times their length: an energy in MWh where it is in MW."""
    return float(tables.column(table, column).sum() * tables.market_h)


def multiplied(tables: RunTables, table: str, column: str) -> FloatArray:
    """A column of an area's simulated set, times the number of such sets at the interface."""
    values: FloatArray = tables.column(table, column) * tables.multiplicities(table)
    return values


def of_kind(tables: RunTables, table: str, kind: str) -> FloatArray:
    """1 for rows ``LDA/feeder/kind`` of one kind of DER, else 0, shape (rows,)."""
    kinds, place = tables.owners(table, 2)
    return (place == kinds.index(kind)).astype(np.float64) if kind in kinds else np.zeros(place.size)
