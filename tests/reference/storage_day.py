"""A day with storage in two areas, cleared in every way that a total DSO may bid, and jointly.

A hand-made grid of three buses: a stack of units whose cost rises evenly, one line that is full in the
evening, and two areas without inner limits but those of their heads: one with much sun, one with an evening
peak. Each has ten batteries, all different. All is known beforehand, so that what is lost is lost by the bid.

The joint optimum has every battery in the ISO's own program. Every other way is judged by what is done: hour
by hour, batteries offer what they hold at its opportunity cost against the prices expected, the DSO makes one
curve, the ISO clears that hour, the award is dispatched and the energy moves. Cost is that of all units, of
the areas' generators and of wear, less what is left in store at one price for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from federates.cases.case import TransmissionCase
from federates.cases.rows import BranchRow, BusRow
from federates.core.arrays import FloatArray, IntArray
from federates.core.curve import NetCurve
from federates.der.storage_value import StorageFleet, marginal_values, offer_blocks
from federates.dso.bid import FeederCurve, LdaCurve, lda_curve, price_ladder
from federates.dso.bid_method import FixedQuantity, IntervalCurve
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.lda_stores import LdaStores, no_stores
from federates.iso.network import market_network
from federates.iso.rounds import Round, Rounds
from federates.iso.scuc import Scuc
from federates.iso.unit_state import UnitState
from tests.unit.iso.market_cases import case_of, offer

HOURS = 24
UNITS = 100

KW_PER_MW = 1_000.0
SHED_MW = 1e-6
AREA_BUS = np.array([1, 2])
BATTERIES = 10
SUN, GENERATOR, FIRST_BATTERY = 0, 1, 2
Method = IntervalCurve | FixedQuantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """One area: fixed demand, sun that may be curtailed, a generator, batteries, and limits of its head."""

    demand_kw: FloatArray
    """Shape (24,). [kW]"""
    sun_kw: FloatArray
    """Shape (24,). [kW]"""
    generator_kw: float
    generator_usd_per_mwh: float
    batteries: StorageFleet
    begin_kwh: FloatArray
    """Shape (batteries,). [kWh]"""
    import_limit_mw: float
    export_limit_mw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a day came to."""

    cost_usd: float
    """Of units, generators and wear, less the worth of what is left in store. [$]"""
    price_usd_per_mwh: FloatArray
    """At the areas' buses, shape (24, areas). [$/MWh]"""
    import_mw: FloatArray
    """Shape (24, areas). [MW]"""
    moved_mwh: float
    """Drawn and given back by the batteries. [MWh]"""


def grid() -> TransmissionCase:
    """1000 MW at bus 0 whose cost rises evenly from 10 to 90 $/MWh, and eight dear units behind a line."""
    buses = [BusRow(id=str(k), base_kv=230.0, load_mw=1.0) for k in range(3)]
    lines = [
        BranchRow(id="west", from_bus=0, to_bus=1, r_pu=0.001, x_pu=0.01, rating_mw=900.0),
        BranchRow(id="east", from_bus=0, to_bus=2, r_pu=0.001, x_pu=0.01, rating_mw=190.0),
    ]
    stack = [offer(f"g{k}", 0, 1000.0 / UNITS, 10.0 + 80.0 * (k / (UNITS - 1)) ** 1.5) for k in range(UNITS)]
    dear = [offer(f"e{k}", 2, 10.0, 60.0 + 5.0 * k) for k in range(8)]
    return case_of(buses, lines, stack + dear)


def _hourly(*points: tuple[float, float]) -> FloatArray:
    """Values of 24 hours, straight between (hour, value) points."""
    hour, value = np.array(points).T
    return np.asarray(np.interp(np.arange(HOURS) + 0.5, hour, value))


def storage_fleet(rng: np.random.Generator, power_kw: FloatArray, energy_kwh: FloatArray) -> StorageFleet:
    """Batteries of given power and energy, all different in efficiency and wear, shapes (batteries,)."""
    none = np.zeros(power_kw.size)
    return StorageFleet(
        charge_kw=power_kw,
        discharge_kw=power_kw,
        energy_kwh=energy_kwh,
        charge_efficiency=rng.uniform(0.9, 0.97, power_kw.size),
        discharge_efficiency=rng.uniform(0.9, 0.97, power_kw.size),
        wear_usd_per_mwh=rng.uniform(2.0, 8.0, power_kw.size),
        leak_per_h=none,
        due_usd_per_mwh=none,
        terminal_share=none + 1.0,
        terminal_below_kwh=energy_kwh,
    )


def areas(batteries_mw: float) -> tuple[Area, Area]:
    """One with much sun, one with an evening peak behind the line; ``batteries_mw`` about in each."""
    rng = np.random.default_rng(5)
    load = _hourly((0, 0.6), (5, 0.5), (9, 0.8), (16, 0.8), (19, 1.0), (24, 0.62))
    evening = _hourly((0, 0.55), (5, 0.45), (8, 0.75), (15, 0.7), (19.5, 1.0), (24, 0.6))
    sun = np.maximum(np.sin(np.pi * (np.arange(HOURS) + 0.5 - 6.0) / 13.0), 0.0) ** 1.3
    sun[19:] = 0.0

    def batteries() -> tuple[StorageFleet, FloatArray]:
        power = batteries_mw * KW_PER_MW / BATTERIES * rng.uniform(0.5, 1.5, BATTERIES)
        energy = power * rng.uniform(1.5, 4.0, BATTERIES)
        return storage_fleet(rng, power, energy), energy * rng.uniform(0.2, 0.6, BATTERIES)

    (west, west_begin), (east, east_begin) = batteries(), batteries()
    return (
        Area(
            demand_kw=150_000.0 * load,
            sun_kw=190_000.0 * sun,
            generator_kw=10_000.0,
            generator_usd_per_mwh=66.0,
            batteries=west,
            begin_kwh=west_begin,
            import_limit_mw=160.0,
            export_limit_mw=45.0,
        ),
        Area(
            demand_kw=225_000.0 * evening,
            sun_kw=60_000.0 * sun,
            generator_kw=12_000.0,
            generator_usd_per_mwh=72.0,
            batteries=east,
            begin_kwh=east_begin,
            import_limit_mw=215.0,
            export_limit_mw=50.0,
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaOffers:
    """Offers of one hour: sun, generator, then batteries."""

    demand_kw: float
    floor_kw: FloatArray
    der: IntArray
    width_kw: FloatArray
    price_usd_per_mwh: FloatArray

    def injected_kw(self, price_usd_per_mwh: FloatArray) -> FloatArray:
        """Injections at each price, shape (prices, ders). [kW]"""
        taken = np.where(self.price_usd_per_mwh < price_usd_per_mwh[:, None], self.width_kw, 0.0)
        rows = [np.bincount(self.der, row, self.floor_kw.size) for row in taken]
        return np.asarray(self.floor_kw + np.array(rows))

    def curve(self, area: Area, expected_usd_per_mwh: float, blocks: int) -> LdaCurve:
        """The area's curve, asked for and thinned as a total DSO does."""
        ladder = price_ladder(expected_usd_per_mwh)
        price = np.concatenate([[-np.inf], ladder.price_usd_per_mwh, [np.inf]])
        p_kw = self.injected_kw(price)
        taken = np.where(self.price_usd_per_mwh < price[:, None], self.width_kw, 0.0)
        feeder = FeederCurve(
            price_usd_per_mwh=price,
            import_mw=(self.demand_kw - p_kw.sum(axis=1)) / KW_PER_MW,
            cost_usd_per_h=taken @ self.price_usd_per_mwh / KW_PER_MW,
            p_kw=p_kw,
            q_kvar=np.zeros_like(p_kw),
            screened_count=price.size,
            programs_count=0,
            relaxed_nodes_count=0,
            relaxed_branches_count=0,
            uncovered_nodes_count=0,
        )
        return lda_curve(
            [feeder],
            import_limit_mw=area.import_limit_mw,
            export_limit_mw=area.export_limit_mw,
            window_usd_per_mwh=ladder.window_usd_per_mwh,
            blocks_limit=blocks,
        )


def offers(area: Area, hour: int, slopes: FloatArray | None, soc_kwh: FloatArray) -> AreaOffers:
    """What an area's DERs offer in an hour; ``slopes``: marginal value of energy at its end, None: idle."""
    floor = np.zeros(FIRST_BATTERY + area.batteries.count)
    der, width = [np.array([SUN, GENERATOR])], [np.array([area.sun_kw[hour], area.generator_kw])]
    price = [np.array([0.0, area.generator_usd_per_mwh])]
    if slopes is not None:
        blocks = offer_blocks(area.batteries, slopes, soc_kwh, 1.0)
        floor[FIRST_BATTERY:] = blocks.floor_kw
        der.append(np.repeat(np.arange(FIRST_BATTERY, floor.size), blocks.width_kw.shape[1]))
        width.append(blocks.width_kw.ravel())
        price.append(blocks.price_usd_per_mwh.ravel())
    return AreaOffers(
        demand_kw=float(area.demand_kw[hour]),
        floor_kw=floor,
        der=np.concatenate(der),
        width_kw=np.concatenate(width),
        price_usd_per_mwh=np.concatenate(price),
    )


def moved(area: Area, soc_kwh: FloatArray, p_kw: FloatArray) -> FloatArray:
    """Energy of an area's batteries after an hour at injections of its DERs. [kWh]"""
    mine, p = area.batteries, p_kw[FIRST_BATTERY:]
    stored = soc_kwh + np.maximum(-p, 0.0) * mine.charge_efficiency
    after: FloatArray = stored - np.maximum(p, 0.0) / mine.discharge_efficiency
    assert (after > -1e-3).all(), "a battery was emptied beyond what it held"
    assert (after < mine.energy_kwh + 1e-3).all(), "a battery was filled beyond what it holds"
    return np.clip(after, 0.0, mine.energy_kwh)


class StorageDay:
    """The day, and the ways to clear it."""

    def __init__(self, batteries_mw: float, blocks: int = 20) -> None:
        self.case = grid()
        self.network = market_network(self.case)
        self.areas = areas(batteries_mw)
        self.interval_curve = IntervalCurve(blocks_limit=blocks)
        self.load_mw = 480.0 * _hourly((0, 0.7), (5, 0.62), (9, 0.85), (13, 0.8), (19, 1.0), (24, 0.72))
        self.unit_usd_per_mwh = self.case.units.block_usd_per_mwh[:, 0]
        self.idle = self._idle()
        self.left_usd_per_mwh = float(self.idle.price_usd_per_mwh.mean())
        """Worth of a MWh left in store, whichever way the day was cleared. [$/MWh]"""
        self.idle = replace(self.idle, cost_usd=self.idle.cost_usd - self._worth_usd(self._begin()))

    def _begin(self) -> list[FloatArray]:
        return [area.begin_kwh for area in self.areas]

    def _worth_usd(self, soc_kwh: Sequence[FloatArray]) -> float:
        return self.left_usd_per_mwh * float(sum(soc.sum() for soc in soc_kwh)) / KW_PER_MW

    def cleared(
        self, curves: Sequence[Sequence[NetCurve]], first_hour: int = 0, stores: LdaStores | None = None
    ) -> DayAhead:
        """Hours from ``first_hour`` on, one sequence of curves per area."""
        hours, units = len(curves[0]), len(self.case.units.ids)
        demand = np.zeros((hours, 3))
        demand[:, 0] = self.load_mw[first_hour : first_hour + hours]
        slots = np.full(AREA_BUS.size, 40)
        market = Scuc(self.network, self.case.units, hours=hours, curve_bus=AREA_BUS, curve_slots=slots)
        bids = DayBids(
            demand_mw=demand,
            available_mw=np.tile(self.case.units.p_max_mw, (hours, 1)),
            must_take=np.zeros(units, dtype=np.bool_),
            inflow_mw=np.zeros((hours, units)),
            curves=tuple(tuple(c) for c in curves),
            lda_stores=no_stores(hours, AREA_BUS.size) if stores is None else stores,
        )
        on = np.ones((hours, units), dtype=np.bool_)
        before = UnitState(
            on=on[0], in_state_h=np.full(units, 48.0), output_mw=np.zeros(units), energy_mwh=np.zeros(units)
        )
        day = market.clear(bids, before, on)
        assert day.shed_mw.sum() + day.surplus_mw.sum() + day.overload_mwh <= SHED_MW
        return day

    def price_of(self, day: DayAhead) -> FloatArray:
        """Prices at the areas' buses, shape (hours, areas). [$/MWh]"""
        price: FloatArray = day.prices.lmp_usd_per_mwh[:, AREA_BUS]
        return price

    def _units_usd(self, day: DayAhead) -> float:
        return float((day.unit_mw @ self.unit_usd_per_mwh).sum())

    def _idle_curves(self, *, limited: bool) -> list[list[LdaCurve]]:
        """Curves of the areas without their batteries, within the limits of their heads or as if without."""
        areas = self.areas
        if not limited:
            areas = tuple(replace(a, import_limit_mw=np.inf, export_limit_mw=np.inf) for a in areas)
        blocks = self.interval_curve.blocks_limit
        return [
            [offers(area, t, None, area.begin_kwh).curve(area, 40.0, blocks) for t in range(HOURS)]
            for area in areas
        ]

    def _area_usd(self, curves: Sequence[Sequence[LdaCurve]], import_mw: FloatArray) -> float:
        """What the areas' own generators cost at imports that their curves without batteries give."""
        cost = 0.0
        for place, (area, hours) in enumerate(zip(self.areas, curves, strict=True)):
            for t, curve in enumerate(hours):
                p_kw, _, _ = curve.at(float(import_mw[t, place]))
                cost += float(p_kw[0][GENERATOR]) * area.generator_usd_per_mwh / KW_PER_MW
        return cost

    def _idle(self) -> Outcome:
        """Batteries do nothing."""
        curves = self._idle_curves(limited=True)
        day = self.cleared([[c.net_curve for c in hours] for hours in curves])
        cost = self._units_usd(day) + self._area_usd(curves, day.curve_mw)
        return Outcome(
            cost_usd=cost, price_usd_per_mwh=self.price_of(day), import_mw=day.curve_mw, moved_mwh=0.0
        )

    def stores(self) -> LdaStores:
        """Every battery by itself."""
        parts = [(k, area.batteries, area.begin_kwh) for k, area in enumerate(self.areas)]
        count = sum(fleet.count for _, fleet, _ in parts)

        def joined(name: str) -> FloatArray:
            return np.concatenate([getattr(fleet, name) for _, fleet, _ in parts])

        flat = np.ones((HOURS, 1))
        return LdaStores(
            curve=np.concatenate([np.full(fleet.count, k) for k, fleet, _ in parts]),
            charge_mw=flat * joined("charge_kw") / KW_PER_MW,
            discharge_mw=flat * joined("discharge_kw") / KW_PER_MW,
            least_mwh=np.zeros((HOURS, count)),
            most_mwh=flat * joined("energy_kwh") / KW_PER_MW,
            begin_mwh=np.concatenate([begin for *_, begin in parts]) / KW_PER_MW,
            kept_share=np.ones(count),
            charge_efficiency=joined("charge_efficiency"),
            discharge_efficiency=joined("discharge_efficiency"),
            wear_usd_per_mwh=joined("wear_usd_per_mwh"),
            end_usd_per_mwh=np.full(count, self.left_usd_per_mwh),
            import_least_mw=flat * np.array([-area.export_limit_mw for area in self.areas]),
            import_greatest_mw=flat * np.array([area.import_limit_mw for area in self.areas]),
        )

    def one_store_each(self) -> LdaStores:
        """One store per area: sums of powers and energies, mean efficiencies by power, mean wear."""
        each = self.stores()
        mine = [each.curve == k for k in range(len(self.areas))]

        def summed(values: FloatArray) -> FloatArray:
            return np.stack([values[..., m].sum(axis=-1) for m in mine], axis=-1)

        def mean(values: FloatArray) -> FloatArray:
            return np.array([np.average(values[m], weights=each.charge_mw[0, m]) for m in mine])

        return LdaStores(
            curve=np.arange(len(self.areas)),
            charge_mw=summed(each.charge_mw),
            discharge_mw=summed(each.discharge_mw),
            least_mwh=summed(each.least_mwh),
            most_mwh=summed(each.most_mwh),
            begin_mwh=summed(each.begin_mwh),
            kept_share=mean(each.kept_share),
            charge_efficiency=mean(each.charge_efficiency),
            discharge_efficiency=mean(each.discharge_efficiency),
            wear_usd_per_mwh=mean(each.wear_usd_per_mwh),
            end_usd_per_mwh=mean(each.end_usd_per_mwh),
            import_least_mw=each.import_least_mw,
            import_greatest_mw=each.import_greatest_mw,
        )

    def with_stores(self, stores: LdaStores) -> Outcome:
        """The ISO's own optimum with stores in its program; with every battery, the joint optimum."""
        curves = self._idle_curves(limited=False)
        day = self.cleared([[c.net_curve for c in hours] for hours in curves], stores=stores)
        mine = [stores.curve == k for k in range(len(self.areas))]
        drawn = np.stack([day.lda_store_mw[:, m].sum(axis=1) for m in mine], axis=1)
        up, down = np.maximum(day.lda_store_mw, 0.0), np.maximum(-day.lda_store_mw, 0.0)
        left = stores.begin_mwh + (up * stores.charge_efficiency - down / stores.discharge_efficiency).sum(
            axis=0
        )
        wear = float(((up + down) @ stores.wear_usd_per_mwh).sum()) / 2
        cost = self._units_usd(day) + self._area_usd(curves, day.curve_mw - drawn) + wear
        return Outcome(
            cost_usd=cost - float(stores.end_usd_per_mwh @ left),
            price_usd_per_mwh=self.price_of(day),
            import_mw=day.curve_mw,
            moved_mwh=float((up + down).sum()),
        )

    def joint(self) -> Outcome:
        """The optimum with every battery in the ISO's program."""
        return self.with_stores(self.stores())

    def slopes(self, forecast: FloatArray) -> list[FloatArray]:
        """Marginal values of each area's stored energy against prices of shape (24, areas)."""
        return [
            marginal_values(area.batteries, forecast[:, k], np.ones(HOURS), self.left_usd_per_mwh)
            for k, area in enumerate(self.areas)
        ]

    def round(self, forecast: FloatArray) -> DayAhead:
        """A day-ahead round: each hour is offered from the state that following the forecast leaves."""
        slopes, curves = self.slopes(forecast), []
        for k, area in enumerate(self.areas):
            soc, hours = area.begin_kwh, []
            for t in range(HOURS):
                mine = offers(area, t, slopes[k][t + 1], soc)
                curve = mine.curve(area, forecast[t, k], self.interval_curve.blocks_limit)
                hours.append(self.interval_curve.sent(curve, forecast[t, k]))
                soc = moved(area, soc, mine.injected_kw(forecast[[t], k])[0])
            curves.append(hours)
        return self.cleared(curves)

    def rounds(self, count: int) -> Rounds:
        """Rounds from the first forecast on."""
        rounds = Rounds(count, self.idle.price_usd_per_mwh)
        while not rounds.are_over:
            day = self.round(rounds.expected_usd_per_mwh)
            price = self.price_of(day)
            rounds.add(Round(cleared=day, book=[], books=None, price_usd_per_mwh=price))
        return rounds

    def realised(self, forecast: FloatArray, method: Method | None = None) -> Outcome:
        """The day hour by hour, stored energy valued against a forecast of shape (24, areas)."""
        how = self.interval_curve if method is None else method
        slopes, soc = self.slopes(forecast), self._begin()
        price, imports = np.zeros((HOURS, len(self.areas))), np.zeros((HOURS, len(self.areas)))
        cost = moved_mwh = 0.0
        for t in range(HOURS):
            curves = [
                offers(area, t, slopes[k][t + 1], soc[k]).curve(area, forecast[t, k], how.blocks_limit)
                for k, area in enumerate(self.areas)
            ]
            sent = [[how.sent(curve, forecast[t, k])] for k, curve in enumerate(curves)]
            hour = self.cleared(sent, t)
            cost += self._units_usd(hour)
            price[t], imports[t] = self.price_of(hour)[0], hour.curve_mw[0]
            for k, (area, curve) in enumerate(zip(self.areas, curves, strict=True)):
                (p_kw,), _, met = curve.at(float(hour.curve_mw[0, k]))
                assert abs(met - hour.curve_mw[0, k]) <= 1e-5
                soc[k] = moved(area, soc[k], p_kw)
                stored = np.abs(p_kw[FIRST_BATTERY:])
                moved_mwh += float(stored.sum()) / KW_PER_MW
                cost += float(p_kw[GENERATOR]) * area.generator_usd_per_mwh / KW_PER_MW
                cost += float(stored @ area.batteries.wear_usd_per_mwh) / 2 / KW_PER_MW
        return Outcome(
            cost_usd=cost - self._worth_usd(soc),
            price_usd_per_mwh=price,
            import_mw=imports,
            moved_mwh=moved_mwh,
        )


def captured(idle: Outcome, joint: Outcome, one: Outcome) -> float:
    """Share of what batteries are worth at best that a way of clearing earns."""
    return (idle.cost_usd - one.cost_usd) / (idle.cost_usd - joint.cost_usd)
