"""Random meshed systems with ramps, stores, wind, reserves and net curves, for laws of the dispatch."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow, UnitRow
from federates.core.arrays import FloatArray
from federates.core.curve import NetCurve
from federates.iso.network import market_network
from federates.iso.offers import FUELLED, OfferedBlocks, UnitWindow, ramp_window
from federates.iso.products.stores import StoreOutlook
from federates.iso.reserves import PRODUCTS, NetReserves, nested_rules
from federates.iso.sced import Clearing, Sced
from tests.unit.iso.market_cases import case_of

BUSES = 5
SLOTS = 15
LENGTH_S = 900


@dataclass(frozen=True, slots=True, kw_only=True)
class System:
    """A case and one clearing's inputs."""

    case: TransmissionCase
    demand_mw: FloatArray
    window: UnitWindow
    curves: tuple[NetCurve, ...]
    blocks: OfferedBlocks
    outlook: StoreOutlook
    required_mw: FloatArray
    net_reserves: NetReserves

    @property
    def times(self) -> int:
        return int(self.demand_mw.shape[0])

    def market(self, *, losses: bool = False, **more: object) -> Sced:
        network = market_network(self.case)
        return Sced(
            network,
            self.case.units,
            curve_bus=np.array([1, 3]),
            curve_slots=np.array([4, 4]),
            block_bus=np.arange(SLOTS) % BUSES,
            intervals=self.times,
            length_s=LENGTH_S,
            rules=nested_rules(network.region),
            losses=losses,
            stores=True,
            **more,  # type: ignore[arg-type]
        )

    def clear(self, sced: Sced, demand_mw: FloatArray | None = None, **other: object) -> Clearing:
        given: dict[str, object] = {
            "outlook": self.outlook,
            "required_mw": self.required_mw,
            "net_reserves": self.net_reserves,
            **other,
        }
        return sced.clear(
            self.demand_mw if demand_mw is None else demand_mw,
            self.window,
            list(self.curves),
            self.blocks,
            **given,  # type: ignore[arg-type]
        )


def random_system(
    seed: int, *, times: int = 1, rating_mw: float = 45.0, r_pu: float = 0.0, load: float = 1.0
) -> System:
    """A ring of two areas with a chord: nine thermal units, wind, a store, two curves that offer spin."""
    rng = np.random.default_rng(seed)
    ends = [(k, (k + 1) % BUSES) for k in range(BUSES)] + [(0, 2)]
    loads = load * rng.uniform(20.0, 80.0, BUSES) * (rng.uniform(size=BUSES) > 0.25)
    loads[0] = 40.0 * load
    thermal = [
        UnitRow(
            id=f"G{k}",
            bus=k % BUSES,
            kind="thermal",
            p_min_mw=0.0 if k % 2 else 5.0,
            p_max_mw=float(rng.uniform(40.0, 90.0)),
            ramp_mw_per_min=float(rng.uniform(0.3, 3.0)),
            min_up_h=1.0,
            no_load_usd_per_h=50.0,
            starts=((0.0, 100.0),),
            blocks=tuple((20.0, float(price)) for price in np.sort(rng.uniform(8.0, 90.0, 2))),
        )
        for k in range(9)
    ]
    thermal = [replace(u, p_max_mw=u.p_min_mw + sum(w for w, _ in u.blocks)) for u in thermal]
    others = [
        UnitRow(id="W", bus=2, kind="wind", p_max_mw=60.0, ramp_mw_per_min=10.0),
        UnitRow(
            id="S",
            bus=4,
            kind="storage",
            p_max_mw=25.0,
            ramp_mw_per_min=50.0,
            energy_mwh=40.0,
            charge_mw=20.0,
            round_trip=0.81,
        ),
    ]
    case = case_of(
        [BusRow(id=str(k), base_kv=138.0, area=1 + k // 3, load_mw=loads[k]) for k in range(BUSES)],
        [
            BranchRow(
                id=f"L{k}",
                from_bus=f,
                to_bus=t,
                r_pu=r_pu,
                x_pu=float(rng.uniform(0.05, 0.2)),
                rating_mw=rating_mw,
            )
            for k, (f, t) in enumerate(ends)
        ],
        [*thermal, *others],
    )
    units = case.units
    available = np.tile(units.p_max_mw, (times, 1)) * 1.0
    available[:, 9] = rng.uniform(5.0, 60.0, times)
    committed = np.ones(len(units.ids), dtype=np.bool_)
    committed[:9] = rng.uniform(size=9) > 0.2
    previous = np.where(committed & units.of_kind(*FUELLED), rng.uniform(units.p_min_mw, units.p_max_mw), 0.0)
    window = ramp_window(
        units,
        previous_mw=previous,
        committed=np.tile(committed, (times, 1)),
        available_mw=available,
        must_take=np.zeros(len(units.ids), dtype=np.bool_),
        schedule_mw=np.zeros((times, len(units.ids))),
        length_s=LENGTH_S,
    )
    n = len(units.ids)
    offered, asked = np.zeros((2, len(PRODUCTS), 1)), np.zeros((2, len(PRODUCTS), 1))
    offered[0, 0, 0], asked[0, 0, 0] = 4.0, 3.0
    offered[0, 2, 0], asked[0, 2, 0] = 6.0, 2.0
    return System(
        case=case,
        demand_mw=loads * rng.uniform(0.8, 1.2, (times, 1)),
        window=window,
        curves=tuple(
            NetCurve(
                import_mw=np.sort(rng.uniform(-20.0, 30.0, 4)),
                price_usd_per_mwh=np.sort(rng.uniform(5.0, 110.0, 4))[::-1].copy(),
            )
            for _ in range(2)
        ),
        blocks=OfferedBlocks(
            width_mw=rng.uniform(0.0, 3.0, SLOTS),
            price_usd_per_mwh=np.round(rng.uniform(10.0, 90.0, SLOTS), -1),
        ),
        outlook=StoreOutlook(
            energy_mwh=np.where(units.of_kind("storage"), rng.uniform(5.0, 35.0), 0.0),
            inflow_mw=np.zeros((times, n)),
            target_mwh=np.where(units.of_kind("storage"), rng.uniform(5.0, 35.0), 0.0),
            short_usd_per_mwh=np.full(n, rng.uniform(40.0, 90.0)),
            spare_usd_per_mwh=np.full(n, rng.uniform(0.0, 40.0)),
            available_mw=available,
        ),
        required_mw=rng.uniform(1.0, 4.0) * np.array([6.0, 5.0, 8.0, 8.0, 25.0]),
        net_reserves=NetReserves(
            offered_mw=offered,
            price_usd_per_mw_h=asked,
            p_lo_mw=np.full(2, -25.0),
            p_hi_mw=np.full(2, 35.0),
        ),
    )
