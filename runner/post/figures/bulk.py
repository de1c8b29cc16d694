"""The bulk grid: who generates, the imbalance, loadings and voltages in AC."""

from __future__ import annotations

import re

import numpy as np

from federates.core.arrays import IntArray
from runner.post.figures.drawing import Figure, JsonObject, Section, View
from runner.post.figures.grid import Grid, day_ahead_grid, hour_grid, line_grid, spread
from runner.post.figures.series import by_id, greatest, greatest_rows, least, median, totals
from runner.post.figures.traces import (
    BLUE,
    CYCLE,
    GREEN,
    GREY,
    INK,
    ORANGE,
    PURPLE,
    SKY,
    VERMILLION,
    YELLOW,
    area,
    band,
    heat,
    height,
    line,
)
from runner.post.run_tables import RunTables

MOST_UNITS = 9
MOST_BRANCHES = 25
FULL_PCT = 100.0
NOTHING_MW = 1e-6
"""Layers that never give more are left out: a solver's own tolerance. [MW]"""
_KINDS = {
    "NUCLEAR": PURPLE,
    "HYDRO": BLUE,
    "STEAM": INK,
    "CC": VERMILLION,
    "CT": ORANGE,
    "CSP": "#7a5c00",
    "WIND": GREEN,
    "PV": YELLOW,
    "RTPV": "#d8c93c",
    "STORAGE": SKY,
    "SYNC_COND": GREY,
}
"""Kinds that RTS-GMLC writes into its units' names, from the bottom of the stack, and their colours."""
_OTHER = "other units"


def _groups(tables: RunTables, table: str, column: str) -> tuple[list[str], IntArray]:
    """Names of the stack's layers from the bottom, and the layer of each row of a table."""
    names, codes = tables.ids(table)
    kinds = [match[1] for name in names if (match := re.fullmatch(r"[^_]+_([A-Z][A-Z_]*)_\d+", name))]
    if len(kinds) == len(names):
        of_name = kinds
        layers = [*(kind for kind in _KINDS if kind in kinds), *sorted(set(kinds) - _KINDS.keys())]
    else:
        given = np.bincount(codes, np.abs(tables.column(table, column)), len(names))
        most = [names[k] for k in np.argsort(-given, kind="stable")[:MOST_UNITS]]
        of_name = [name if name in most else _OTHER for name in names]
        layers = [*most, _OTHER] if _OTHER in of_name else most
    place = np.array([layers.index(name) for name in of_name], np.int64)
    return layers, place[codes]


def unit_stack(tables: RunTables, table: str, column: str, grid: Grid) -> list[JsonObject]:
    """What units give, stacked by kind or by unit; kinds that give nothing are left out."""
    layers, codes = _groups(tables, table, column)
    given = totals(tables, table, tables.column(table, column), grid, codes, len(layers))
    colors = [_KINDS.get(layer, GREY if layer == _OTHER else CYCLE[k % len(CYCLE)]) for k, layer in
              enumerate(layers)]  # fmt: skip
    shown = np.nan_to_num(np.abs(given)).max(axis=1) > NOTHING_MW
    return [
        area(tables, grid, layer.replace("_", " "), given[k], colors[k])
        for k, layer in enumerate(layers)
        if shown[k]
    ]


def _dispatch(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "unit")
    traces = unit_stack(tables, "unit", "output_mw", grid)
    if "system" in tables.names:
        load = tables.column("system", "load_mw") + tables.column("system", "losses_mw")
        drawn = spread(grid, tables.t_s("system"), np.zeros(load.size, np.int64), 1, load, "mean")
        traces.append(line(tables, grid, "load and AC losses", drawn[0], INK, dash="dot"))
    views = [View(name="Real time", traces=tuple(traces), y_title="output [MW]")]
    if "da_unit" in tables.names:
        grid = day_ahead_grid(tables, "da_unit")
        traces = unit_stack(tables, "da_unit", "schedule_mw", grid)
        views.append(View(name="Day-ahead schedule", traces=tuple(traces), y_title="schedule [MW]"))
    return tuple(views)


def _imbalance(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "system")
    shared = by_id(tables, "system", "participation_mw", grid, "mean")[1][0]
    losses = by_id(tables, "system", "losses_mw", grid, "mean")[1][0]
    traces: list[JsonObject] = [line(tables, grid, "AC losses", losses, VERMILLION)]
    if "clearing" in tables.names:
        market = line_grid(tables, "clearing")
        cleared = by_id(tables, "clearing", "loss_mw", market, "mean")[1][0]
        traces.append(line(tables, market, "market, real time", cleared, ORANGE, steps=True))
    if "da_clearing" in tables.names:
        hours = day_ahead_grid(tables, "da_clearing")
        ahead = by_id(tables, "da_clearing", "loss_mw", hours, "mean")[1][0]
        traces.append(line(tables, hours, "market, day-ahead", ahead, BLUE, steps=True, dash="dot"))
    return (
        View(
            name="Imbalance",
            traces=(line(tables, grid, "imbalance shared by units", shared, BLUE, fill="tozeroy"),),
            y_title="power [MW]",
        ),
        View(name="Losses", traces=tuple(traces), y_title="losses [MW]"),
    )


def _stores(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "store")
    names, now = by_id(tables, "store", "energy_mwh", grid, "mean")
    hours, ahead = None, {}
    if "da_store" in tables.names:
        hours = day_ahead_grid(tables, "da_store")
        planned, begin = by_id(tables, "da_store", "energy_mwh", hours, "mean")
        ahead = dict(zip(planned, begin, strict=True))
    views = []
    for k in greatest_rows(names, np.nan_to_num(now), MOST_UNITS):
        traces = [line(tables, grid, "real time, metered", now[k], BLUE)]
        if hours is not None and names[k] in ahead:
            schedule = ahead[names[k]]
            traces.append(line(tables, hours, "day-ahead schedule", schedule, ORANGE, dash="dot"))
        views.append(View(name=names[k], traces=tuple(traces), y_title="energy in store [MWh]"))
    return tuple(views)


def _loading(tables: RunTables) -> tuple[View, ...]:
    grid = hour_grid(tables, "branch")
    branches, loading = by_id(tables, "branch", "loading_pct", grid, "max")
    chosen = greatest_rows(branches, np.nan_to_num(loading), MOST_BRANCHES)
    rows = [branches[k] for k in chosen]
    lines = line_grid(tables, "branch")
    _, fine = by_id(tables, "branch", "loading_pct", lines, "max")
    over = greatest(fine)
    full = line(tables, lines, "rating", np.full(lines.count, FULL_PCT), VERMILLION, dash="dash", width=1.2)
    return (
        View(
            name="Most loaded branches",
            traces=(heat(tables, grid, rows, loading[chosen], "%", least=0.0),),
            y_title="branch",
            layout={**height(len(rows)), "yaxis": {"type": "category"}},
        ),
        View(
            name="Greatest of all",
            traces=(line(tables, lines, "greatest loading", over, BLUE), full),
            y_title="loading [%]",
        ),
    )


def _voltages(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "bus")
    buses, v = by_id(tables, "bus", "v_pu", grid, "mean")
    low, high = by_id(tables, "bus", "v_pu", grid, "min")[1], by_id(tables, "bus", "v_pu", grid, "max")[1]
    traces = (
        *band(tables, grid, "all buses", least(low), greatest(high), BLUE),
        line(tables, grid, f"median of {len(buses)} buses", median(v), BLUE),
    )
    return (View(name="Voltage", traces=traces, y_title="voltage [pu]"),)


SECTION = Section(
    key="bulk",
    title="Bulk grid",
    figures=(
        Figure(
            key="dispatch",
            title="Who generates",
            sees="Output of the units, stacked. Units whose names tell their kind, as those of RTS-GMLC do,"
            f" are summed by kind; of others the {MOST_UNITS} that give most are shown, the rest is summed."
            " The dotted line is what the AC grid draws with its losses; it lies on the stack.",
            needs=("unit",),
            also=("system", "da_unit"),
            draw=_dispatch,
        ),
        Figure(
            key="imbalance",
            title="Imbalance and losses",
            sees="Demand and output that differ from what was cleared, taken up minute by minute by the"
            " committed units in proportion to their headroom; and AC losses beside those of the market's own"
            " flows, which know neither reactive power nor voltage.",
            needs=("system",),
            also=("clearing", "da_clearing"),
            draw=_imbalance,
        ),
        Figure(
            key="stores",
            title="Energy in stores",
            sees="Energy in each storage and solar-thermal unit at the beginning of an interval, by its"
            " meters, against its day-ahead schedule. Real time looks ahead and may leave the schedule where"
            " that pays; a MWh below it is valued at the dearest, a MWh above at the cheapest day-ahead price"
            " of the hours left.",
            needs=("store",),
            also=("da_store",),
            draw=_stores,
        ),
        Figure(
            key="branch-loading",
            title="Loading of transmission branches",
            sees="Greatest apparent power over rating of an hour, in the AC power flow and on the worse side."
            f" The {MOST_BRANCHES} branches with the greatest loading. The market limits active power in a"
            " linear grid, so that AC loading may pass 100 % a little.",
            needs=("branch",),
            draw=_loading,
        ),
        Figure(
            key="bus-voltage",
            title="Voltage of the bulk grid",
            sees="Range and median of the voltage magnitude of all transmission buses in the AC power flow.",
            needs=("bus",),
            draw=_voltages,
        ),
    ),
)
