"""The same picture of every run, and of each run less the reference."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from runner.post.compare.comparison import Comparison, Contender
from runner.post.figures.drawing import View
from runner.post.figures.grid import Grid, line_grid, spread
from runner.post.figures.traces import CYCLE, bars, height, line
from runner.post.metrics.metric import KW_PER_MW, multiplied
from runner.post.metrics.net_load import net_load_mw
from runner.post.metrics.unwinding import NEEDS, Entry, ledger
from runner.post.run_tables import RunTables

Series = Mapping[str, FloatArray]
"""Values over time by what they are of, such as an LDA."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """One figure of a comparison."""

    key: str
    """Stable name, the anchor on the page."""
    title: str
    """Heading."""
    sees: str
    """What is seen and how it is computed."""
    needs: tuple[str, ...]
    """Tables without which there is nothing to show."""
    y_title: str
    """What the vertical axis shows, with its unit."""
    series: Callable[[RunTables, Grid], Series]
    """Values over time of one run."""
    steps: bool = False
    """Whether values hold for the whole of a cell."""

    def views(self, comparison: Comparison) -> tuple[View, ...]:
        """Every series with all runs in it, and the same less the reference."""
        grid = line_grid(comparison.reference.tables, self.needs[0])
        found = {c.code: self.series(c.tables, grid) for c in comparison.contenders}
        reference = comparison.reference
        views: list[View] = []
        for name, base in found[reference.code].items():
            views.append(self._view(name, comparison, grid, {code: own[name] for code, own in found.items()}))
            less = {code: own[name] - base for code, own in found.items() if code != reference.code}
            views.append(self._view(f"{name}, less {reference.code}", comparison, grid, less))
        return tuple(views)

    def _view(self, name: str, comparison: Comparison, grid: Grid, found: Series) -> View:
        colors = {c.code: CYCLE[k % len(CYCLE)] for k, c in enumerate(comparison.contenders)}
        traces = tuple(
            line(comparison.reference.tables, grid, code, y, colors[code], steps=self.steps)
            for code, y in found.items()
        )
        return View(name=name, traces=traces, y_title=self.y_title)


def ledger_views(comparison: Comparison) -> tuple[View, ...]:
    """Energy of each part of the unwinding ledger, by run; all LDAs, and each."""
    runs = [c for c in comparison.contenders if all(name in c.tables.names for name in NEEDS)]
    if not runs:
        return ()
    entries = {c.code: ledger(c.tables) for c in runs}
    ldas = sorted({entry.lda for own in entries.values() for entry in own})
    codes = [c.code for c in runs]
    return tuple(
        View(
            name=name,
            traces=tuple(
                bars(
                    part, codes, [_part_mwh(entries[code], part, chosen) for code in codes], CYCLE[k], "MWh"
                )
                for k, part in enumerate(("forecast", "override", "redispatch"))
            ),
            y_title="",
            x_title="change from day-ahead award to meters, either way [MWh]",
            layout={**height(3 * len(codes)), "yaxis": {"type": "category", "autorange": "reversed"}},
        )
        for name, chosen in (("all LDAs", ldas), *((lda, [lda]) for lda in ldas))
    )  # fmt: skip


def _part_mwh(entries: Sequence[Entry], part: str, ldas: Sequence[str]) -> float:
    return sum(entry.mwh for entry in entries if entry.part == part and entry.lda in ldas)


def _by_lda(table: str, column: str, how: str) -> Callable[[RunTables, Grid], Series]:
    """A column by LDA: one row an LDA and instant, or the least, greatest or sum of its feeders' rows."""

    def series(tables: RunTables, grid: Grid) -> Series:
        return _spread(tables, grid, table, tables.column(table, column), how)

    return series


def _spread(tables: RunTables, grid: Grid, table: str, values: FloatArray, how: str) -> Series:
    ldas, place = tables.owners(table)
    if how == "total":
        instants = np.unique(tables.t_s(table))
        there = spread(grid, instants, np.zeros(instants.size, np.int64), 1, np.ones(instants.size), "sum")
        found = spread(grid, tables.t_s(table), place, len(ldas), values, "sum") / there
    elif how == "least":
        found = spread(grid, tables.t_s(table), place, len(ldas), values, "min")
    elif how == "greatest":
        found = spread(grid, tables.t_s(table), place, len(ldas), values, "max")
    else:
        found = spread(grid, tables.t_s(table), place, len(ldas), values, "mean")
    return dict(zip(ldas, found, strict=True))


def _ders(tables: RunTables, grid: Grid) -> Series:
    return _spread(tables, grid, "der_type", multiplied(tables, "der_type", "p_kw") / KW_PER_MW, "total")


def _voltage(tables: RunTables, grid: Grid) -> Series:
    low = _by_lda("feeder", "v_min_pu", "least")(tables, grid)
    high = _by_lda("feeder", "v_max_pu", "greatest")(tables, grid)
    return {
        f"{lda}, {name}": values[lda]
        for lda in low
        for name, values in (("lowest", low), ("highest", high))
    }  # fmt: skip


def _net_load(tables: RunTables, grid: Grid) -> Series:
    values, instants = net_load_mw(tables), np.unique(tables.t_s("clearing"))
    return {"system": spread(grid, instants, np.zeros(values.size, np.int64), 1, values, "mean")[0]}


def _cost(tables: RunTables, grid: Grid) -> Series:
    cost = tables.column("clearing", "true_cost_usd_per_h") * tables.market_h
    sums = spread(grid, tables.t_s("clearing"), np.zeros(cost.size, np.int64), 1, cost, "sum")[0]
    return {"units": np.cumsum(np.nan_to_num(sums))}


FIGURES: tuple[Compared, ...] = (
    Compared(
        key="net-import", title="Net import of each LDA",
        sees="Power metered at the T-D interface, multiplicity included; positive is import.",
        needs=("head",), y_title="MW", series=_by_lda("head", "p_mw", "mean"),
    ),
    Compared(
        key="net-load", title="Net load of the system",
        sees="Withdrawals, LDAs included, and losses, less the wind and sun that the bulk grid could have: "
        "what curtailment takes does not fill the valley.",
        needs=("clearing", "system"), y_title="MW", series=_net_load, steps=True,
    ),
    Compared(
        key="ders", title="What the DERs of each LDA inject",
        sees="All kinds together, multiplicity included; negative where they draw.",
        needs=("der_type",), y_title="MW", series=_ders,
    ),
    Compared(
        key="head-excess", title="Power beyond the heads' limits",
        sees="Apparent power above import or export limits, all simulated feeders of an LDA together, in the "
        "plant.", needs=("feeder",), y_title="kVA", series=_by_lda("feeder", "head_over_kva", "total"),
    ),
    Compared(
        key="voltages", title="Lowest and highest voltage of a load node",
        sees="Over all simulated feeders of an LDA, in the plant. Range A is 0.95 to 1.05 pu.",
        needs=("feeder",), y_title="pu", series=_voltage,
    ),
    Compared(
        key="loading", title="Greatest loading of a feeder element",
        sees="Lines, regulators and transformers of all simulated feeders of an LDA, in the plant.",
        needs=("feeder",), y_title="%", series=_by_lda("feeder", "line_loading_max_pct", "greatest"),
    ),
    Compared(
        key="prices", title="Real-time LMP at each LDA's bus",
        sees="What the interchange settles at between awards and meters.",
        needs=("award",), y_title="$/MWh", series=_by_lda("award", "lmp_usd_per_mwh", "mean"), steps=True,
    ),
    Compared(
        key="cost", title="Cost of the units so far",
        sees="Running cost of the units as dispatched in real time, added up. It says nothing of what was "
        "broken: see the violations.", needs=("clearing",), y_title="$", series=_cost,
    ),
)  # fmt: skip
"""Figures in the order of the page."""


def contenders_without(comparison: Comparison, figure: Compared) -> tuple[Contender, ...]:
    """Runs that lack a table that a figure needs."""
    return tuple(
        c for c in comparison.contenders if any(name not in c.tables.names for name in figure.needs)
    )  # fmt: skip
