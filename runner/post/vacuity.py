"""Whether a run shows anything: the grids were stressed, and nobody knew the future."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from federates.coordination.catalog import MODELS
from federates.coordination.model import Tier
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.errors import MissingInputError
from runner.post.run_tables import RunTables

LEAST_FORECAST_ERROR_PCT = 0.01
LEAST_TWIN_ERROR_PCT = 0.1
LEAST_LINE_INTERVALS = 12
LEAST_FEEDER_MINUTES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """One condition of a run that is not vacuous."""

    meaning: str
    """What is measured."""
    value: float
    """What was found."""
    least: float
    """What there must be at least."""
    unit: str
    """Unit of both."""
    where: str
    """Element in which it was found; empty where it is about all."""

    @property
    def holds(self) -> bool:
        """Whether the condition holds."""
        return self.value >= self.least


def vacuity(run_dir: Path) -> dict[str, Condition]:
    """Conditions under which a run is not vacuous, by name.

    ``forecast``: the demand outside LDAs differs from what the ISO cleared for; ``twin``: LDAs differ from
    what their DSO's twin said; ``line``: one transmission line bound often enough; ``feeder``: one feeder's
    limit bound for long enough, in the DSO's program where the DSO dispatches, else in the plant.

    Raises
    ------
    MissingInputError
        If a table that is needed was not recorded.
    """
    tables = RunTables(run_dir)
    return {
        "forecast": _forecast(tables),
        "twin": _twin(tables, layered=_is_layered(tables)),
        "line": _line(tables),
        "feeder": feeder_stress(tables),
    }


def feeder_stress(tables: RunTables) -> Condition:
    """How long one feeder's limit bound in its DSO's program or, where no DSO dispatches, was exceeded.

    Raises
    ------
    MissingInputError
        If a table that is needed was not recorded.
    """
    return _bound_in_program(tables) if _is_layered(tables) else _exceeded_in_plant(tables)


def _is_layered(tables: RunTables) -> bool:
    """Whether the DSO dispatches."""
    return MODELS[tables.run.coordination].offers_to is Tier.DSO


def _forecast(tables: RunTables) -> Condition:
    actual = _by_interval(tables, "system", tables.column("system", "load_mw"))
    inside = _summed(tables, "interface", tables.column("interface", "p_mw"))
    cleared = _by_interval(
        tables, "clearing", tables.column("clearing", "demand_mw") - tables.column("clearing", "loss_mw")
    )
    awarded = _summed(tables, "award", tables.column("award", "award_mw"))
    common = sorted(actual.keys() & inside.keys() & cleared.keys() & awarded.keys())
    if not common:
        raise MissingInputError(f"{tables.run_dir}: no interval is in system, interface, clearing and award")
    outside = np.array([actual[t] - inside[t] for t in common])
    foreseen = np.array([cleared[t] - awarded[t] for t in common])
    return Condition(
        meaning="mean difference of the demand outside LDAs from its forecast",
        value=float(100.0 * np.abs(outside - foreseen).mean() / np.abs(outside).mean()),
        least=LEAST_FORECAST_ERROR_PCT,
        unit="%",
        where="",
    )


def _twin(tables: RunTables, *, layered: bool) -> Condition:
    """Difference of the metered interchange from what the DSO planned or, where it only foresees, bid."""
    table, column = ("dispatch", "planned_mw") if layered else ("award", "award_mw")
    said = tables.column(table, column)
    if layered:
        said = said * tables.multiplicities(table)
    planned = tables.interval_means(table, said)
    metered = tables.interval_means("head", tables.column("head", "p_mw"))
    common = sorted(planned.keys() & metered.keys())
    if not common:
        raise MissingInputError(f"{tables.run_dir}: no interval is in both {table} and head")
    difference = np.array([planned[key] - metered[key] for key in common])
    size = np.array([abs(metered[key]) for key in common])
    return Condition(
        meaning="mean difference of the metered interchange from the DSO's own estimate",
        value=float(100.0 * np.abs(difference).mean() / size.mean()),
        least=LEAST_TWIN_ERROR_PCT,
        unit="%",
        where="",
    )


def _line(tables: RunTables) -> Condition:
    meaning = "intervals in which one transmission line bound"
    if "line_price" not in tables.names and "clearing" in tables.names:
        where, intervals = "", 0
    else:
        priced = tables.column("line_price", "shadow_price_usd_per_mwh") > 0.0
        where, intervals = _longest(tables, "line_price", tables.interval("line_price"), priced)
    return Condition(
        meaning=meaning, value=float(intervals), least=LEAST_LINE_INTERVALS, unit="intervals", where=where
    )


def _bound_in_program(tables: RunTables) -> Condition:
    counts = [tables.column("binding", c) for c in ("voltage_count", "thermal_count", "head_count")]
    where, intervals = _longest(tables, "binding", tables.interval("binding"), np.sum(counts, axis=0) > 0)
    minutes = intervals * tables.run.clock.market_s / 60.0
    return _feeder_condition(
        "minutes in which a limit of one feeder bound in its DSO's program", minutes, where
    )


def _exceeded_in_plant(tables: RunTables) -> Condition:
    counts = [
        tables.column("feeder", c) for c in ("nodes_outside_a_count", "lines_over_count", "head_over_kva")
    ]
    where, steps = _longest(tables, "feeder", tables.t_s("feeder"), np.sum(counts, axis=0) > 0)
    minutes = steps * tables.run.clock.step_s / 60.0
    return _feeder_condition(
        "minutes in which a limit of one feeder was exceeded in the plant", minutes, where
    )


def _feeder_condition(meaning: str, minutes: float, where: str) -> Condition:
    return Condition(
        meaning=meaning, value=float(minutes), least=LEAST_FEEDER_MINUTES, unit="min", where=where
    )


def _longest(tables: RunTables, table: str, instants: IntArray, bound: BoolArray) -> tuple[str, int]:
    """Id that is bound at most instants, and at how many."""
    names, codes = tables.ids(table)
    if not bound.any():
        return "", 0
    pairs = np.unique(np.stack([codes[bound], instants[bound]]), axis=1)
    counts = np.bincount(pairs[0], minlength=len(names))
    most = int(counts.argmax())
    return names[most], int(counts[most])


def _by_interval(tables: RunTables, table: str, values: FloatArray) -> dict[int, float]:
    """Mean of the rows of each market interval."""
    intervals, place = np.unique(tables.interval(table), return_inverse=True)
    means = np.bincount(place, values) / np.bincount(place)
    return dict(zip(intervals.tolist(), means.tolist(), strict=True))


def _summed(tables: RunTables, table: str, values: FloatArray) -> dict[int, float]:
    """Interval means of each id, added up."""
    total: dict[int, float] = {}
    for (_, interval), value in tables.interval_means(table, values).items():
        total[interval] = total.get(interval, 0.0) + value
    return total
