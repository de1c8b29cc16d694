"""The day-ahead unit commitment of RTS-GMLC for one date, with its network, and the prices that follow.

Energy only and lossless. The prices are those of the pricing run with the commitment fixed.
"""

from __future__ import annotations

import time
from datetime import date, datetime

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.reader import read_case, read_series
from federates.core.arrays import BoolArray, FloatArray
from federates.core.time import DAY_S, Clock
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.network import market_network
from federates.iso.offers import FUELLED
from federates.iso.scuc import Scuc
from federates.lp.solution import SearchBudget

PRICING_RUN = "fixed commitment"
MW = 1e-6
"""Output that counts as none. [MW]"""
TOLD_USD_PER_MWH = 0.005
"""A line is told of in an hour where one more MW of rating would save half a cent. [$/MWh]"""


def run(arguments: dict[str, object]) -> dict[str, object]:
    """Commitment and prices of ``date`` (ISO format) to a relative gap of ``gap``.

    ``answer`` holds the keys for programs; ``groups`` and ``hours`` what people see.
    """
    case = read_case("rts_gmlc", voltage_support=False)
    bids = day_bids(case, date.fromisoformat(str(arguments["date"])))
    begin_s = time.process_time()
    market = Scuc(market_network(case), case.units)
    day = market.commit(bids, market.start_state(bids), SearchBudget(gap=float(str(arguments["gap"]))))
    cpu_s = time.process_time() - begin_s
    return {
        "answer": {
            "status": "ok",
            "exit_reason": "",
            "date": str(arguments["date"]),
            "cpu_s": cpu_s,
            **_answer(case, day),
        },
        "groups": _groups(case, bids, day),
        "hours": _hours(case, bids, day),
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
    )


def _answer(case: TransmissionCase, day: DayAhead) -> dict[str, object]:
    buses, prices, units = case.buses.ids, day.prices, case.units
    energy = np.broadcast_to(prices.energy_usd_per_mwh[:, None], prices.raw_usd_per_mwh.shape)
    shadow_price = np.abs(day.line_price_usd_per_mwh)
    fuelled = np.flatnonzero(units.of_kind(*FUELLED))
    return {
        "objective_usd": day.objective_usd,
        "bound_usd": day.search.bound_usd,
        "gap_pct": 100.0 * (day.objective_usd - day.search.bound_usd) / day.objective_usd,
        "nodes_count": day.search.nodes_count,
        "time_limited": day.search.time_limited,
        "pricing_run": PRICING_RUN,
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
        "unserved_mwh": float(day.shed_mw.sum()),
        "surplus_mwh": float(day.surplus_mw.sum()),
        "overload_mwh": day.overload_mwh,
    }


def _by(names: tuple[str, ...], values: FloatArray) -> dict[str, list[float]]:
    """One list over the hours for each name."""
    return dict(zip(names, values.T.tolist(), strict=True))


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


def _hours(case: TransmissionCase, bids: DayBids, day: DayAhead) -> list[dict[str, object]]:
    lmp, line_price = day.prices.lmp_usd_per_mwh, np.abs(day.line_price_usd_per_mwh)
    return [
        {
            "hour": hour,
            "demand_mw": float(bids.demand_mw[hour].sum()),
            "least_usd_per_mwh": float(lmp[hour].min()),
            "mean_usd_per_mwh": float(day.prices.energy_usd_per_mwh[hour]),
            "greatest_usd_per_mwh": float(lmp[hour].max()),
            "binding": {
                case.branches.ids[m]: float(line_price[hour, m])
                for m in np.flatnonzero(line_price[hour] > TOLD_USD_PER_MWH)
            },
        }
        for hour in range(lmp.shape[0])
    ]
