"""Bid curves of the LDAs at some instants, and the point of each at which the market cleared."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from runner.post.figures.drawing import Figure, JsonObject, View
from runner.post.figures.grid import clock_text
from runner.post.figures.traces import CYCLE, safe, short
from runner.post.run_tables import RunTables

MOST_CURVES = 6
"""Curves in one picture."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bids:
    """Breakpoints of all real-time bids, by LDA, interval and order."""

    lda: IntArray
    """Place among the LDAs, shape (rows,)."""
    t_s: IntArray
    """Interval, shape (rows,). [s]"""
    import_mw: FloatArray
    price_usd_per_mwh: FloatArray

    def of(self, lda: int, t_s: int) -> tuple[FloatArray, FloatArray]:
        """One bid's breakpoints and prices."""
        mine = (self.lda == lda) & (self.t_s == t_s)
        return self.import_mw[mine], self.price_usd_per_mwh[mine]


def _real_time_bids(tables: RunTables, ldas: tuple[str, ...]) -> _Bids:
    names, codes = tables.ids("bid")
    parts = [name.split("/") for name in names]
    owner = np.array([ldas.index(part[0]) if part[0] in ldas else -1 for part in parts], np.int64)[codes]
    opens, entry = (np.array([int(part[k]) for part in parts], np.int64)[codes] for k in (1, 2))
    t_s = tables.t_s("bid")
    kept = np.flatnonzero((opens == t_s) & (owner >= 0))
    order = kept[np.lexsort((entry[kept], t_s[kept], owner[kept]))]
    return _Bids(
        lda=owner[order],
        t_s=t_s[order],
        import_mw=tables.column("bid", "import_mw")[order],
        price_usd_per_mwh=tables.column("bid", "price_usd_per_mwh")[order],
    )


def _curves(tables: RunTables) -> tuple[View, ...]:
    ldas, award_lda = tables.owners("award")
    bids, award_t = _real_time_bids(tables, ldas), tables.t_s("award")
    award_mw, lmp = (tables.column("award", c) for c in ("award_mw", "lmp_usd_per_mwh"))
    views = []
    for k, lda in enumerate(ldas):
        times, count = np.unique(bids.t_s[bids.lda == k], return_counts=True)
        times = times[count > 1]
        traces: list[JsonObject] = []
        chosen = np.unique(np.linspace(0, times.size - 1, MOST_CURVES).round().astype(np.int64))
        for color, place in zip(CYCLE, chosen if times.size else [], strict=False):
            t_s = int(times[place])
            cleared = np.flatnonzero((award_lda == k) & (award_t == t_s))
            traces += _curve(tables, t_s, bids.of(k, t_s), (award_mw[cleared], lmp[cleared]), color)
        if traces:
            views.append(
                View(
                    name=lda,
                    traces=tuple(traces),
                    y_title="worth of the next MW [$/MWh]",
                    x_title="net import [MW]",
                )
            )
    return tuple(views)


def _curve(
    tables: RunTables,
    t_s: int,
    bid: tuple[FloatArray, FloatArray],
    cleared: tuple[FloatArray, FloatArray],
    color: str,
) -> tuple[JsonObject, JsonObject]:
    """A bid as steps, and the award at the LMP as a mark."""
    when = safe(clock_text(tables, t_s).replace("T", " ")[:16])
    point = "%{x} MW, %{y} $/MWh"
    return (
        {
            "type": "scatter", "mode": "lines", "name": when, "x": short(bid[0]), "y": short(bid[1]),
            "line": {"color": color, "width": 1.8, "shape": "vh"},
            "hovertemplate": f"{when}: {point}<extra></extra>",
        },
        {
            "type": "scatter", "mode": "markers", "name": f"{when}, cleared", "x": short(cleared[0]),
            "y": short(cleared[1]), "showlegend": False,
            "marker": {"color": color, "size": 11, "line": {"color": "#ffffff", "width": 1.5}},
            "hovertemplate": f"{when}, cleared: {point}<extra></extra>",
        },
    )  # fmt: skip


FIGURE = Figure(
    key="bid-curves",
    title="Bid curves and where they cleared",
    sees="Real-time bids of an LDA as the market took them, multiplicity included, at up to"
    f" {MOST_CURVES} intervals spread over the study: what the next MW of net import is worth. Dots: the"
    " award at the LMP of the LDA's bus. A dot off its curve is an award that something besides the price"
    " holds, such as reserve sold. LDAs that bid one quantity have no curve.",
    needs=("bid", "award"),
    draw=_curves,
)
