"""The settlement as tables of the report: the ISO's accounts, and everybody's statements summed up."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.tables import ACCOUNT
from runner.post.figures.prices import PRICING_RUN
from runner.post.figures.settlement import CENT_DIGITS, MARKETS, account_usd
from runner.post.figures.traces import in_order
from runner.post.page import Html, element, origin, table
from runner.post.run_tables import RunTables

KEY = "settlement-table"
TITLE = "Accounts and statements"
NEEDS = ("account", "settlement")
SEES = (
    "Day-ahead awards at day-ahead prices; in real time, what the meters read beyond them at the prices of"
    " each interval. Rents, imbalance, make-whole payments and the costs of losses, caps and reserves are"
    f" handed to loads and LDAs by what they drew. Prices of the pricing run with {PRICING_RUN}; amounts are"
    " paid to the participant, negative ones by it. A study of part of a day holds starts of units without"
    " all hours that pay for them, which makes make-whole payments large."
)
KINDS = {
    "unit": "units",
    "load": "loads outside LDAs",
    "lda": "LDA",
    "der": "DERs of",
    "iso": "without a taker",
}
EACH = ("lda", "der")
"""Kinds of which every participant has a row."""
ENERGY, MAKE_WHOLE = "energy", "make_whole"


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What a participant, or all of a kind, was paid over the run."""

    name: str
    energy_mwh: float
    """Settled in both markets together: what the meters read; negative = drawn. [MWh]"""
    day_ahead_usd: float
    """For energy day-ahead. [$]"""
    real_time_usd: float
    """For energy in real time. [$]"""
    make_whole_usd: float
    shares_usd: float
    """Shares in accounts, reserves included. [$]"""

    @property
    def total_usd(self) -> float:
        """Everything. [$]"""
        return self.day_ahead_usd + self.real_time_usd + self.make_whole_usd + self.shares_usd


def statements(tables: RunTables) -> tuple[Statement, ...]:
    """Statements by kind of participant, LDAs and aggregators one by one."""
    names, codes = tables.ids("settlement")
    mwh = np.bincount(codes, tables.column("settlement", "quantity_mwh"), len(names))
    usd = np.bincount(codes, tables.column("settlement", "amount_usd"), len(names))
    sums: dict[str, list[float]] = {}
    for line, quantity, amount in zip(names, mwh.tolist(), usd.tolist(), strict=True):
        kind, name, market, item = line.split("/")
        who = f"{KINDS[kind]} {name}" if kind in EACH else KINDS[kind]
        total = sums.setdefault(who, [0.0] * 5)
        if item == ENERGY:
            total[0] += quantity
            total[1 if market == "day_ahead" else 2] += amount
        else:
            total[3 if item == MAKE_WHOLE else 4] += amount
    return tuple(
        Statement(
            name=who,
            energy_mwh=total[0],
            day_ahead_usd=total[1],
            real_time_usd=total[2],
            make_whole_usd=total[3],
            shares_usd=total[4],
        )
        for who in in_order(sums)
        for total in (sums[who],)
    )


def settlement_panel(tables: RunTables) -> Html:
    """Accounts by market, and statements."""
    return element(
        "div",
        element("h3", TITLE),
        element("p", SEES, class_="sees"),
        _accounts(tables),
        _statements(tables),
        origin(*NEEDS),
        class_="panel",
        id=KEY,
    )


def _accounts(tables: RunTables) -> Html:
    heads = ("account", "unit", "day-ahead", "real time", "both")
    order = ("day-ahead", "real time", "both markets")
    rows = []
    for column in ACCOUNT.columns:
        name = column.name.rsplit("_", 1)[0].replace("_", " ")
        values = [account_usd(tables, column.name, MARKETS[market]) for market in order]
        cells = [_data(f"{column.name}/{market}", value) for market, value in zip(order, values, strict=True)]
        rows.append((f"{name}: {column.meaning}", column.unit, *cells))
    return table(heads, rows, numbers=(2, 3, 4))


def _statements(tables: RunTables) -> Html:
    heads = (
        "participant", "energy [MWh]", "energy, day-ahead [$]", "energy, real time [$]", "make-whole [$]",
        "shares and reserves [$]", "total [$]",
    )  # fmt: skip
    rows = [
        (
            s.name,
            _data(f"{s.name}/energy_mwh", s.energy_mwh),
            _data(f"{s.name}/day_ahead_usd", s.day_ahead_usd),
            _data(f"{s.name}/real_time_usd", s.real_time_usd),
            _data(f"{s.name}/make_whole_usd", s.make_whole_usd),
            _data(f"{s.name}/shares_usd", s.shares_usd),
            _data(f"{s.name}/total_usd", s.total_usd),
        )
        for s in statements(tables)
    ]
    return table(heads, rows, numbers=range(1, len(heads)))


def _data(key: str, value: float) -> Html:
    shown = round(value, CENT_DIGITS) + 0.0  # no minus before a zero
    return element("data", f"{shown:,.{CENT_DIGITS}f}", value=repr(value), data_settlement=key)
