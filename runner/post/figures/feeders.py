"""Below the interface: voltages, loadings, limits of the DSO's program, violations."""

from __future__ import annotations

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from runner.post.figures import dlmp
from runner.post.figures.drawing import Figure, JsonObject, Section, View
from runner.post.figures.grid import Grid, hour_grid, line_grid, spread
from runner.post.figures.series import by_id, greatest, least, median
from runner.post.figures.traces import (
    BLUE,
    CYCLE,
    ORANGE,
    VERMILLION,
    band,
    bars,
    heat,
    height,
    in_order,
    level,
    line,
)
from runner.post.run_tables import RunTables
from runner.post.summary import MIN_PER_H
from runner.post.violations.violation import RANGE_A_PU, RANGE_B_PU

RANGES_PU = (("A", *RANGE_A_PU, ORANGE), ("B", *RANGE_B_PU, VERMILLION))
"""Service voltage in normal operation and for a limited time, ANSI C84.1."""
MOST_FEEDERS = 40
MARGIN_PU = 0.017
FULL_PCT = 100.0
_LIMITS = (("Voltage", "voltage_count"), ("Thermal", "thermal_count"), ("Head", "head_count"))
_VIOLATIONS = (
    ("Outside range A", "nodes_outside_a_count", "node-minutes"),
    ("Outside range B", "nodes_outside_b_count", "node-minutes"),
    ("Lines above ampacity", "lines_over_count", "element-minutes"),
    ("Head above its limit", "head_over_kva", "minutes"),
)


def _voltage(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "feeder")
    feeders, low = by_id(tables, "feeder", "v_min_pu", grid, "min")
    high = by_id(tables, "feeder", "v_max_pu", grid, "max")[1]
    p05, middle, p95 = (
        by_id(tables, "feeder", column, grid, "mean")[1] for column in ("v_p05_pu", "v_median_pu", "v_p95_pu")
    )
    ldas = in_order({feeder.split("/")[0] for feeder in feeders})
    departure = greatest(np.maximum(1.0 - low, high - 1.0), axis=1)
    worst = np.argsort(-departure, kind="stable")[:MOST_FEEDERS].tolist()
    groups = [(lda, [k for k, f in enumerate(feeders) if f.split("/")[0] == lda]) for lda in ldas]
    groups += [(feeders[k], [k]) for k in sorted(worst)]
    views = []
    for name, own in groups:
        lowest, highest = least(low[own]), greatest(high[own])
        traces = (
            *band(tables, grid, "all nodes", lowest, highest, BLUE, opacity=0.15),
            *band(
                tables, grid, "5 to 95 % of nodes", least(p05[own]), greatest(p95[own]), BLUE, opacity=0.28
            ),
            line(tables, grid, "median", median(middle[own]), BLUE),
        )
        layout = _ansi_limits(float(np.nanmin(lowest)), float(np.nanmax(highest)))
        views.append(View(name=name, traces=traces, y_title="voltage [pu]", layout=layout))
    return tuple(views)


def _ansi_limits(least: float, greatest: float) -> JsonObject:
    """Both ranges of ANSI C84.1, and an axis on which they and the voltages have room."""
    (_, low_a, high_a, color_a), (_, low_b, high_b, color_b) = RANGES_PU
    marks = (
        level(low_a, "range A", color_a, above=True),
        level(high_a, "range A", color_a, above=False),
        level(low_b, "range B", color_b, above=False),
        level(high_b, "range B", color_b, above=True),
    )
    room = (min(low_b, least) - MARGIN_PU, max(high_b, greatest) + MARGIN_PU)
    return {
        "shapes": [shape for shape, _ in marks],
        "annotations": [note for _, note in marks],
        "yaxis": {"range": room},
    }


def _loading(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "feeder")
    ldas, codes = tables.owners("feeder")
    views = [_loading_view(tables, grid, "Feeder lines", "feeder", "line_loading_max_pct", ldas, codes)]
    if "head" in tables.names:
        grid = line_grid(tables, "head")
        ldas, codes = tables.owners("head")
        views.append(
            _loading_view(
                tables, grid, "Substation transformer", "head", "substation_loading_pct", ldas, codes
            )
        )
    return tuple(views)


def _loading_view(
    tables: RunTables, grid: Grid, name: str, table: str, column: str, ldas: tuple[str, ...], codes: IntArray
) -> View:
    t_s = tables.t_s(table)
    loading = spread(grid, t_s, codes, len(ldas), tables.column(table, column), "max")
    full = np.full(grid.count, FULL_PCT)
    own = (line(tables, grid, lda, loading[k], CYCLE[k % len(CYCLE)]) for k, lda in enumerate(ldas))
    rating = line(tables, grid, "rating", full, VERMILLION, dash="dash", width=1.2)
    return View(name=name, traces=(*own, rating), y_title="greatest loading [%]")


def _binding(tables: RunTables) -> tuple[View, ...]:
    grid = hour_grid(tables, "binding")
    views = []
    for name, column in _LIMITS:
        feeders, count = by_id(tables, "binding", column, grid, "mean")
        most = max(float(np.nanmax(count)), 1.0)
        shown = np.where(count > 0.0, count, np.nan)
        trace = heat(tables, grid, feeders, shown, "limits", least=0.0, greatest=most)
        layout: JsonObject = {**height(len(feeders)), "yaxis": {"type": "category"}}
        bound = float(np.nanmax(count)) > 0.0
        label = name if bound else f"{name} (none)"
        views.append(View(name=label, traces=(trace,), y_title="feeder", layout=layout))
    return tuple(sorted(views, key=lambda view: view.name.endswith("(none)")))


def _dispatch(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "dispatch")
    views = []
    for name, column, title in (
        ("Map error", "map_error_pu", "greatest error of the map [pu]"),
        ("Shortfall", "shortfall_mw", "award less set-points [MW]"),
        ("Relinearisations", "relinearisations", "passes"),
    ):
        ldas, values = by_id(tables, "dispatch", column, grid, "max")
        traces = tuple(line(tables, grid, lda, values[k], CYCLE[k % len(CYCLE)], steps=True) for k, lda in
                       enumerate(ldas))  # fmt: skip
        views.append(View(name=name, traces=traces, y_title=title))
    return tuple(views)


def _violations(tables: RunTables) -> tuple[View, ...]:
    names, codes = tables.ids("feeder")
    present = {names[k] for k in np.unique(codes)}
    order = in_order(present)
    views = []
    for title, column, unit in _VIOLATIONS:
        values = tables.column("feeder", column)
        counted: FloatArray = (values > 0).astype(np.float64) if column == "head_over_kva" else values
        sums = np.bincount(codes, counted, len(names)) * tables.step_h * MIN_PER_H
        by_name = {name: float(sums[k]) for k, name in enumerate(names)}
        rows = [name for name in reversed(order) if by_name[name] > 0.0]
        if rows:
            trace = bars(title, rows, [by_name[row] for row in rows], BLUE, unit)
            layout: JsonObject = {**height(len(rows)), "yaxis": {"type": "category"}}
            views.append(View(name=title, traces=(trace,), y_title="feeder", x_title=unit, layout=layout))
    return tuple(views)


SECTION = Section(
    key="feeders",
    title="Feeders",
    figures=(
        Figure(
            key="voltage",
            title="Voltage envelope",
            sees="Voltage of the nodes of all feeders of an LDA, or of one feeder: range, 5th to 95th"
            " percentile and median, unmultiplied. Dashed: ANSI C84.1 service ranges A (0.95-1.05 pu) and B"
            " (0.917-1.058 pu). Limits apply at load nodes on the primary, so the envelope of all nodes may"
            " leave a range without a violation."
            f" At most {MOST_FEEDERS} single feeders, those farthest from 1 pu.",
            needs=("feeder",),
            draw=_voltage,
        ),
        Figure(
            key="feeder-loading",
            title="Loading of feeder lines and substations",
            sees="Greatest line current over ampacity among the feeders of an LDA, and apparent power of its"
            " substation transformer over rating, in the plant.",
            needs=("feeder",),
            also=("head",),
            draw=_loading,
        ),
        Figure(
            key="binding",
            title="Limits that bind in the DSO's program",
            sees="Mean number of voltage, line and head limits that bind in a feeder's program at the award;"
            " blank where none does.",
            needs=("binding",),
            draw=_binding,
        ),
        dlmp.FIGURE,
        Figure(
            key="dso-dispatch",
            title="How the DSO met its award",
            sees="Greatest voltage error of the DSO's linear map against its own circuit model at the"
            " set-points, the part of the award that no set-points can meet, and how often the map was made"
            " anew.",
            needs=("dispatch",),
            draw=_dispatch,
        ),
        Figure(
            key="violations",
            title="Violations by feeder",
            sees="Load nodes outside the voltage ranges, lines above their ampacity and heads above their"
            " limits, each times the minutes that they were, in the plant and unmultiplied. Only feeders with"
            " a violation are listed.",
            needs=("feeder",),
            draw=_violations,
        ),
    ),
)
