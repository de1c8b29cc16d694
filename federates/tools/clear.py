"""A transmission case from a file, cleared once as a direct-current market: prices, outputs, lines that bind.

Every unit in service is on and offers its cost between its limits; every load is fixed.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.reader import read_market_file
from federates.core.arrays import FloatArray
from federates.iso.network import market_network
from federates.iso.offers import UnitWindow
from federates.iso.penalties import Penalties
from federates.iso.sced import Clearing, Sced

Row = dict[str, object]
HARD = 1_000.0
"""How much dearer penalties are where limits are to be kept at any cost: dearer than a case's own offers."""


def run(arguments: dict[str, object]) -> dict[str, object]:
    """What the case at ``path`` costs and its prices, polynomial costs cut into ``blocks`` blocks.

    Limits give way at the market's penalties, with ``hard_limits`` only where nothing else is possible.
    ``losses`` are those of the flows, else none.

    ``answer`` holds the keys for programs; ``system``, ``buses``, ``units`` and ``lines`` what people see.
    """
    case = read_market_file(Path(str(arguments["path"])), blocks=int(str(arguments["blocks"])))
    penalties = hard_penalties() if arguments["hard_limits"] else Penalties()
    clearing = clear_once(case, penalties, losses=bool(arguments["losses"]))
    return {
        "answer": _answer(case, clearing),
        "system": _system(case, clearing),
        "buses": _buses(case, clearing),
        "units": _units(case, clearing),
        "lines": _lines(case, clearing),
    }


def hard_penalties() -> Penalties:
    """Penalties dearer than any offer, without caps on prices."""
    usual = Penalties()
    return replace(
        usual,
        short=tuple((share, HARD * usd) for share, usd in usual.short),
        surplus_usd_per_mwh=HARD * usual.surplus_usd_per_mwh,
        line=tuple((share, HARD * usd) for share, usd in usual.line),
        cap_usd_per_mwh=np.inf,
        floor_usd_per_mwh=-np.inf,
    )


def clear_once(case: TransmissionCase, penalties: Penalties, *, losses: bool = False) -> Clearing:
    """Dispatch and prices of a case's own load, every unit on between its limits."""
    units = case.units
    window = UnitWindow(
        lower_mw=units.p_min_mw, upper_mw=units.p_max_mw, committed=np.ones(len(units.ids), dtype=np.bool_)
    )
    market = Sced(market_network(case), units, penalties=penalties, losses=losses)
    return market.clear(case.buses.load_mw, window)


def _answer(case: TransmissionCase, clearing: Clearing) -> dict[str, object]:
    buses, prices = case.buses.ids, clearing.prices
    energy = np.full(len(buses), prices.energy_usd_per_mwh)
    shadow_price = np.abs(clearing.line_price_usd_per_mwh)
    return {
        "status": "ok",
        "exit_reason": "",
        "objective_usd_per_h": clearing.objective_usd_per_h,
        "lmp_usd_per_mwh": _by(buses, prices.lmp_usd_per_mwh),
        "energy_usd_per_mwh": _by(buses, energy),
        "congestion_usd_per_mwh": _by(buses, prices.congestion_usd_per_mwh),
        "loss_usd_per_mwh": _by(buses, prices.loss_usd_per_mwh),
        "dispatch_mw": _by(case.units.ids, clearing.unit_mw),
        "binding": {case.branches.ids[m]: float(shadow_price[m]) for m in clearing.binding},
        "loss_mw": clearing.loss_mw,
        "unserved_mw": float(clearing.shed_mw.sum()),
        "surplus_mw": float(clearing.surplus_mw.sum()),
        "overload_mw": clearing.overload_mw,
        "penalty_priced": clearing.penalty_priced,
    }


def _by(names: tuple[str, ...], values: FloatArray) -> dict[str, float]:
    return dict(zip(names, values.tolist(), strict=True))


def _system(case: TransmissionCase, clearing: Clearing) -> Row:
    return {
        "name": case.name,
        "buses_count": len(case.buses.ids),
        "branches_count": len(case.branches.ids),
        "units_count": len(case.units.ids),
        "load_mw": float(case.buses.load_mw.sum()),
        "capacity_mw": float(case.units.p_max_mw.sum()),
        "output_mw": float(clearing.unit_mw.sum()),
        "energy_usd_per_mwh": float(clearing.prices.energy_usd_per_mwh),
    }


def _buses(case: TransmissionCase, clearing: Clearing) -> list[Row]:
    prices = clearing.prices
    return [
        {
            "bus": bus,
            "load_mw": float(case.buses.load_mw[n]),
            "lmp_usd_per_mwh": float(prices.lmp_usd_per_mwh[n]),
            "energy_usd_per_mwh": float(prices.energy_usd_per_mwh),
            "congestion_usd_per_mwh": float(prices.congestion_usd_per_mwh[n]),
            "loss_usd_per_mwh": float(prices.loss_usd_per_mwh[n]),
        }
        for n, bus in enumerate(case.buses.ids)
    ]


def _units(case: TransmissionCase, clearing: Clearing) -> list[Row]:
    units = case.units
    return [
        {
            "unit": unit,
            "bus": case.buses.ids[units.bus[g]],
            "output_mw": float(clearing.unit_mw[g]),
            "p_min_mw": float(units.p_min_mw[g]),
            "p_max_mw": float(units.p_max_mw[g]),
            "lmp_usd_per_mwh": float(clearing.prices.lmp_usd_per_mwh[units.bus[g]]),
        }
        for g, unit in enumerate(units.ids)
    ]


def _lines(case: TransmissionCase, clearing: Clearing) -> list[Row]:
    return [
        {
            "line": case.branches.ids[m],
            "flow_mw": float(clearing.flow_mw[m]),
            "rating_mw": float(case.branches.rating_mw[m]),
            "shadow_price_usd_per_mwh": abs(float(clearing.line_price_usd_per_mwh[m])),
        }
        for m in clearing.binding
    ]
