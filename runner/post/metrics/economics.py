"""What a run cost at true resource cost: as promised the day before, and as it came.

Starts of units are left out: the commitment is the same under every model of a scenario. The forward side is
that of whole market days, as the day-ahead market clears them, unless the hours of the study are asked for.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from federates.core.arrays import BoolArray, FloatArray
from runner.post.metrics.metric import (
    HOUR_S,
    KW_PER_MW,
    Family,
    Metric,
    market_integral,
    multiplied,
    of_kind,
)
from runner.post.run_tables import RunTables

UNSERVED_USD_PER_MWH = 3_500.0
"""Price of load that is not served: the last step of the ISO's own penalties. [$/MWh]"""


Hours = Callable[[RunTables, str], FloatArray]
"""How much of each day-ahead hour of a table counts, shape (rows,). [h]"""


def whole_days(tables: RunTables, table: str) -> FloatArray:
    """All of every day-ahead hour, shape (rows,). [h]"""
    return np.ones(tables.t_s(table).size)


def hours_within(tables: RunTables, table: str) -> FloatArray:
    """Part of each day-ahead hour that lies in the study, shape (rows,). [h]"""
    begin = tables.t_s(table)
    last, first = np.minimum(begin + HOUR_S, tables.run.clock.duration_s), np.maximum(begin, 0)
    within: FloatArray = np.maximum(last - first, 0) / HOUR_S
    return within


def forward_units_usd(tables: RunTables, hours: Hours = whole_days) -> float:
    """Running cost of the units as scheduled the day before. [$]"""
    cost = tables.column("da_clearing", "true_cost_usd_per_h")
    return float((cost * hours(tables, "da_clearing")).sum())


def forward_ders_usd(tables: RunTables, hours: Hours = whole_days) -> float:
    """True cost of the DERs as scheduled the day before, starts aside, multiplicity included. [$]"""
    return float((multiplied(tables, "da_der", "cost_usd") * hours(tables, "da_der")).sum())


def forward_unserved_usd(tables: RunTables, hours: Hours = whole_days) -> float:
    """Load that the day-ahead market did not serve, at the ISO's last penalty step. [$]"""
    shed_mw = tables.column("da_clearing", "shed_mw")
    return float((shed_mw * hours(tables, "da_clearing")).sum()) * UNSERVED_USD_PER_MWH


def forward_usd(tables: RunTables, hours: Hours = whole_days) -> float:
    """Resource cost as promised the day before: units, DERs and load not served. [$]"""
    resources = forward_units_usd(tables, hours) + forward_ders_usd(tables, hours)
    return resources + forward_unserved_usd(tables, hours)


def forward_stored_mwh(tables: RunTables, hours: Hours = whole_days) -> dict[str, float]:
    """What day-ahead schedules put into each LDA's DERs that store less what they take out. [MWh]"""
    ldas, place = tables.owners("da_der")
    put_in = multiplied(tables, "da_der", "stored_kwh") * hours(tables, "da_der") / KW_PER_MW
    return dict(zip(ldas, np.bincount(place, put_in, len(ldas)).tolist(), strict=True))


def forward_bulk_stored_mwh(tables: RunTables, hours: Hours = whole_days) -> float:
    """What day-ahead schedules leave in the units' stores beyond what was there; 0 without stores. [MWh]"""
    if "da_store" not in tables.names:
        return 0.0
    gained = tables.column("da_store", "end_mwh") - tables.column("da_store", "energy_mwh")
    return float((gained * hours(tables, "da_store")).sum())


def units_usd(tables: RunTables) -> float:
    """Running cost of the units as dispatched in real time. [$]"""
    return market_integral(tables, "clearing", "true_cost_usd_per_h")


def ders_usd(tables: RunTables) -> float:
    """True cost of the DERs: fuel, starts, wear, use forgone and sun not taken, multiplicity included. [$]"""
    return float(multiplied(tables, "der_service", "cost_usd").sum())


def participation_usd(tables: RunTables) -> float:
    """What units gave between dispatches, at the energy part of the price of its interval. [$]"""
    energy = tables.interval_means("lmp", tables.column("lmp", "energy_usd_per_mwh"))
    price = {t: value for (_, t), value in energy.items()}
    given = tables.interval_means("system", tables.column("system", "participation_mw"))
    return float(sum(mw * price[t] for (_, t), mw in given.items() if t in price) * tables.market_h)


def unserved_usd(tables: RunTables) -> float:
    """Load that the market did not serve, at the ISO's last penalty step. [$]"""
    return market_integral(tables, "clearing", "shed_mw") * UNSERVED_USD_PER_MWH


def realised_usd(tables: RunTables) -> float:
    """Resource cost as it came: units, DERs, what was given between dispatches, and load not served. [$]"""
    return units_usd(tables) + ders_usd(tables) + participation_usd(tables) + unserved_usd(tables)


def stored_mwh(tables: RunTables) -> dict[str, float]:
    """Energy in each LDA's batteries and vehicles at the end less before the first step, multiplied. [MWh]

    Trips are the same under every model, so that what vehicles differ in is charging put off. What is in
    rooms, tanks and processes is not counted.
    """
    t_s = tables.t_s("der_type")
    end = _stores_mwh(tables, "der_type", t_s == t_s.max())
    begin = _stores_mwh(tables, "der_start", tables.t_s("der_start") == 0)
    return {lda: mwh - begin[lda] for lda, mwh in end.items()}


def _stores_mwh(tables: RunTables, table: str, chosen: BoolArray) -> dict[str, float]:
    """Energy in each LDA's batteries and managed vehicles in some rows of a table, shape (rows,). [MWh]"""
    ldas, place = tables.owners(table)
    is_store = of_kind(tables, table, "battery") + of_kind(tables, table, "ev")
    stored = multiplied(tables, table, "soc_kwh") * is_store / KW_PER_MW
    return dict(zip(ldas, np.bincount(place[chosen], stored[chosen], len(ldas)).tolist(), strict=True))


def bulk_stored_mwh(tables: RunTables) -> float:
    """Energy in the units' stores at the end less at the beginning; 0 where there are none. [MWh]"""
    if "store" not in tables.names:
        return 0.0
    t_s = tables.t_s("store")
    begin, end = tables.column("store", "energy_mwh"), tables.column("store", "end_mwh")
    return float(end[t_s == t_s.max()].sum() - begin[t_s == t_s.min()].sum())


FAMILY = Family(
    key="economics",
    title="Economics: true resource cost",
    metrics=(
        Metric(
            key="cost_forward_usd", needs=("da_clearing", "da_der"), value=forward_usd, better="less",
            meaning="units, DERs and load not served as scheduled the day before, all hours of the study's "
            "market days; what is left in storage is not credited",
            title="all resources, as promised the day before",
        ),
        Metric(
            key="cost_forward_units_usd", needs=("da_clearing",), value=forward_units_usd, better="less",
            meaning="of it, running cost of the units",
        ),
        Metric(
            key="cost_forward_ders_usd", needs=("da_der",), value=forward_ders_usd, better="less",
            meaning="of it, DERs' fuel, wear, use forgone and sun not taken, starts aside, multiplicity "
            "included",
        ),
        Metric(
            key="forward_stored_mwh", needs=("da_der",),
            value=lambda t: sum(forward_stored_mwh(t).values()),
            meaning="what day-ahead schedules put into DERs that store less what they take out, multiplicity "
            "included: batteries, vehicles, rooms, tanks, processes",
        ),
        Metric(
            key="cost_units_usd", needs=("clearing",), value=units_usd, better="less",
            meaning="running cost of the units as dispatched in real time", title="units, as it came",
        ),
        Metric(
            key="cost_ders_usd", needs=("der_service",), value=ders_usd, better="less",
            meaning="DERs' fuel, starts, wear, use forgone and sun not taken, multiplicity included",
            title="DERs, as it came",
        ),
        Metric(
            key="cost_participation_usd", needs=("lmp", "system"), value=participation_usd, better="less",
            meaning="what units gave between dispatches, at the energy part of the interval's price",
        ),
        Metric(
            key="cost_unserved_usd", needs=("clearing",), value=unserved_usd, better="less",
            meaning=f"load not served, at {UNSERVED_USD_PER_MWH:,.0f} $/MWh",
        ),
        Metric(
            key="cost_realised_usd", needs=("clearing", "der_service", "lmp", "system"), value=realised_usd,
            better="less", meaning="units, DERs, participation and load not served, as it came; what is left "
            "in storage is not credited", title="all resources, as it came",
        ),
        Metric(
            key="stored_mwh", needs=("der_start", "der_type"), value=lambda t: sum(stored_mwh(t).values()),
            meaning="energy in DER batteries and managed vehicles at the end less before the first step, "
            "multiplicity included; rooms, tanks and processes are not counted",
        ),
        Metric(
            key="bulk_stored_mwh", needs=("clearing",), value=bulk_stored_mwh,
            meaning="energy in the units' stores at the end less at the beginning",
        ),
        Metric(
            key="commitment_gap_max_pct", needs=("day_ahead",), better="less",
            value=lambda t: t.column("day_ahead", "commitment_gap_pct").max(),
            meaning="greatest certified gap of the common commitment",
        ),
    ),
)  # fmt: skip
