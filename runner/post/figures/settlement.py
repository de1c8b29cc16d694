"""The ISO's books: how what loads and LDAs pay becomes what units earn, and what lies between."""

from __future__ import annotations

import numpy as np

from runner.post.figures.drawing import Figure, JsonObject, Section, View
from runner.post.figures.prices import PRICING_RUN
from runner.post.figures.traces import BLUE, GREY, VERMILLION, height
from runner.post.run_tables import RunTables

MARKETS = {
    "both markets": ("day_ahead", "real_time"),
    "day-ahead": ("day_ahead",),
    "real time": ("real_time",),
}
CENT_DIGITS = 2
IN, OUT, LEFT = 1.0, -1.0, 0.0
STEPS = (
    ("paid by loads outside LDAs", "load_payment_usd", IN),
    ("paid by LDAs", "lda_payment_usd", IN),
    ("to units", "unit_revenue_usd", OUT),
    ("to DERs with awards of their own", "der_revenue_usd", OUT),
    ("left with the ISO", "", LEFT),
    ("congestion rent", "congestion_rent_usd", OUT),
    ("loss surplus", "loss_surplus_usd", OUT),
    ("imbalance", "imbalance_usd", OUT),
    ("AC-DC loss difference", "loss_difference_usd", IN),
    ("price caps", "cap_cost_usd", IN),
    ("rounding and unexplained", "", LEFT),
)
"""Words, column of the account, and which way it moves the sum; a sum so far has no column."""


def account_usd(tables: RunTables, column: str, markets: tuple[str, ...]) -> float:
    """A column of the account over all days of some markets. [$]"""
    names, codes = tables.ids("account")
    chosen = np.array([name in markets for name in names])[codes]
    return float(tables.column("account", column)[chosen].sum())


def _waterfall(tables: RunTables) -> tuple[View, ...]:
    words = [name for name, _, _ in STEPS]
    views = []
    for name, markets in MARKETS.items():
        moves = [way * account_usd(tables, column, markets) if column else 0.0 for _, column, way in STEPS]
        trace: JsonObject = {
            "type": "waterfall",
            "orientation": "h",
            "name": name,
            "y": words,
            "x": [round(usd, CENT_DIGITS) for usd in moves],
            "measure": ["relative" if column else "total" for _, column, _ in STEPS],
            "increasing": {"marker": {"color": BLUE}},
            "decreasing": {"marker": {"color": VERMILLION}},
            "totals": {"marker": {"color": GREY}},
            "hovertemplate": "%{y}: %{delta:,.2f} $, sum %{x:,.2f} $<extra></extra>",
        }
        views.append(
            View(
                name=name,
                traces=(trace,),
                y_title="",
                x_title="sum [$]",
                layout={
                    **height(len(STEPS)),
                    "yaxis": {"type": "category", "autorange": "reversed", "automargin": True},
                    "showlegend": False,
                },
            )
        )
    return tuple(views)


SECTION = Section(
    key="settlement",
    title="Settlement",
    figures=(
        Figure(
            key="accounts",
            title="From what is paid to what is earned",
            sees="Energy payments of loads and LDAs, less the revenue of units and DERs, leave a sum with the"
            " ISO; congestion rent, loss surplus and imbalance take it up, and losses in AC and price caps"
            " add to it. Each is computed from duals, flows and meters on its own, so that the last bar shows"
            f" what they do not agree upon, in cents. Prices of the pricing run with {PRICING_RUN}.",
            needs=("account",),
            draw=_waterfall,
        ),
    ),
)
