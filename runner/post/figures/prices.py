"""Prices: LMP of every bus, prices at the LDAs, and lines that bind."""

from __future__ import annotations

import numpy as np

from runner.post.figures.drawing import Figure, JsonObject, Section, View
from runner.post.figures.grid import day_ahead_grid, hour_grid, line_grid
from runner.post.figures.series import by_id, greatest_rows, rows_by_id
from runner.post.figures.traces import CYCLE, heat, height, line
from runner.post.run_tables import RunTables

UNIT = "$/MWh"
PRICING_RUN = "fixed commitment"
"""Pricing run whose prices a run pays: each with the commitment of its schedule held."""
MOST_LINES = 25
_PARTS = (
    ("LMP", "lmp_usd_per_mwh", False),
    ("congestion part", "congestion_usd_per_mwh", True),
    ("loss part", "loss_usd_per_mwh", True),
)


def _lmp(tables: RunTables) -> tuple[View, ...]:
    views = []
    for name, column, signed in _PARTS:
        for market, table in (("real time", "lmp"), ("day-ahead", "da_lmp")):
            if table not in tables.names:
                continue
            grid = hour_grid(tables, table) if table == "lmp" else day_ahead_grid(tables, table)
            buses, prices = by_id(tables, table, column, grid, "mean")
            views.append(
                View(
                    name=f"{name}, {market}",
                    traces=(heat(tables, grid, buses, prices, UNIT, signed=signed),),
                    y_title="bus",
                    layout={**height(len(buses)), "yaxis": {"type": "category"}},
                )
            )
    return tuple(views)


def _at_ldas(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "award")
    ldas, now = by_id(tables, "award", "lmp_usd_per_mwh", grid, "mean")
    traces: list[JsonObject] = [
        line(tables, grid, lda, now[k], CYCLE[k % len(CYCLE)], steps=True) for k, lda in enumerate(ldas)
    ]
    if "da_interface" in tables.names:
        grid = line_grid(tables, "da_interface")
        before, then = by_id(tables, "da_interface", "lmp_usd_per_mwh", grid, "mean")
        traces += [
            line(
                tables, grid, f"{lda}, day-ahead", then[k], CYCLE[k % len(CYCLE)],
                steps=True, dash="dot", width=1.2,
            )
            for k, lda in enumerate(before)
        ]  # fmt: skip
    return (View(name="Price", traces=tuple(traces), y_title=f"LMP [{UNIT}]"),)


def _binding_lines(tables: RunTables) -> tuple[View, ...]:
    grid = hour_grid(tables, "line_price")
    branches, shadow = by_id(tables, "line_price", "shadow_price_usd_per_mwh", grid, "mean")
    if np.isnan(shadow).all():
        return ()
    intervals = np.where(np.isnan(shadow), np.nan, rows_by_id(tables, "line_price", grid))
    chosen = greatest_rows(branches, np.nan_to_num(shadow), MOST_LINES)
    rows = [branches[k] for k in chosen]
    layout = {**height(len(rows)), "yaxis": {"type": "category"}}
    return (
        View(
            name="Shadow price",
            traces=(heat(tables, grid, rows, shadow[chosen], UNIT, least=0.0),),
            y_title="branch",
            layout=layout,
        ),
        View(
            name="Intervals bound",
            traces=(heat(tables, grid, rows, intervals[chosen], "intervals", least=0.0),),
            y_title="branch",
            layout=layout,
        ),
    )


SECTION = Section(
    key="prices",
    title="Prices",
    figures=(
        Figure(
            key="lmp",
            title="Locational marginal price by bus",
            sees="Mean LMP of each transmission bus and hour, and the parts of it that congestion and losses"
            " make; energy is what remains. Colours end at the 1st and 99th percentile, so that one"
            " penalty price does not hide the rest."
            f" Pricing run with {PRICING_RUN}.",
            needs=("lmp",),
            also=("da_lmp",),
            draw=_lmp,
        ),
        Figure(
            key="lda-price",
            title="Price at the LDAs' buses",
            sees="Real-time LMP at the bus of each LDA (solid) and the day-ahead price of the same hour"
            f" (dotted); pricing run with {PRICING_RUN}.",
            needs=("award",),
            also=("da_interface",),
            draw=_at_ldas,
        ),
        Figure(
            key="binding-lines",
            title="Transmission lines that bind",
            sees=f"Mean shadow price of each line over the intervals of an hour in which the market ran it at"
            f" its rating; blank where it did not bind. At most {MOST_LINES} lines, those of the greatest"
            f" shadow price. Pricing run with {PRICING_RUN}.",
            needs=("line_price",),
            draw=_binding_lines,
        ),
    ),
)
