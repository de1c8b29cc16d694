"""Below the interface: what every DER earned and every customer paid, on meters of their own, and how evenly.

Statements are in real time: day-ahead positions, capacity and the ISO's other charges stay with the DSO, or
with an aggregator that has awards of its own, and are told apart as ``forward``; so does of reserves what
their day-ahead price was above the real-time one.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import FloatArray, IntArray
from runner.post.metrics.metric import Family, Metric
from runner.post.metrics.payments import statement_usd
from runner.post.run_tables import RunTables, once

CUSTOMER, UTILITY = "customer", "utility"
"""Sides of the meter: a DER stands at a load's bus, or elsewhere."""
ENERGY, NETWORK, RESERVE = "energy", "network", "reserve"
"""Items of statements."""
FORWARD, RESERVES = "forward", "reserves"
"""What the ISO's statements hold beside: day-ahead positions with shares of its accounts, and reserves."""
NEEDS = ("meter_point", "statement")
BOOKS = ("lda_account", "settlement")
RENTS = ("loss_surplus_usd", "voltage_rent_usd", "thermal_rent_usd")


Group = tuple[str, str, str, str, str, str]
"""LDA, kind, side of the meter, aggregator, owner and product."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """A meter of a DER or load."""

    lda: str
    """LDA."""
    kind: str
    """Kind of DER; ``load``."""
    place: str
    """Bus and phases, with the LDA."""
    side: str
    """Side of the meter."""
    aggregator: str
    """Who bids for the DER; empty for loads."""
    owner: str
    """Whose it is, as a table of DERs says; empty for the others."""
    rated_kw: float
    """Greatest power, or peak. [kW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Earning:
    """What the DERs of one LDA, kind, side, aggregator and owner earned by one product."""

    lda: str
    kind: str
    side: str
    aggregator: str
    owner: str
    product: str
    """``energy`` on their meters, or what stays with whoever holds the position: `FORWARD`, `RESERVES`."""
    mwh: float
    """Injected; negative = drawn, multiplicity included. [MWh]"""
    usd: float
    """Paid to them. [$]"""


@dataclass(frozen=True, slots=True)
class Lines:
    """Statement lines of one item, by meter."""

    name: str
    mwh: float
    """Over the study, of one simulated set; negative = drawn. [MWh]"""
    usd: float
    """Paid to it, in whole cents. [$]"""
    exact_usd: float
    """The same before rounding. [$]"""


@once
def points(tables: RunTables) -> dict[str, Point]:
    """Every meter by its name ``LDA/der/NAME`` or ``LDA/load/NAME``."""
    about, (names, codes) = _about(tables), tables.ids("meter_point")
    has_load, rated_kw = (tables.column("meter_point", c).tolist() for c in ("has_load", "rated_kw"))
    rows = zip(codes.tolist(), tables.texts("meter_point", "place"), has_load, rated_kw, strict=True)
    found = {}
    for code, place, is_loaded, kw in rows:
        name, _, kind = names[code].rpartition("/")
        lda, _, own = name.split("/")
        aggregator, owner = about.get(f"{lda}/{own}", ("", "")) if kind != "load" else ("", "")
        found[name] = Point(
            lda=lda,
            kind=kind,
            place=f"{lda}/{place}",
            side=CUSTOMER if is_loaded else UTILITY,
            aggregator=aggregator,
            owner=owner,
            rated_kw=kw,
        )
    return found


def _about(tables: RunTables) -> dict[str, tuple[str, str]]:
    """Aggregator and owner of each DER, as far as they are recorded."""
    if "der_unit" not in tables.names:
        return {}
    names, codes = tables.ids("der_unit")
    owners = zip(codes.tolist(), tables.texts("der_unit", "owner"), strict=True)
    split = ((names[code].rpartition("/"), owner) for code, owner in owners)
    return {name: (aggregator, owner) for (name, _, aggregator), owner in split}


def lines(tables: RunTables, item: str) -> tuple[Lines, ...]:
    """Sum of every meter's statement lines of an item."""
    names, codes = tables.ids("statement")
    mwh = np.bincount(codes, tables.column("statement", "quantity_mwh"), len(names)).tolist()
    usd = np.bincount(codes, tables.column("statement", "amount_usd"), len(names)).tolist()
    exact = np.bincount(codes, tables.column("statement", "exact_usd"), len(names)).tolist()
    split = (name.rpartition("/") for name in names)
    return tuple(
        Lines(name, *sums) for (name, _, of), *sums in zip(split, mwh, usd, exact, strict=True) if of == item
    )


@once
def earnings(tables: RunTables) -> tuple[Earning, ...]:
    """What DERs earned: energy on their own meters, reserve that they hold, and what stays with others."""
    at, total = points(tables), defaultdict[Group, FloatArray](lambda: np.zeros(2))
    for item, product in ((ENERGY, ENERGY), (RESERVE, RESERVES)):
        for line in lines(tables, item):
            point = at[line.name]
            if point.kind != "load":
                key = point.lda, point.kind, point.side, point.aggregator, point.owner, product
                times, mwh = tables.run.multiplicity[point.lda], line.mwh if item == ENERGY else 0.0
                total[key] += times * np.array([mwh, line.usd])
    held = _held_usd(tables) if set(BOOKS) <= tables.names else {}
    for key, usd in held.items():
        total[key] += np.array([0.0, usd])
    return tuple(
        Earning(
            lda=lda, kind=kind, side=side, aggregator=aggregator, owner=owner, product=product,
            mwh=float(sums[0]), usd=float(sums[1]),
        )
        for (lda, kind, side, aggregator, owner, product), sums in sorted(total.items())
    )  # fmt: skip


def _held_usd(tables: RunTables) -> dict[Group, float]:
    """What the ISO paid to aggregators and, for reserves, to DSOs beyond what their DERs were paid. [$]"""
    at, passed_on = points(tables), defaultdict[str, float](float)
    for name, usd in _aggregators_usd(tables).items():
        point = at[name]
        passed_on[f"agg_{point.lda}_{point.aggregator}"] += tables.run.multiplicity[point.lda] * usd
    paid = defaultdict[str, float](float)
    for key, usd in statement_usd(tables, "der").items():
        paid[key.split("/")[1]] += usd
    held: dict[Group, float] = {}
    for lda in tables.run.multiplicity:
        owners = {p.aggregator for p in at.values() if p.lda == lda and p.aggregator}
        for own in sorted(owners):
            name = f"agg_{lda}_{own}"
            if name in paid:
                held[lda, "-", "-", own, "", FORWARD] = paid[name] - passed_on[name]
        reserve = sum(usd for key, usd in statement_usd(tables, "lda").items() if _is_reserve(key, lda))
        if reserve:
            held[lda, "-", "-", "dso", "", RESERVES] = reserve + _column_of(tables, "der_reserve_usd", lda)
    return held


def _column_of(tables: RunTables, column: str, lda: str) -> float:
    """Sum of a column of an LDA's books. [$]"""
    names, codes = tables.ids("lda_account")
    return float(np.bincount(codes, tables.column("lda_account", column), len(names))[names.index(lda)])


def _is_reserve(key: str, lda: str) -> bool:
    _, who, item = key.split("/")
    return who == lda and item != ENERGY and not item.endswith("_share")


def _aggregators_usd(tables: RunTables) -> dict[str, float]:
    """What aggregators with awards of their own passed on to each DER, of one simulated set. [$]"""
    names, codes = tables.ids("statement")
    who = tables.texts("statement", "settled_with")
    apart = np.array([one == "aggregator" for one in who], dtype=np.float64)
    sums = np.bincount(codes, apart * tables.column("statement", "amount_usd"), len(names)).tolist()
    there = np.bincount(codes, apart, len(names)) > 0
    return {
        name.rpartition("/")[0]: usd
        for name, usd, is_apart in zip(names, sums, there, strict=True)
        if is_apart
    }


def _paid_usd(tables: RunTables, item: str, *, by_loads: bool) -> float:
    """Paid to DERs, or by loads, for an item, multiplicity included. [$]"""
    way = -1.0 if by_loads else 1.0
    of = "load" if by_loads else "der"
    return way * sum(
        tables.run.multiplicity[line.name.split("/")[0]] * line.usd
        for line in lines(tables, item)
        if line.name.split("/")[1] == of
    )


def forward_usd(tables: RunTables) -> float:
    """What LDAs pay the ISO beyond their metered energy and the reserve they hold at real-time prices. [$]"""
    own = sum(float(tables.column("lda_account", name).sum()) for name in ("purchase_usd", "reserve_usd"))
    return own - sum(statement_usd(tables, "lda").values())


@once
def customer_prices(tables: RunTables) -> tuple[FloatArray, FloatArray]:
    """Mean price, network item included, and energy of every load, shapes (loads,). [$/MWh, MWh]"""
    drawn = {line.name: -line.mwh for line in lines(tables, ENERGY) if line.name.split("/")[1] == "load"}
    paid = dict.fromkeys(drawn, 0.0)
    for item in (ENERGY, NETWORK):
        for line in lines(tables, item):
            if line.name in paid:
                paid[line.name] -= line.exact_usd
    mwh = np.array([drawn[name] for name in drawn if drawn[name] > 0.0])
    usd = np.array([paid[name] for name in drawn if drawn[name] > 0.0])
    return usd / mwh, mwh


def gini(values: FloatArray, weights: FloatArray) -> float:
    """Gini coefficient of weighted values: 0 where all are equal; NaN where their mean is not positive.

    Half the mean difference between two drawn by their weights, over the mean (C. Gini, 1912).
    """
    total = float(weights.sum())
    mean = float(values @ weights) / total if total else 0.0
    if mean <= 0.0:
        return float("nan")
    order = np.argsort(values, kind="stable")
    share = weights[order] / total
    reached = np.cumsum(share) - share / 2.0
    return float(2.0 * (share * values[order]) @ (reached - 0.5) / mean)


def jain(values: FloatArray) -> float:
    """Jain's index of fairness: 1 where all are equal, 1/n where one has everything; NaN of zeros.

    R. Jain, D. Chiu, W. Hawe, "A quantitative measure of fairness and discrimination", DEC-TR-301, 1984.
    """
    squares = float(values @ values)
    return float(values.sum()) ** 2 / (values.size * squares) if squares else float("nan")


def equal_place_usd_per_mwh(tables: RunTables) -> float:
    """Greatest difference of hourly prices between meters at the same bus and phases; 0: none is favoured."""
    names, codes = tables.ids("statement")
    at = points(tables)
    is_energy = np.array([name.endswith(f"/{ENERGY}") for name in names])[codes]
    places = sorted({point.place for point in at.values()})
    number = {place: k for k, place in enumerate(places)}
    of = np.array([number[at[name.rpartition("/")[0]].place] for name in names])[codes][is_energy]
    hours, hour = np.unique(tables.t_s("statement")[is_energy], return_inverse=True)
    return _widest(of * hours.size + hour, tables.column("statement", "price_usd_per_mwh")[is_energy])


def _widest(group: IntArray, values: FloatArray) -> float:
    """Greatest range of values within a group."""
    count = int(group.max(initial=-1)) + 1
    least, most = np.full(count, np.inf), np.full(count, -np.inf)
    np.minimum.at(least, group, values)
    np.maximum.at(most, group, values)
    filled = np.isfinite(least)
    return float((most - least)[filled].max(initial=0.0))


@once
def unused_sun_hours(tables: RunTables) -> FloatArray:
    """Sun not taken of each photovoltaic unit, over its rating, shape (units,). [h]

    As it stands at the end of market intervals, taken to last for them.
    """
    at, (names, codes) = points(tables), tables.ids("der")
    unused = np.maximum(tables.column("der", "available_kw") - tables.column("der", "p_kw"), 0.0)
    kwh = np.bincount(codes, unused, len(names)) * tables.market_h
    own = [(at["/der/".join(name.split("/", 1))], k) for k, name in enumerate(names)]
    return np.array([kwh[k] / point.rated_kw for point, k in own if point.kind == "pv"])


def _books(column: str, meaning: str, title: str = "") -> Metric:
    return Metric(
        key=column, needs=("lda_account",), meaning=meaning, title=title,
        value=lambda t: t.column("lda_account", column).sum(),
    )  # fmt: skip


def _mean(values: FloatArray, weights: FloatArray) -> float:
    return float(values @ weights) / float(weights.sum()) if values.size else float("nan")


def _spread(values: FloatArray) -> float:
    return float(np.subtract(*np.percentile(values, (95, 5)))) if values.size else float("nan")


FAMILY = Family(
    key="statements",
    title="Below the interface: statements of DERs and customers",
    metrics=(
        Metric(
            key="customer_energy_usd", needs=NEEDS, better="less", title="LDAs' customers, for energy",
            value=lambda t: _paid_usd(t, ENERGY, by_loads=True),
            meaning="paid by loads of LDAs on their meters: DLMP under a total DSO, else the LMP of the bus",
        ),
        Metric(
            key="customer_network_usd", needs=NEEDS, better="less", title="LDAs' customers, for the network",
            value=lambda t: _paid_usd(t, NETWORK, by_loads=True),
            meaning="borne by loads of the DSO's balance (losses, rents, deviations), by what they drew; "
            "negative: rents handed back",
        ),
        Metric(
            key="customer_forward_usd", needs=BOOKS, better="less", value=forward_usd,
            title="LDAs' customers, for what the DSO holds at the ISO",
            meaning="paid by LDAs to the ISO beyond metered energy and reserve that DERs hold, both at "
            "real-time prices: day-ahead positions, shares of the ISO's accounts, less capacity sold",
        ),
        Metric(
            key="customer_bill_usd", needs=(*NEEDS, *BOOKS), better="less", title="LDAs' customers, in all",
            value=lambda t: sum(_paid_usd(t, item, by_loads=True) for item in (ENERGY, NETWORK))
            + forward_usd(t),
            meaning="the three together: what loads of LDAs bear, if the DSO earns nothing",
        ),
        Metric(
            key="der_reserve_usd", needs=NEEDS, value=lambda t: _paid_usd(t, RESERVE, by_loads=False),
            title="DERs, for reserve that they hold",
            meaning="paid to DERs for reserve by a total DSO, at the ISO's real-time prices",
        ),
        Metric(
            key="der_energy_usd", needs=NEEDS, value=lambda t: _paid_usd(t, ENERGY, by_loads=False),
            title="DERs, for energy on their meters",
            meaning="paid to DERs on their meters, by the DSO or their aggregator; less what they pay where "
            "they draw",
        ),
        Metric(
            key="der_customer_side_usd", needs=NEEDS,
            value=lambda t: sum(e.usd for e in earnings(t) if e.product == ENERGY and e.side == CUSTOMER),
            meaning="of it, DERs at a load's bus: the customers' side of the meter",
        ),
        Metric(
            key="der_utility_side_usd", needs=NEEDS,
            value=lambda t: sum(e.usd for e in earnings(t) if e.product == ENERGY and e.side == UTILITY),
            meaning="of it, DERs elsewhere: the utility's side",
        ),
        Metric(
            key="distribution_rent_usd", needs=("lda_account",),
            value=lambda t: sum(t.column("lda_account", column).sum() for column in RENTS),
            title="rents and loss surplus of DSOs",
            meaning="rents of voltage limits, ratings and heads, and the surplus of marginal losses, by the "
            "duals of total DSOs' dispatches",
        ),
        _books("load_deviation_usd", "loads beyond the dispatch, at their price less the LMP"),
        _books("der_deviation_usd", "DERs beyond the dispatch, at their price less the LMP"),
        _books("loss_deviation_usd", "losses beyond those of the dispatch at the LMP; without one, all"),
        Metric(
            key="customer_price_mean_usd_per_mwh", needs=NEEDS, better="less",
            value=lambda t: _mean(*customer_prices(t)),
            meaning="mean price of a MWh of LDAs' loads in real time, network item included",
        ),
        Metric(
            key="customer_price_spread_usd_per_mwh", needs=NEEDS,
            value=lambda t: _spread(customer_prices(t)[0]),
            title="customers' prices, 95th less 5th percentile",
            meaning="95th less 5th percentile of the loads' mean prices, network item included",
        ),
        Metric(
            key="customer_price_gini", needs=NEEDS, better="less", value=lambda t: gini(*customer_prices(t)),
            title="Gini of customers' prices",
            meaning="Gini coefficient of the loads' mean prices by energy: 0 where all pay the same",
        ),
        Metric(
            key="equal_place_difference_usd_per_mwh", needs=NEEDS, better="less",
            value=equal_place_usd_per_mwh,
            title="difference of prices at equal places",
            meaning="greatest difference of hourly prices between meters at the same bus and phases",
        ),
        Metric(
            key="unused_sun_gini", needs=("der", *NEEDS), better="less",
            value=lambda t: gini(unused_sun_hours(t), np.ones(unused_sun_hours(t).size)),
            meaning="Gini coefficient of PV units' sun not taken over rating, 0 where all lose alike; "
            "each interval as at its end",
        ),
        Metric(
            key="unused_sun_jain", needs=("der", *NEEDS), better="more",
            value=lambda t: jain(unused_sun_hours(t)),
            meaning="Jain's index of the same: 1 where all lose alike, 1/n where one loses everything",
        ),
        Metric(
            key="dso_unexplained_usd", needs=("lda_account",), better="less",
            value=lambda t: np.abs(t.column("lda_account", "unexplained_usd")).sum(),
            meaning="what DSOs' statements, duals and meters do not agree upon, either way",
        ),
    ),
)  # fmt: skip
