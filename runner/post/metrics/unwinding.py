"""The unwinding ledger: how each LDA's day-ahead position became what its meters show, and who pays.

For every LDA and market interval the change from the day-ahead award to the metered net import is cut into

- *forecast*: what could not be bargained about came differently: the inflexible quantity bid in real time
  less the one bid the day before, and the meters less the real-time award;
- *override*: what a DSO took from DERs because the feeder would not carry it;
- *re-dispatch*: what a newer clearing changed of awards.

The parts add up to the change. Where DERs are inside a DSO's curve (offers end at the DSO), its newer
forecast and its newer optimum cannot be told apart at the interface: both are in the re-dispatch. Where
nobody offers anything, all is forecast. Each part is bought or sold at the real-time LMP of the LDA's bus:
day-ahead positions are kept whole, deviations settle at real-time prices.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from federates.coordination.catalog import MODELS
from federates.coordination.model import Tier
from federates.core.arrays import FloatArray
from runner.post.metrics.metric import HOUR_S, KW_PER_MW, Family, Metric, multiplied
from runner.post.run_tables import RunTables, once

Part = Literal["forecast", "override", "redispatch"]
Key = tuple[str, int]
"""LDA and beginning of a market interval."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One part of an LDA's change over the study."""

    lda: str
    """LDA."""
    part: Part
    """Why it changed."""
    mwh: float
    """Change either way: absolute values of market intervals added up. [MWh]"""
    net_mwh: float
    """Change of net import, positive = more. [MWh]"""
    cost_usd: float
    """Bought at the real-time LMP less sold at it. [$]"""
    payer: str
    """Who bears it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """Parts of the change of net import, each of shape (keys,). [MW]"""

    keys: tuple[Key, ...]
    """LDA and interval of each."""
    forecast_mw: FloatArray
    override_mw: FloatArray
    redispatch_mw: FloatArray
    lmp_usd_per_mwh: FloatArray
    """Real-time price at the LDA's bus. [$/MWh]"""


@once
def ledger(tables: RunTables) -> tuple[Entry, ...]:
    """The ledger of a run, by LDA and part."""
    found = changes(tables)
    payers = _payers(tables)
    entries = []
    for lda in sorted({lda for lda, _ in found.keys}):
        mine = np.array([of == lda for of, _ in found.keys])
        parts: tuple[tuple[Part, FloatArray], ...] = (
            ("forecast", found.forecast_mw),
            ("override", found.override_mw),
            ("redispatch", found.redispatch_mw),
        )
        for part, mw in parts:
            mwh = mw[mine] * tables.market_h
            entries.append(
                Entry(
                    lda=lda,
                    part=part,
                    mwh=float(np.abs(mwh).sum()),
                    net_mwh=float(mwh.sum()),
                    cost_usd=float((mwh * found.lmp_usd_per_mwh[mine]).sum()),
                    payer=payers[part],
                )
            )
    return tuple(entries)


def changes(tables: RunTables) -> Changes:
    """Change of each LDA's net import from day-ahead award to meters, cut into its parts."""
    tier = MODELS[tables.run.coordination].offers_to
    award = tables.interval_means("award", tables.column("award", "award_mw"))
    price = tables.interval_means("award", tables.column("award", "lmp_usd_per_mwh"))
    metered = tables.interval_means("head", tables.column("head", "p_mw"))
    ahead = _by_hour(tables, "da_interface", tables.column("da_interface", "award_mw"))
    fixed, injected = _fixed_mw(tables), _injected_mw(tables)
    overridden = override_mw(tables)
    keys = tuple(sorted(key for key in award.keys() & metered.keys() if _hour(key) in ahead))

    def column(values: Mapping[Key, float], *, hourly: bool = False) -> FloatArray:
        return np.array([values.get(_hour(key) if hourly else key, 0.0) for key in keys])

    now, before, meter = column(award), column(ahead, hourly=True), column(metered)
    override = column(overridden)
    forecast = meter - now - override
    redispatch = now - before
    if tier is Tier.NOBODY:
        forecast, redispatch = forecast + redispatch, np.zeros(len(keys))
    elif tier is Tier.ISO:
        inflexible = column(fixed)
        forecast += inflexible - before
        redispatch = now - inflexible + column(injected, hourly=True)
    return Changes(
        keys=keys,
        forecast_mw=forecast,
        override_mw=override,
        redispatch_mw=redispatch,
        lmp_usd_per_mwh=column(price),
    )


def override_mw(tables: RunTables) -> dict[Key, float]:
    """Net import that overrides added to each LDA in each interval; empty where there were none. [MW]"""
    if "override" not in tables.names:
        return {}
    ldas, place = tables.owners("override")
    cut_kw = tables.column("override", "asked_kw") - tables.column("override", "allowed_kw")
    cut_mw = cut_kw * tables.multiplicities("override") / KW_PER_MW
    found: dict[Key, float] = {}
    rows = zip(place.tolist(), tables.interval("override").tolist(), cut_mw.tolist(), strict=True)
    for k, t, mw in rows:
        found[ldas[k], t] = found.get((ldas[k], t), 0.0) + mw
    return found


def undelivered_mwh(tables: RunTables) -> float:
    """What DSOs that dispatch did not deliver of awards, either way, multiplicity included; else 0. [MWh]

    In each interval the greater of two figures: the dispatch's shortfall on the DSO's twin as it begins, and
    what mending and the fast loop leave unmet as it ends. They are not added: the loop works on all that the
    meter misses, the shortfall included. Forecast errors that the loop had no room for are thus counted,
    whose like M2's overrides do not have. The end of the last interval is not recorded.
    """
    if "dispatch" not in tables.names:
        return 0.0
    names, codes = tables.ids("dispatch")
    t_s, market_s = tables.t_s("dispatch"), tables.run.clock.market_s
    keys = [(names[code], t) for code, t in zip(codes.tolist(), t_s.tolist(), strict=True)]
    left = np.abs(multiplied(tables, "dispatch", "unmet_mw")).tolist()
    unmet = {(lda, t - market_s): mw for (lda, t), mw in zip(keys, left, strict=True)}
    shortfall = np.abs(multiplied(tables, "dispatch", "shortfall_mw"))
    return float(np.maximum(shortfall, [unmet.get(key, 0.0) for key in keys]).sum()) * tables.market_h


def awarded_mwh(tables: RunTables) -> float:
    """Awards of all LDAs, either way. [MWh]"""
    return float(np.abs(tables.column("award", "award_mw")).sum()) * tables.market_h


def _payers(tables: RunTables) -> dict[Part, str]:
    match MODELS[tables.run.coordination].offers_to:
        case Tier.ISO:
            return {"forecast": "LDA", "override": "aggregator", "redispatch": "aggregator"}
        case Tier.DSO:
            return {"forecast": "DSO", "override": "DSO", "redispatch": "DSO"}
        case Tier.NOBODY:
            return {"forecast": "LDA", "override": "LDA", "redispatch": "LDA"}


def _fixed_mw(tables: RunTables) -> dict[Key, float]:
    """Greatest net import that each LDA bid for the interval of a clearing. [MW]"""
    names, codes = tables.ids("bid")
    found: dict[Key, float] = {}
    of = [(name.split("/")[0], int(name.split("/")[1])) for name in names]
    for code, t, value in zip(
        codes.tolist(), tables.t_s("bid").tolist(), tables.column("bid", "import_mw").tolist(), strict=True
    ):
        if of[code][1] == t:
            found[of[code]] = max(found.get(of[code], value), value)
    return found


def _injected_mw(tables: RunTables) -> dict[Key, float]:
    """Day-ahead injection of each LDA's DERs with awards of their own, by hour. [MW]"""
    names, codes = tables.ids("settlement")
    found: dict[Key, float] = {}
    rows = zip(
        codes.tolist(), tables.t_s("settlement").tolist(),
        tables.column("settlement", "quantity_mwh").tolist(), strict=True,
    )  # fmt: skip
    ldas = tuple(tables.run.multiplicity)
    for code, t, mwh in rows:
        kind, who, market, item = names[code].split("/")
        if (kind, market, item) == ("der", "day_ahead", "energy"):
            key = _lda_of(who, ldas), t
            found[key] = found.get(key, 0.0) + mwh / _settled_h(tables, t)
    return found


def _settled_h(tables: RunTables, hour: int) -> float:
    """How much of a day-ahead hour lies in the study, and is settled. [h]"""
    last_s: int = min(hour + HOUR_S, tables.run.clock.duration_s)
    return (last_s - max(hour, 0)) / HOUR_S


def unbooked_usd(tables: RunTables) -> float:
    """What the ISO settled of LDAs' deviations, their aggregators' included, that no part explains. [$]"""
    names, codes = tables.ids("settlement")
    paid = np.bincount(codes, tables.column("settlement", "amount_usd"), len(names)).tolist()
    settled: float = sum(
        usd
        for name, usd in zip(names, paid, strict=True)
        if name.startswith(("lda/", "der/")) and name.endswith("/real_time/energy")
    )
    return -settled - sum(entry.cost_usd for entry in ledger(tables))


def _lda_of(aggregator: str, ldas: tuple[str, ...]) -> str:
    """LDA in the name ``agg_LDA_OWNER``; of two that fit, the longer."""
    fitting = [lda for lda in ldas if aggregator.startswith(f"agg_{lda}_")]
    return max(fitting, key=len)


def _by_hour(tables: RunTables, table: str, values: FloatArray) -> dict[Key, float]:
    names, codes = tables.ids(table)
    rows = zip(codes.tolist(), tables.t_s(table).tolist(), values.tolist(), strict=True)
    return {(names[code], t): value for code, t, value in rows}


def _hour(key: Key) -> Key:
    """LDA and the day-ahead hour, which begins on the clock's hour, as studies do."""
    return key[0], key[1] // HOUR_S * HOUR_S


def _part_mwh(tables: RunTables, part: Part) -> float:
    return sum(entry.mwh for entry in ledger(tables) if entry.part == part)


NEEDS = ("award", "head", "da_interface", "bid", "settlement")

FAMILY = Family(
    key="unwinding",
    title="Unwinding: from the day-ahead award to the meters",
    metrics=(
        Metric(
            key="unwound_mwh", needs=NEEDS, better="less", title="awards that had to be unwound",
            value=lambda t: _part_mwh(t, "override") + undelivered_mwh(t),
            meaning="overrides, and what dispatching DSOs did not deliver of awards",
        ),
        Metric(
            key="override_mwh", needs=NEEDS, better="less", value=lambda t: _part_mwh(t, "override"),
            meaning="taken from DERs by overrides, either way", title="overridden",
        ),
        Metric(
            key="override_cost_usd", needs=NEEDS, better="less",
            value=lambda t: sum(e.cost_usd for e in ledger(t) if e.part == "override"),
            meaning="what overrides took, bought at the real-time LMP",
        ),
        Metric(
            key="undelivered_mwh", needs=NEEDS, better="less", value=undelivered_mwh,
            meaning="of each interval the greater, either way, of what the DSO's dispatch falls short of the "
            "award on its twin and what mending and the fast loop leave unmet at its end, forecast errors "
            "included; of the last interval the first alone",
        ),
        Metric(
            key="undelivered_pct", needs=NEEDS, better="less",
            value=lambda t: 100.0 * (_part_mwh(t, "override") + undelivered_mwh(t)) / awarded_mwh(t),
            meaning="overrides and undelivered awards over all awards",
        ),
        Metric(
            key="unwinding_unbooked_usd", needs=NEEDS, better="less", value=unbooked_usd,
            meaning="real-time energy statements of LDAs and their aggregators less the cost of the ledger's "
            "parts: cents of rounding, and what meters of head and interface differ by",
        ),
        Metric(
            key="forecast_change_mwh", needs=NEEDS, value=lambda t: _part_mwh(t, "forecast"),
            meaning="change from day-ahead award to meters that came from forecasts, either way",
        ),
        Metric(
            key="redispatch_mwh", needs=NEEDS, value=lambda t: _part_mwh(t, "redispatch"),
            meaning="change that newer clearings made of awards, either way; under a total DSO its newer "
            "forecast is part of it",
        ),
    ),
)  # fmt: skip
