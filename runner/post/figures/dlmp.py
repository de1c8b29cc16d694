"""Distribution prices: DLMPs of every feeder over time, and their parts."""

from __future__ import annotations

import numpy as np

from runner.post.figures.drawing import Figure, JsonObject, View
from runner.post.figures.grid import interval_grid, line_grid
from runner.post.figures.series import by_id, greatest, least
from runner.post.figures.traces import BLUE, INK, ORANGE, band, heat, height, in_order, line
from runner.post.run_tables import RunTables

UNIT = "$/MWh"
_PARTS = (
    ("voltage part", "voltage_usd_per_mwh"),
    ("thermal part", "thermal_usd_per_mwh"),
    ("loss part", "loss_usd_per_mwh"),
)
LEAST_USD_PER_MWH = 1e-6
"""A part that is smaller than this everywhere is said to be none."""


def _maps(tables: RunTables) -> tuple[View, ...]:
    grid = interval_grid(tables, len(tables.ids("dlmp")[0]), "dlmp")
    feeders, price = by_id(tables, "dlmp", "dlmp_usd_per_mwh", grid, "mean")
    layout: JsonObject = {**height(len(feeders)), "yaxis": {"type": "category"}}
    views = [
        View(name="DLMP", traces=(heat(tables, grid, feeders, price, UNIT),), y_title="feeder", layout=layout)
    ]
    for name, column in _PARTS:
        part = by_id(tables, "dlmp", column, grid, "mean")[1]
        known = np.abs(part[np.isfinite(part)])
        label = name if known.size and known.max() > LEAST_USD_PER_MWH else f"{name} (none)"
        trace = heat(tables, grid, feeders, part, UNIT, signed=True)
        views.append(View(name=label, traces=(trace,), y_title="feeder", layout=layout))
    views += _ranges(tables)
    return tuple(sorted(views, key=lambda view: view.name.endswith("(none)")))


def _ranges(tables: RunTables) -> tuple[View, ...]:
    """By LDA: the interface's price, and the prices at its loads and DERs around it."""
    grid = line_grid(tables, "dlmp")
    feeders, energy = by_id(tables, "dlmp", "energy_usd_per_mwh", grid, "mean")
    mean = by_id(tables, "dlmp", "dlmp_usd_per_mwh", grid, "mean")[1]
    low = by_id(tables, "dlmp", "least_usd_per_mwh", grid, "min")[1]
    high = by_id(tables, "dlmp", "greatest_usd_per_mwh", grid, "max")[1]
    views = []
    for lda in in_order({feeder.split("/")[0] for feeder in feeders}):
        own = [k for k, feeder in enumerate(feeders) if feeder.split("/")[0] == lda]
        ends = least(low[own]), greatest(high[own])
        traces = (
            *band(tables, grid, "all loads and DERs", *ends, BLUE, steps=True),
            line(tables, grid, "mean of the feeders' loads", mean[own].mean(axis=0), BLUE, steps=True),
            line(tables, grid, "LMP at the interface", energy[own[0]], INK, steps=True, width=1.2),
            line(tables, grid, "zero", np.zeros(grid.count), ORANGE, width=0.6, hidden_name=True),
        )
        views.append(View(name=lda, traces=traces, y_title=f"price [{UNIT}]"))
    return tuple(views)


FIGURE = Figure(
    key="dlmp",
    title="Distribution prices (DLMP)",
    sees="What one more MW drawn at a feeder's loads costs at the DSO's dispatch, the mean by what they draw,"
    " and the parts that make it differ from the LMP at the interface: binding voltage limits, ratings and"
    " head limits, and marginal losses. By LDA: the range over all loads and DERs. From the duals of the"
    " DSO's programs. What is paid and charged at them is in table distribution_account.",
    needs=("dlmp",),
    draw=_maps,
)
