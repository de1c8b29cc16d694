"""Prices: LMP of every bus, prices at the LDAs, and lines that bind."""

from __future__ import annotations

import numpy as np

from runner.post.figures.drawing import Figure, JsonObject, Section, View
from runner.post.figures.grid import Grid, day_ahead_grid, hour_grid, interval_grid, line_grid
from runner.post.figures.series import by_id, greatest_rows, rows_by_id
from runner.post.figures.traces import (
    BLUE,
    CYCLE,
    GREY,
    ORANGE,
    colour_ends,
    flags,
    heat,
    height,
    line,
)
from runner.post.run_tables import RunTables

UNIT = "$/MWh"
PRICING_RUN = "fixed commitment"
"""Pricing run whose prices a run pays: each with the commitment of its schedule held."""
RELAXED_RUN = "relaxed commitment"
"""Pricing run that lets units be on in part, so that start and no-load costs are in its prices."""
MOST_LINES = 25
_PARTS = (
    ("LMP", "lmp_usd_per_mwh", False),
    ("energy part", "energy_usd_per_mwh", False),
    ("congestion part", "congestion_usd_per_mwh", True),
    ("loss part", "loss_usd_per_mwh", True),
)
_MARKETS = (("day-ahead", "da_lmp", "da_clearing"), ("real time", "lmp", "clearing"))
_FLAGS = (("penalty set", "penalty_set"), ("losses held", "loss_held"))
"""Flags of a clearing, and their words above a map of prices."""


def _lmp(tables: RunTables) -> tuple[View, ...]:
    markets = [market for market in _MARKETS if market[1] in tables.names]
    grids = [_price_grid(tables, table) for _, table, _ in markets]
    raised = [
        _raised(tables, clearing, grid, pane)
        for pane, ((_, _, clearing), grid) in enumerate(zip(markets, grids, strict=True))
    ]
    views = []
    for name, column, signed in _PARTS:
        found = [
            by_id(tables, table, column, grid, "mean")
            for (_, table, _), grid in zip(markets, grids, strict=True)
        ]
        low, high = colour_ends(np.concatenate([z.ravel() for _, z in found]), signed=signed)
        traces: list[JsonObject] = []
        for pane, ((buses, z), grid) in enumerate(zip(found, grids, strict=True)):
            one = heat(tables, grid, buses, z, UNIT, signed=signed, least=low, greatest=high)
            traces += [{**one, "pane": pane, "showscale": pane == len(markets) - 1}, *raised[pane]]
        views.append(
            View(
                name=name,
                traces=tuple(traces),
                y_title="bus",
                layout={**height(max(len(buses) for buses, _ in found)), "yaxis": {"type": "category"}},
                panes=tuple(f"{market}, {PRICING_RUN}" for market, _, _ in markets),
            )
        )
    return tuple(views)


def _price_grid(tables: RunTables, table: str) -> Grid:
    if table == "da_lmp":
        return day_ahead_grid(tables, table)
    return interval_grid(tables, len(tables.ids(table)[0]), table)


def _raised(tables: RunTables, clearing: str, grid: Grid, pane: int) -> list[JsonObject]:
    """Marks of the flags that a clearing raised."""
    if clearing not in tables.names:
        return []
    rows = [(row, by_id(tables, clearing, column, grid, "max")[1][0]) for row, column in _FLAGS]
    return [{**flags(tables, grid, row, up), "pane": pane} for row, up in rows if np.nan_to_num(up).any()]


def _runs(tables: RunTables) -> tuple[View, ...]:
    grid = day_ahead_grid(tables, "da_lmp")
    runs = (
        (f"day-ahead, {PRICING_RUN}", "lmp_usd_per_mwh", BLUE),
        (f"day-ahead, {RELAXED_RUN}", "relaxed_usd_per_mwh", ORANGE),
    )
    prices = [by_id(tables, "da_lmp", column, grid, "mean")[1].mean(axis=0) for _, column, _ in runs]
    traces: list[JsonObject] = [
        line(tables, grid, name, price, color, steps=True)
        for (name, _, color), price in zip(runs, prices, strict=True)
    ]
    if "lmp" in tables.names:
        hours = hour_grid(tables, "lmp")
        now = by_id(tables, "lmp", "lmp_usd_per_mwh", hours, "mean")[1].mean(axis=0)
        name = f"real time, {PRICING_RUN}"
        traces.append(line(tables, hours, name, now, GREY, steps=True, dash="dot", width=1.4))
    more = line(tables, grid, "relaxed less fixed", prices[1] - prices[0], ORANGE, steps=True, fill="tozeroy")
    return (
        View(name="Mean of all buses", traces=tuple(traces), y_title=f"price [{UNIT}]"),
        View(name="Difference", traces=(more,), y_title=f"difference [{UNIT}]"),
    )


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
            sees="LMP of each transmission bus and interval, and the three parts that add up to it before"
            " caps: energy (the mean by load), congestion and losses; day-ahead beside real time in the same"
            " colours, which end at the 1st and 99th percentile. Diamonds above mark intervals in which a"
            " penalty may set prices (load, a rating or a reserve gave way, or energy had no taker), or in"
            " which losses were held because prices made wasting energy worth while."
            f" Pricing run with {PRICING_RUN}.",
            needs=("lmp",),
            also=("da_lmp", "clearing", "da_clearing"),
            draw=_lmp,
        ),
        Figure(
            key="pricing-runs",
            title="Two pricing runs",
            sees="Mean price of all buses by hour. With the commitment fixed, starts and no-load costs of"
            " units are in no price, and make-whole payments cover them; with the commitment relaxed between"
            f" off and on they are in the price. Prices of the run with {PRICING_RUN} are paid, day-ahead and"
            " in real time; those of the other run are for comparison.",
            needs=("da_lmp",),
            also=("lmp",),
            draw=_runs,
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
