"""The day-ahead unit commitment of RTS-GMLC for one date, with its network, and the prices that follow.

Energy, four nested reserves at the data's day-ahead requirements, losses of the flows. Prices of energy are
those of the pricing run asked for, those of reserves and lines always of the one with the commitment fixed.
"""

from __future__ import annotations

import time
from datetime import date, datetime

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.reader import read_case, read_series
from federates.cases.rts_reserves import read_rts_reserves
from federates.core.arrays import BoolArray, FloatArray
from federates.core.time import DAY_S, Clock
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.network import market_network
from federates.iso.offers import FUELLED
from federates.iso.pricing import Prices
from federates.iso.reserves import PRODUCTS, nested_rules
from federates.iso.scuc import Scuc
from federates.lp.solution import SearchBudget

PRICING_RUNS = {"fixed": "commitment fixed", "relaxed": "commitment relaxed between 0 and 1"}
"""What each pricing run is called."""
MW = 1e-6
"""Output that counts as none. [MW]"""
TOLD_USD_PER_MWH = 0.005
"""A line is told of in an hour where one more MW of rating would save half a cent. [$/MWh]"""


def run(arguments: dict[str, object]) -> dict[str, object]:
    """Commitment of ``date`` (ISO format) to a relative gap of ``gap``, and prices of the run ``pricing``.

    ``answer`` holds the keys for programs; ``groups`` and ``hours`` what people see.
    """
    case = read_case("rts_gmlc", voltage_support=False)
    bids = day_bids(case, date.fromisoformat(str(arguments["date"])))
    begin_s = time.process_time()
    network, pricing = market_network(case), str(arguments["pricing"])
    market = Scuc(network, case.units, rules=nested_rules(network.region), losses=True)
    day = market.commit(bids, market.start_state(bids), SearchBudget(gap=float(str(arguments["gap"]))))
    cpu_s = time.process_time() - begin_s
    return {
        "answer": {
            "status": "ok",
            "exit_reason": "",
            "date": str(arguments["date"]),
            "cpu_s": cpu_s,
            "pricing_run": PRICING_RUNS[pricing],
            **_answer(case, day, _prices(day, pricing)),
        },
        "groups": _groups(case, bids, day),
        "hours": _hours(case, bids, day, _prices(day, pricing)),
    }


def day_bids(case: TransmissionCase, day: date) -> DayBids:
    """Day-ahead series of a date as one day's bids.

    Raises
    ------
    MissingInputError
        If the date lies outside the year of the data.
    """
    clock = Clock(start=datetime(day.year, day.month, day.day), duration_s=DAY_S)  # noqa: DTZ001 local standard time
    series = read_series(case, clock, "day_ahead", 0, DAY_S)
    return DayBids(
        demand_mw=series.load_mw,
        available_mw=series.available_mw,
        must_take=series.must_take,
        inflow_mw=series.inflow_mw,
        required_mw=read_rts_reserves(clock, "day_ahead", 0, DAY_S),
    )


def _prices(day: DayAhead, pricing: str) -> Prices:
    return day.prices if pricing == "fixed" else day.relaxed_prices


def _answer(case: TransmissionCase, day: DayAhead, prices: Prices) -> dict[str, object]:
    buses, units = case.buses.ids, case.units
    energy = np.broadcast_to(prices.energy_usd_per_mwh[:, None], prices.raw_usd_per_mwh.shape)
    shadow_price = np.abs(day.line_price_usd_per_mwh)
    fuelled = np.flatnonzero(units.of_kind(*FUELLED))
    return {
        "objective_usd": day.objective_usd,
        "bound_usd": day.search.bound_usd,
        "gap_pct": 100.0 * (day.objective_usd - day.search.bound_usd) / day.objective_usd,
        "nodes_count": day.search.nodes_count,
        "time_limited": day.search.time_limited,
        "lmp_usd_per_mwh": _by(buses, prices.lmp_usd_per_mwh),
        "energy_usd_per_mwh": _by(buses, energy),
        "congestion_usd_per_mwh": _by(buses, prices.congestion_usd_per_mwh),
        "loss_usd_per_mwh": _by(buses, prices.loss_usd_per_mwh),
        "commitment": {units.ids[g]: day.commitment[:, g].astype(int).tolist() for g in fuelled},
        "dispatch_mw": _by(units.ids, day.unit_mw),
        "binding": {
            case.branches.ids[m]: shadow_price[:, m].tolist()
            for m in np.flatnonzero((shadow_price > TOLD_USD_PER_MWH).any(axis=0))
        },
        "loss_mw": day.loss_mw.tolist(),
        "reserve_mw": _reserve_mw(case, day),
        "reserve_usd_per_mw_h": _by(PRODUCTS, day.reserves.price_usd_per_mw_h.max(axis=2)),
        "reserve_short_mwh": float(day.reserves.short_mw.sum()),
        "penalty_priced": day.penalty_priced.tolist(),
        "unserved_mwh": float(day.shed_mw.sum()),
        "surplus_mwh": float(day.surplus_mw.sum()),
        "overload_mwh": day.overload_mwh,
    }


def _by(names: tuple[str, ...], values: FloatArray) -> dict[str, list[float]]:
    """One list over the hours for each name."""
    return dict(zip(names, values.T.tolist(), strict=True))


def _reserve_mw(case: TransmissionCase, day: DayAhead) -> dict[str, dict[str, list[float]]]:
    """Awards by product and unit, over the hours, of the units that have any."""
    return {
        product: {
            unit: awards.tolist()
            for unit, awards in zip(case.units.ids, day.reserves.unit_mw[:, k].T, strict=True)
            if awards.max() > MW
        }
        for k, product in enumerate(PRODUCTS)
    }


def _groups(case: TransmissionCase, bids: DayBids, day: DayAhead) -> list[dict[str, object]]:
    """Fuelled units by technology, one by one; everything else added up by kind."""
    units = case.units
    fuelled = units.of_kind(*FUELLED)
    technology = [name.split("_")[1] for name in units.ids]
    groups: list[dict[str, object]] = []
    for group in dict.fromkeys(t for t, own in zip(technology, fuelled, strict=True) if own):
        places = [g for g in np.flatnonzero(fuelled) if technology[g] == group]
        rows = [
            _row(units.ids[g], day.unit_mw[:, g], float(units.p_max_mw[g]), day.commitment[:, g])
            for g in places
        ]
        groups.append({"kind": group, "is_committed": True, "rows": rows})
    for kind in dict.fromkeys(k for k, own in zip(units.kind, fuelled, strict=True) if not own):
        mask = units.of_kind(kind)
        output_mw = day.unit_mw[:, mask].sum(axis=1)
        if np.abs(output_mw).max() > MW:
            most_mw = float(bids.available_mw[:, mask].sum(axis=1).max())
            row = _row(
                f"{mask.sum()} unit{'s' if mask.sum() > 1 else ''}",
                output_mw,
                most_mw,
                np.abs(output_mw) > MW,
            )
            groups.append({"kind": kind, "is_committed": False, "rows": [row]})
    return groups


def _row(name: str, output_mw: FloatArray, most_mw: float, on: BoolArray) -> dict[str, object]:
    return {
        "name": name,
        "output_mw": output_mw.tolist(),
        "most_mw": most_mw,
        "on": on.astype(int).tolist(),
    }


def _hours(case: TransmissionCase, bids: DayBids, day: DayAhead, prices: Prices) -> list[dict[str, object]]:
    lmp, line_price = prices.lmp_usd_per_mwh, np.abs(day.line_price_usd_per_mwh)
    reserve = day.reserves.price_usd_per_mw_h.max(axis=2)
    return [
        {
            "hour": hour,
            "penalty_priced": bool(day.penalty_priced[hour]),
            "demand_mw": float(bids.demand_mw[hour].sum()),
            "loss_mw": float(day.loss_mw[hour]),
            "least_usd_per_mwh": float(lmp[hour].min()),
            "mean_usd_per_mwh": float(prices.energy_usd_per_mwh[hour]),
            "greatest_usd_per_mwh": float(lmp[hour].max()),
            "reserve_usd_per_mw_h": dict(zip(PRODUCTS, reserve[hour].tolist(), strict=True)),
            "binding": {
                case.branches.ids[m]: float(line_price[hour, m])
                for m in np.flatnonzero(line_price[hour] > TOLD_USD_PER_MWH)
            },
        }
        for hour in range(lmp.shape[0])
    ]
