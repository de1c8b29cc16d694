"""Reserves: what is required, held and short, its prices, and who holds it."""

from __future__ import annotations

from federates.core.arrays import FloatArray
from runner.post.figures.bulk import unit_stack
from runner.post.figures.drawing import Figure, JsonObject, Section, View
from runner.post.figures.grid import Grid, day_ahead_grid, interval_grid, line_grid
from runner.post.figures.prices import PRICING_RUN
from runner.post.figures.series import by_id
from runner.post.figures.traces import (
    BLUE,
    CYCLE,
    GREY,
    INK,
    ORANGE,
    SKY,
    VERMILLION,
    heat,
    height,
    line,
)
from runner.post.run_tables import RunTables

UNIT = "$/MW/h"
FROM_ZERO: JsonObject = {"yaxis": {"rangemode": "tozero"}}
FASTEST_FIRST = ("reg_up", "reg_down", "spin", "supplemental", "total")
"""How names of requirements and products begin, in their order."""
_MARKETS = (("day-ahead", "da_"), ("real time", ""))
_PRODUCTS = {
    "regulation up": "reg_up_mw",
    "regulation down": "reg_down_mw",
    "spinning reserve": "spin_mw",
    "supplemental reserve": "supplemental_mw",
}


def _markets(tables: RunTables, table: str) -> list[tuple[str, str]]:
    """Words and table of each market that recorded one."""
    return [(words, prefix + table) for words, prefix in _MARKETS if prefix + table in tables.names]


def _grid(tables: RunTables, table: str) -> Grid:
    return day_ahead_grid(tables, table) if table.startswith("da_") else line_grid(tables, table)


def _held(tables: RunTables) -> tuple[View, ...]:
    traces: dict[str, list[JsonObject]] = {}
    for market, table in _markets(tables, "reserve"):
        ahead = table.startswith("da_")
        dash, grid = "dot" if ahead else "solid", _grid(tables, table)
        shown = (
            ("held", "held_mw", SKY if ahead else BLUE, 3.5, None),
            ("required", "required_mw", GREY if ahead else INK, 1.4, None),
            ("short", "short_mw", ORANGE if ahead else VERMILLION, 1.4, "tozeroy"),
        )
        for words, column, color, width, fill in shown:
            names, values = _in_order(*by_id(tables, table, column, grid, "mean"))
            for name, mw in zip(names, values, strict=True):
                one = line(
                    tables, grid, f"{words}, {market}", mw, color,
                    width=width, steps=True, dash=dash, fill=fill,
                )  # fmt: skip
                traces.setdefault(name, []).append(one)
    return tuple(
        View(name=name, traces=tuple(lines), y_title="reserve [MW]", layout=FROM_ZERO)
        for name, lines in traces.items()
    )


def _in_order(names: list[str], values: FloatArray) -> tuple[list[str], FloatArray]:
    """Requirements or products from the fastest to the slowest."""
    order = sorted(range(len(names)), key=lambda k: (_rank(names[k]), k))
    return [names[k] for k in order], values[order]


def _rank(name: str) -> int:
    return next((k for k, begin in enumerate(FASTEST_FIRST) if name.startswith(begin)), len(FASTEST_FIRST))


def _prices(tables: RunTables) -> tuple[View, ...]:
    views = []
    for market, table in _markets(tables, "reserve"):
        grid = _grid(tables, table)
        names, prices = _in_order(*by_id(tables, table, "price_usd_per_mw_h", grid, "mean"))
        lines = (
            line(tables, grid, name, prices[k], CYCLE[k % len(CYCLE)], steps=True)
            for k, name in enumerate(names)
        )
        views.append(
            View(
                name=f"Requirements, {market}",
                traces=tuple(lines),
                y_title=f"price [{UNIT}]",
                layout=FROM_ZERO,
            )
        )
    for market, table in _markets(tables, "reserve_price"):
        count = len(tables.ids(table)[0])
        grid = _grid(tables, table) if table.startswith("da_") else interval_grid(tables, count, table)
        names, prices = _in_order(*by_id(tables, table, "price_usd_per_mw_h", grid, "mean"))
        names, prices = names[::-1], prices[::-1]  # a heat map's first row is its lowest
        views.append(
            View(
                name=f"Products, {market}",
                traces=(heat(tables, grid, names, prices, UNIT, least=0.0),),
                y_title="product/region",
                layout={**height(len(names)), "yaxis": {"type": "category"}},
            )
        )
    return tuple(views)


def _providers(tables: RunTables) -> tuple[View, ...]:
    views = []
    for market, table in (("real time", "unit_award"), ("day-ahead", "da_unit")):
        if table not in tables.names:
            continue
        for product, column in _PRODUCTS.items():
            traces = unit_stack(tables, table, column, _grid(tables, table))
            if traces:
                name = f"{product}, {market}"
                views.append(
                    View(
                        name=name,
                        traces=tuple(traces),
                        y_title=f"{product} [MW]",
                        layout={"showlegend": True},
                    )
                )
    return tuple(views)


def _of_dsos(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "lda_reserve")
    names, spin = by_id(tables, "lda_reserve", "spin_mw", grid, "mean")
    up, down = (by_id(tables, "lda_reserve", f"{way}_mw", grid, "mean")[1] for way in ("reg_up", "reg_down"))
    lines: dict[str, list[JsonObject]] = {
        name: [
            line(tables, grid, "sold: less import", spin[k] + up[k], BLUE, steps=True),
            line(tables, grid, "sold: more import", -down[k], SKY, steps=True),
        ]
        for k, name in enumerate(names)
    }
    if "deployment" in tables.names:
        fine = line_grid(tables, "deployment")
        names, spin = by_id(tables, "deployment", "spin_mw", fine, "mean")
        _, regulation = by_id(tables, "deployment", "regulation_mw", fine, "mean")
        _, delivered = by_id(tables, "deployment", "delivered_mw", fine, "mean")
        for k, name in enumerate(names):
            lines.setdefault(name, []).extend(
                (
                    line(tables, fine, "asked for", spin[k] + regulation[k], INK, steps=True),
                    line(tables, fine, "delivered", delivered[k], ORANGE, steps=True),
                )
            )
    return tuple(
        View(name=name, traces=tuple(traces), y_title="less import than awarded [MW]", layout={})
        for name, traces in lines.items()
    )


def _capacity(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "capacity_interval")
    drawn: dict[str, list[JsonObject]] = {}
    for column, words, color, width in (
        ("baseline_mw", "baseline, as bid", GREY, 1.4),
        ("award_mw", "baseline less award", SKY, 1.4),
        ("called_mw", "baseline less what is called", INK, 1.4),
        ("import_mw", "metered", ORANGE, 3.0),
    ):
        names, values = by_id(tables, "capacity_interval", column, grid, "mean")
        _, baseline = by_id(tables, "capacity_interval", "baseline_mw", grid, "mean")
        below = column in {"award_mw", "called_mw"}
        for k, name in enumerate(names):
            shown = baseline[k] - values[k] if below else values[k]
            one = line(tables, grid, words, shown, color, width=width, steps=True)
            drawn.setdefault(name, []).append(one)
    return tuple(
        View(name=name, traces=tuple(traces), y_title="net import [MW]", layout={})
        for name, traces in drawn.items()
    )


SECTION = Section(
    key="reserves",
    title="Reserves",
    figures=(
        Figure(
            key="reserves-held",
            title="Required, held, short",
            sees="Each requirement with the awards that count for it; those of a faster product count for the"
            " slower one's requirement too: regulation up for spin, both and supplemental reserve for the"
            " total. What is short is paid at a penalty that rises by steps. Real time solid, day-ahead"
            " dotted.",
            needs=("reserve",),
            also=("da_reserve",),
            draw=_held,
        ),
        Figure(
            key="reserve-prices",
            title="Prices of reserves",
            sees="Worth of one MW less of a requirement for an hour, and what a product earns in a region:"
            " the sum over the requirements that it serves there, so that regulation up is never cheaper"
            " than spin, nor spin than supplemental reserve. Zero where there is more than enough at no cost."
            f" Pricing run with {PRICING_RUN}.",
            needs=("reserve",),
            also=("da_reserve", "reserve_price", "da_reserve_price"),
            draw=_prices,
        ),
        Figure(
            key="reserve-providers",
            title="Who holds reserves",
            sees="Awards of units by product, stacked by kind where the units' names tell it.",
            needs=("reserve", "unit_award"),
            also=("da_unit",),
            draw=_providers,
        ),
        Figure(
            key="reserve-of-dsos",
            title="Reserve of DSOs: sold, asked for, delivered",
            sees="What a DSO has sold in real time of regulation and spin, what the ISO's signal asks of it,"
            " and how far its interchange is from the award at the end of each minute. What it delivers"
            " without being asked is its imbalance.",
            needs=("lda_reserve",),
            also=("deployment",),
            draw=_of_dsos,
        ),
        Figure(
            key="capacity-of-dsos",
            title="Capacity of DSOs: committed, called, metered",
            sees="Net import while capacity is committed: the baseline that the DSO has bid, how far below it"
            " the award and what is called of it lie, and the meters. A call is delivered where the meters"
            " are at or below it; without a call they may be anywhere.",
            needs=("capacity_interval",),
            draw=_capacity,
        ),
    ),
)
