"""Who paid and who earned, by the ISO's statements; and what DERs' energy was worth at their bus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from federates.core.der_settings import DER_KINDS
from runner.post.load import load
from runner.post.metrics.metric import KW_PER_MW, Family, Metric, multiplied
from runner.post.run_tables import RunTables


def statement_usd(tables: RunTables, *wanted: str) -> dict[str, float]:
    """Sum of the statement lines by ``participant kind/name/item``, where it begins with a wanted kind. [$]

    The market (day-ahead or real time) is summed over; positive is paid to the participant.
    """
    names, codes = tables.ids("settlement")
    sums = np.bincount(codes, tables.column("settlement", "amount_usd"), len(names))
    total: dict[str, float] = {}
    for name, amount in zip(names, sums.tolist(), strict=True):
        kind, who, _, item = name.split("/")
        if kind in wanted:
            key = f"{kind}/{who}/{item}"
            total[key] = total.get(key, 0.0) + amount
    return total


def _paid_to(tables: RunTables, *kinds: str) -> float:
    return float(sum(statement_usd(tables, *kinds).values()))


def der_revenue_usd(tables: RunTables) -> dict[str, float]:
    """What the ISO paid to each aggregator by product, as ``aggregator/product``. [$]"""
    return {key.partition("/")[2]: usd for key, usd in statement_usd(tables, "der").items()}


def der_worth_usd(tables: RunTables) -> dict[str, float]:
    """Energy of each kind of DER at the real-time LMP of its bus, multiplicity included. [$]

    Negative where a kind draws more than it gives. It is what the energy is worth to the bulk grid, whoever
    is paid for it.
    """
    ldas, lda = tables.owners("der_type")
    kinds, kind = tables.owners("der_type", 2)
    price = tables.interval_means("award", tables.column("award", "lmp_usd_per_mwh"))
    interval = tables.interval("der_type")
    lmp = np.array(
        [price.get((ldas[k], t), np.nan) for k, t in zip(lda.tolist(), interval.tolist(), strict=True)]
    )
    p_mw = multiplied(tables, "der_type", "p_kw") / KW_PER_MW
    worth = np.nan_to_num(p_mw * lmp) * tables.step_h
    return dict(zip(kinds, np.bincount(kind, worth, len(kinds)).tolist(), strict=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class DerEarning:
    """Energy of the DERs of one LDA, kind, aggregator and owner, and what it earned."""

    lda: str
    """LDA."""
    kind: str
    """Kind of DER, as its name says; ``other`` where it does not."""
    aggregator: str
    """Who bids for them."""
    owner: str
    """Whose they are, as a table of DERs says; empty for the others."""
    mwh: float
    """Net injection, multiplicity included. [MWh]"""
    usd: float
    """At the price of the DER: DLMP where a total DSO sets one, else the LMP of its bus. [$]"""


def der_earnings(tables: RunTables) -> tuple[DerEarning, ...]:
    """What DERs' energy earned in real time, by LDA, kind, aggregator and owner.

    Injections are those at the ends of market intervals, taken to last for them.
    """
    names, intervals, p_kw = _by_interval(tables, "der", tables.column("der", "p_kw"))
    price = _der_prices(tables, names, intervals)
    p_mw = np.nan_to_num(p_kw) / KW_PER_MW
    factor = np.array([tables.run.multiplicity[name.split("/")[0]] for name in names]) * tables.market_h
    mwh, usd = p_mw.sum(axis=1) * factor, (p_mw * price).sum(axis=1) * factor
    about = _about(tables)
    total: dict[tuple[str, str, str, str], tuple[float, float]] = {}
    for name, energy, amount in zip(names, mwh.tolist(), usd.tolist(), strict=True):
        key = (name.split("/")[0], _kind(name), *about.get(name, ("", "")))
        before = total.get(key, (0.0, 0.0))
        total[key] = before[0] + energy, before[1] + amount
    return tuple(
        DerEarning(lda=lda, kind=kind, aggregator=aggregator, owner=owner, mwh=sums[0], usd=sums[1])
        for (lda, kind, aggregator, owner), sums in sorted(total.items())
    )


def _der_prices(tables: RunTables, names: tuple[str, ...], intervals: IntArray) -> FloatArray:
    """Price of each DER in each interval; 0 where none is known. [$/MWh]"""
    if "der_dlmp" in tables.names:
        known, at, price = _by_interval(tables, "der_dlmp", tables.column("der_dlmp", "dlmp_usd_per_mwh"))
        of = names
    else:
        known, at, price = _by_interval(tables, "award", tables.column("award", "lmp_usd_per_mwh"))
        of = tuple(name.split("/")[0] for name in names)
    row, column = {name: k for k, name in enumerate(known)}, {t: k for k, t in enumerate(at.tolist())}
    rows = np.array([row.get(name, -1) for name in of])
    columns = np.array([column.get(t, -1) for t in intervals.tolist()])
    found = np.where((rows >= 0)[:, None] & (columns >= 0), price[rows[:, None], columns], 0.0)
    filled: FloatArray = np.nan_to_num(found)
    return filled


def _by_interval(
    tables: RunTables, table: str, values: FloatArray
) -> tuple[tuple[str, ...], IntArray, FloatArray]:
    """Ids, market intervals, and the last value of each id in each interval, shape (ids, intervals)."""
    names, codes = tables.ids(table)
    intervals, place = np.unique(tables.interval(table), return_inverse=True)
    matrix = np.full((len(names), intervals.size), np.nan)
    matrix[codes, place] = values
    return names, intervals, matrix


def _about(tables: RunTables) -> dict[str, tuple[str, str]]:
    """Aggregator and owner of each DER, as far as they are recorded."""
    if "der_unit" not in tables.names:
        return {}
    rows = load(tables.run_dir, "der_unit", ["owner"]).to_pylist()
    split = ((str(row["id"]).rpartition("/"), row["owner"] or "") for row in rows)
    return {name: (aggregator, owner) for (name, _, aggregator), owner in split}


def _kind(name: str) -> str:
    """Kind in a DER's name ``LDA/feeder_kind_node``."""
    return next((kind for kind in DER_KINDS if f"_{kind}_" in name), "other")


def _account(key: str, column: str, meaning: str) -> Metric:
    return Metric(
        key=key, meaning=meaning, needs=("account",), value=lambda t: t.column("account", column).sum()
    )


FAMILY = Family(
    key="payments",
    title="Payments: who pays and who earns",
    metrics=(
        Metric(
            key="consumer_payment_usd", needs=("settlement",), better="less", title="paid by loads and LDAs",
            value=lambda t: -_paid_to(t, "load", "lda"),
            meaning="paid to the ISO by loads and LDAs in both markets, shares of all accounts included",
        ),
        Metric(
            key="lda_payment_usd", needs=("settlement",), better="less", title="paid by LDAs",
            value=lambda t: -_paid_to(t, "lda"), meaning="the LDAs' part of it",
        ),
        Metric(
            key="unit_revenue_usd", needs=("settlement",), value=lambda t: _paid_to(t, "unit"),
            meaning="paid to units: energy, reserves, make-whole",
        ),
        Metric(
            key="der_revenue_usd", needs=("settlement",), value=lambda t: _paid_to(t, "der"),
            meaning="paid by the ISO to DERs with awards of their own; a total DSO pays its DERs itself",
            title="paid by the ISO to DERs",
        ),
        Metric(
            key="der_worth_usd", needs=("award", "der_type"), value=lambda t: sum(der_worth_usd(t).values()),
            meaning="DERs' net injection at the real-time LMP of their bus, whoever is paid for it",
        ),
        Metric(
            key="der_earnings_usd", needs=("award", "der"),
            value=lambda t: sum(earning.usd for earning in der_earnings(t)),
            meaning="DERs' net injection in real time at their own price: DLMP under a total DSO, else the "
            "LMP of the bus", title="DERs' energy at their own price",
        ),
        _account("reserve_cost_usd", "reserve_cost_usd", "paid for reserves in both markets"),
        _account("congestion_rent_usd", "congestion_rent_usd", "congestion rent of both markets"),
        _account("loss_surplus_usd", "loss_surplus_usd", "collected by loss parts less the cost of losses"),
        _account("imbalance_usd", "imbalance_usd", "paid by deviations less the cost of making them good"),
        _account("make_whole_usd", "make_whole_usd", "paid to units short of their offer cost"),
        Metric(
            key="lmp_mean_usd_per_mwh", needs=("award",), title="mean LMP of the LDAs",
            value=lambda t: t.column("award", "lmp_usd_per_mwh").mean(),
            meaning="mean real-time LMP of LDA buses and intervals",
        ),
        Metric(
            key="lmp_spread_usd_per_mwh", needs=("award",),
            value=lambda t: np.subtract(*np.percentile(t.column("award", "lmp_usd_per_mwh"), (95, 5))),
            meaning="95th less 5th percentile of the same",
        ),
        Metric(
            key="settlement_unexplained_usd", needs=("account",), better="less",
            value=lambda t: np.abs(t.column("account", "unexplained_usd")).sum(),
            meaning="what statement lines, duals and meters do not agree upon, either way",
            title="settlement unexplained",
        ),
    ),
)  # fmt: skip
