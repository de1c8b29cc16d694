"""The LDAs at their interfaces: load and net load, bid and award, storage, curtailment."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray
from runner.post.figures import bids
from runner.post.figures.drawing import Figure, JsonObject, Section, View
from runner.post.figures.grid import Grid, line_grid, spread
from runner.post.figures.series import by_id, totals
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
    band,
    faint,
    line,
)
from runner.post.run_tables import RunTables
from runner.post.summary import KW_PER_MW

ALL = "All LDAs"
_WORDS = {
    "battery": "batteries",
    "ev": "EVs",
    "hvac": "heat pumps and air conditioners",
    "water_heater": "water heaters",
    "process": "process loads",
}
"""Kinds that store, as people call them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fleet:
    """A column of ``der_type`` by LDA and kind, multiplicity included, in MW or MWh."""

    ldas: tuple[str, ...]
    kinds: tuple[str, ...]
    values: FloatArray
    """Shape (LDAs, kinds, cells)."""

    def of(self, kind: str) -> FloatArray:
        """Values of a kind, shape (LDAs, cells); zero where there is none."""
        if kind in self.kinds:
            return self.values[:, self.kinds.index(kind)]
        return np.zeros((len(self.ldas), self.values.shape[2]))


def _fleet(tables: RunTables, column: str, grid: Grid) -> _Fleet:
    ldas, area = tables.owners("der_type", 0)
    kinds, kind = tables.owners("der_type", 2)
    values = tables.column("der_type", column) * tables.multiplicities("der_type") / KW_PER_MW
    count = len(ldas) * len(kinds)
    sums = totals(tables, "der_type", values, grid, area * len(kinds) + kind, count)
    shape = (len(ldas), len(kinds), grid.count)
    return _Fleet(ldas=ldas, kinds=kinds, values=np.nan_to_num(sums).reshape(shape))


def _demand(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "head")
    ldas, net = by_id(tables, "head", "p_mw", grid, "mean")
    output, curtailed = _fleet(tables, "p_kw", grid), _fleet(tables, "curtailed_kw", grid)
    row = [output.ldas.index(lda) for lda in ldas if lda in output.ldas]
    if len(row) != len(ldas):
        return ()
    pv, storage, unused = output.of("pv")[row], output.of("battery")[row], curtailed.of("pv")[row]
    vehicles, generators = -output.of("ev")[row], output.of("generator")[row]
    views = []
    for name, chosen in [(ALL, list(range(len(ldas)))), *((lda, [k]) for k, lda in enumerate(ldas))]:
        own_net, own_pv, own_storage, own_unused, own_vehicles, own_generators = (
            values[chosen].sum(axis=0) for values in (net, pv, storage, unused, vehicles, generators)
        )
        load = own_net + own_pv + own_storage + own_generators
        traces = [
            line(tables, grid, "PV", own_pv, ORANGE, width=0.8, fill="tozeroy"),
            line(tables, grid, "storage, + discharge", own_storage, PURPLE, width=0.8, fill="tozeroy"),
            line(tables, grid, "load", load, GREY, dash="dash"),
            line(tables, grid, "net load", own_net, INK, width=2.4),
        ]
        if own_generators.any():
            traces.insert(2, line(tables, grid, "small generators", own_generators, BLUE))
        if own_vehicles.any():
            traces.insert(2, line(tables, grid, "EVs, + charging", own_vehicles, GREEN))
        if own_unused.max() > 0.0:
            available = own_pv + own_unused
            traces.insert(1, line(tables, grid, "PV available", available, ORANGE, dash="dot", width=1.2))
        views.append(View(name=name, traces=tuple(traces), y_title="power [MW]"))
    return tuple(views)


def _bid_range(tables: RunTables, grid: Grid, ldas: list[str]) -> tuple[FloatArray, FloatArray]:
    """Least and greatest net import of the real-time bids, each of shape (LDAs, cells). [MW]"""
    names, codes = tables.ids("bid")
    parts = [name.split("/") for name in names]
    opens = np.array([int(part[1]) for part in parts])[codes]
    owner = np.array([ldas.index(part[0]) if part[0] in ldas else -1 for part in parts], np.int64)[codes]
    owner[opens != tables.t_s("bid")] = -1
    ends = tables.column("bid", "import_mw")
    t_s = tables.t_s("bid")
    return (
        spread(grid, t_s, owner, len(ldas), ends, "min"),
        spread(grid, t_s, owner, len(ldas), ends, "max"),
    )


def _interchange(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "award")
    ldas, award = by_id(tables, "award", "award_mw", grid, "mean")
    fine = line_grid(tables, "head")
    metered_ldas, metered = by_id(tables, "head", "p_mw", fine, "mean")
    traces: dict[str, list[JsonObject]] = {lda: [] for lda in ldas}
    if "bid" in tables.names:
        low, high = _bid_range(tables, grid, ldas)
        for k, lda in enumerate(ldas):
            traces[lda] += band(tables, grid, "bid range", low[k], high[k], SKY, opacity=0.35, steps=True)
    if "da_interface" in tables.names:
        hours = line_grid(tables, "da_interface")
        before, schedule = by_id(tables, "da_interface", "award_mw", hours, "mean")
        for k, lda in enumerate(before):
            if lda in traces:
                traces[lda].append(
                    line(tables, hours, "day-ahead award", schedule[k], ORANGE, dash="dash", steps=True)
                )
    for k, lda in enumerate(ldas):
        traces[lda].append(line(tables, grid, "award", award[k], BLUE, steps=True, width=2.2))
        if lda in metered_ldas:
            own = metered[metered_ldas.index(lda)]
            traces[lda].append(line(tables, fine, "metered", own, VERMILLION, width=1.2))
    return tuple(
        View(name=lda, traces=tuple(traces[lda]), y_title="net import [MW]") for lda in ldas
    )  # fmt: skip


def _by_lda(tables: RunTables, grid: Grid, ldas: tuple[str, ...], y: FloatArray) -> tuple[JsonObject, ...]:
    return tuple(line(tables, grid, lda, y[k], CYCLE[k % len(CYCLE)]) for k, lda in enumerate(ldas))


def _storage(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "der_type")
    energy, power = _fleet(tables, "soc_kwh", grid), _fleet(tables, "p_kw", grid)
    views = []
    for kind in energy.kinds:
        if energy.of(kind).max() > 0.0:
            stored = _by_lda(tables, grid, energy.ldas, energy.of(kind))
            flow = _by_lda(tables, grid, power.ldas, power.of(kind))
            views += [
                View(name=f"{_WORDS.get(kind, kind)}: energy", traces=stored, y_title="energy [MWh]"),
                View(name=f"{_WORDS.get(kind, kind)}: power", traces=flow, y_title="injection [MW]"),
            ]
    return tuple(views)


def _unused(tables: RunTables) -> tuple[View, ...]:
    grid = line_grid(tables, "der_type")
    curtailed = _fleet(tables, "curtailed_kw", grid)
    words = {"pv": "PV curtailed", "flexible": "Flexible demand not taken"}
    return tuple(
        View(
            name=words.get(kind, kind),
            traces=tuple(
                {**trace, "fill": "tozeroy", "fillcolor": faint(CYCLE[k % len(CYCLE)], 0.12)}
                for k, trace in enumerate(_by_lda(tables, grid, curtailed.ldas, curtailed.of(kind)))
            ),
            y_title="power [MW]",
        )
        for kind in curtailed.kinds
        if curtailed.of(kind).max() > 0.0
    )


SECTION = Section(
    key="areas",
    title="Local distribution areas",
    figures=(
        Figure(
            key="demand",
            title="Load and net load, with PV, storage and EVs",
            sees="Net load is the import metered at the interface (black); load = net load + PV + storage +"
            " small generators. Load includes electric vehicles (green, on their own besides), flexible load"
            " that was served, and feeder losses. Multiplicity included; storage is positive when it"
            " discharges.",
            needs=("head", "der_type"),
            draw=_demand,
        ),
        Figure(
            key="interchange",
            title="Interchange: bid, award, metered",
            sees="The range of net import that the real-time bid offered (shaded), what the market awarded of"
            " it in real time and day-ahead, and what was metered. Multiplicity included.",
            needs=("award", "head"),
            also=("bid", "da_interface"),
            draw=_interchange,
        ),
        bids.FIGURE,
        Figure(
            key="storage",
            title="Storage",
            sees="Energy in the storage of each LDA and the power that it injects (negative while it"
            " charges), multiplicity included. Heat and cold count from the edge of the comfort band at"
            " which none is left.",
            needs=("der_type",),
            draw=_storage,
        ),
        Figure(
            key="unused",
            title="Curtailment",
            sees="PV that was available and not injected, and flexible demand that was not taken, by LDA,"
            " multiplicity included.",
            needs=("der_type",),
            draw=_unused,
        ),
    ),
)
