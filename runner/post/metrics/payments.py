"""Who paid and who earned, by the ISO's statements; and what DERs' energy was worth at their bus."""

from __future__ import annotations

import numpy as np

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


def unexplained_usd(tables: RunTables) -> float:
    """What stays unexplained of the ISO's books and of the DSOs', either way. [$]"""
    books = [name for name in ("account", "lda_account") if name in tables.names]
    return float(sum(np.abs(tables.column(name, "unexplained_usd")).sum() for name in books))


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
            value=unexplained_usd,
            meaning="what lines, duals and meters do not agree upon, either way: in the ISO's books "
            "and in those of DSOs",
            title="settlement unexplained",
        ),
    ),
)  # fmt: skip
