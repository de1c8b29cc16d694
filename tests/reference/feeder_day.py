"""A day with storage on feeders whose limits bind: two areas below the PJM five-bus system, and the joint
optimum of transmission, feeders and stores as ONE linear program written out in full.

Each hour has the feeders' own state, from which its map is taken once; all methods and the joint program see
the same maps. Nothing of the day program or of the market engine is used by the joint one: hours are
`tests.reference.joint`'s programs side by side, joined by the stores' balances.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.sparse import block_diag, coo_array, csr_array, vstack

from federates.cases.case import TransmissionCase
from federates.core.arrays import FloatArray, IntArray
from federates.core.curve import NetCurve, fixed_quantity
from federates.der.store_day import StoreDay
from federates.distribution.linear import OperatingPoint
from federates.distribution.tables import read_feeder
from federates.dso.bid import FeederBidder
from federates.dso.case import FeederCase, FeederLimits
from federates.dso.columns import DerColumns
from federates.dso.day_program import FeederStores
from federates.dso.day_value import DayCut, DayValue, FeederHour, ValueHour, stores_on_feeders, with_stores
from federates.iso.cut_rounds import INWARD_SHARE, CutRounds
from federates.iso.day_ahead import DayAhead, DayBids
from federates.iso.lda_cuts import ImportRange, LdaCut, import_range
from federates.iso.network import market_network
from federates.iso.scuc import Scuc
from federates.iso.unit_state import UnitState
from tests.reference.joint import Joint, JointArea
from tests.reference.layers import CONSTANT_MW, UNLIMITED, grid
from tests.unit.dso.area import FEEDERS, Area, area, expected_kw
from tests.unit.dso.full_space import FullSpace, LinearProgram

HOURS = 24
LOADS = read_feeder(FEEDERS / "ieee13").loads
KW_PER_MW = 1e3
AREAS = ((1, 15, ((10, 3.0), (14, 2.0))), (3, 25, ((12, 3.0),)))
"""Bus, sets, and the feeders (number of DERs, their size over the load) of two areas."""
LIMITS = FeederLimits(v_max_pu=1.05, loading_pu=0.4)
FORECAST_USD_PER_MWH = 25.0
END_USD_PER_MWH = 22.0


def by_hour(*points: tuple[float, float]) -> FloatArray:
    """Values of 24 hours, straight between (hour, value) points."""
    hour, value = np.array(points).T
    return np.asarray(np.interp(np.arange(HOURS) + 0.5, hour, value))


LOAD = by_hour((0, 0.6), (5, 0.5), (9, 0.8), (16, 0.8), (19, 1.0), (24, 0.62))
SUN = np.maximum(np.sin(np.pi * (np.arange(HOURS) + 0.5 - 6.0) / 13.0), 0.0) ** 1.3
SUN[19:] = 0.0
BULK_MW = np.outer(by_hour((0, 0.7), (5, 0.55), (9, 1.0), (13, 0.75), (19, 1.3), (24, 0.75)),
                   [0.0, 150.0, 150.0, 250.0, 0.0])  # fmt: skip
"""Load outside the areas, shape (24, buses). [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederOfDay:
    """One feeder through the day; DERs in fleet order."""

    bidders: tuple[FeederBidder, ...]
    """One for each hour."""
    points: tuple[OperatingPoint, ...]
    columns: tuple[DerColumns, ...]
    """Stores with two blocks, charge and discharge, at no price."""
    spaces: tuple[FullSpace, ...]
    """The full-space program of each hour."""
    stores: FeederStores


@dataclass(frozen=True, slots=True, kw_only=True)
class AreaOfDay:
    """One area through the day."""

    bus: int
    multiplicity: int
    feeders: tuple[FeederOfDay, ...]
    stores: StoreDay
    feeder_of_der: IntArray
    limits: FeederLimits
    """What every feeder keeps."""

    def value(self) -> DayValue:
        """What its day costs, ready to be asked."""
        hours = [
            ValueHour(
                feeders=tuple(
                    FeederHour(
                        bidder=f.bidders[t], point=f.points[t], columns=f.columns[t], limits=self.limits
                    )
                    for f in self.feeders
                ),
                constant_mw=CONSTANT_MW,
            )
            for t in range(HOURS)
        ]
        return DayValue(hours, self.stores, self.feeder_of_der, 1e3, "area")


def offers(size_kw: FloatArray, hour: int, seed: int) -> DerColumns:
    """PV, generators and flexible loads in turn; every fourth DER is a store, and offers nothing here."""
    rng = np.random.default_rng(seed)
    count = size_kw.size
    der, width, price = [], [], []
    floor = np.zeros(count)
    for d, size in enumerate(size_kw):
        draws = rng.uniform(size=3)
        match d % 4:
            case 0:
                widths, prices = [0.8 * size * SUN[hour]], [-5.0 + draws[0]]
            case 1:
                widths, prices = [size / 4] * 2, sorted(20.0 + 30.0 * draws[:2])
            case 2:
                floor[d] = -0.3 * size * LOAD[hour]
                widths, prices = [-floor[d]], [60.0 + 100.0 * draws[2]]
            case _:
                widths, prices = [], []
        der += [d] * len(widths)
        width += widths
        price += prices
    none = np.zeros(count)
    return DerColumns(
        der=np.array(der), width_kw=np.array(width), price_usd_per_mwh=np.array(price), floor_kw=floor,
        base_kw=floor, q_kvar=none, q_limit_kvar=none,
    )  # fmt: skip


def stores_of(size_kw: FloatArray, seed: int) -> StoreDay:
    """Every fourth DER a battery, all different."""
    rng = np.random.default_rng(seed)
    der = np.arange(3, size_kw.size, 4)
    n = der.size
    power = 0.5 * size_kw[der] / KW_PER_MW
    energy = power * rng.uniform(1.5, 4.0, n)
    eta, flat = rng.uniform(0.88, 0.97, n), np.ones((HOURS, n))
    return StoreDay(
        der=der, charge_mw=flat * power, discharge_mw=flat * power, kept_share=flat, gain_mwh=0.0 * flat,
        due_mwh=0.0 * flat, most_mwh=energy, begin_mwh=energy * rng.uniform(0.3, 0.7, n),
        charge_efficiency=eta, discharge_efficiency=eta, wear_usd_per_mwh=rng.uniform(1.0, 4.0, n),
        due_usd_per_mwh=np.zeros(n), end_usd_per_mwh=np.full(n, END_USD_PER_MWH), end_below_mwh=energy,
    )  # fmt: skip


def _feeder(one: Area, seed: int, stores: FeederStores, day: StoreDay, limits: FeederLimits) -> FeederOfDay:
    bidders, points, columns_of, spaces = [], [], [], []
    demand_kw, demand_kvar = (np.array([getattr(spot, name) for spot in LOADS]) for name in ("kw", "kvar"))
    for t in range(HOURS):
        one.circuit.set_loads(LOAD[t] * demand_kw, LOAD[t] * demand_kvar)
        plain = offers(one.size_kw, t, seed)
        point = one.point(0.5 * expected_kw(plain, FORECAST_USD_PER_MWH))
        columns = with_stores(plain, stores, day, t)
        bidder = FeederBidder(one.map, f"feeder {seed}")
        case: FeederCase = bidder.refresh(point, columns, limits)
        bidders.append(bidder)
        points.append(point)
        columns_of.append(columns)
        spaces.append(FullSpace(one, case))
    return FeederOfDay(
        bidders=tuple(bidders), points=tuple(points), columns=tuple(columns_of), spaces=tuple(spaces),
        stores=stores,
    )  # fmt: skip


@cache
def areas_of_day(*, congested: bool = True) -> tuple[AreaOfDay, ...]:
    """The two areas, or the same on feeders that carry whatever is asked of them."""
    limits = LIMITS if congested else UNLIMITED
    made, seed = [], 0
    for bus, sets, feeders in AREAS:
        ones = [area("ieee13", ders, share, 1.0) for ders, share in feeders]
        size = np.concatenate([one.size_kw for one in ones])
        feeder_of_der = np.repeat(np.arange(len(ones)), [one.size_kw.size for one in ones])
        day = stores_of(size, bus)
        built = []
        for one, stores in zip(ones, stores_on_feeders(day, feeder_of_der, len(ones)), strict=True):
            seed += 1
            built.append(_feeder(one, seed, stores, day, limits))
        made.append(
            AreaOfDay(
                bus=bus,
                multiplicity=sets,
                feeders=tuple(built),
                stores=day,
                feeder_of_der=feeder_of_der,
                limits=limits,
            )
        )
    return tuple(made)


@dataclass(frozen=True, slots=True, kw_only=True)
class JointDay:
    """The joint optimum of a day."""

    cost_usd: float
    import_mw: FloatArray
    """Shape (hours, areas). [MW]"""
    feeder_limits_count: int
    """Voltages and flows of the simulated feeders at their limits, all hours together."""
    moved_mwh: float
    """Energy through the stores of one set of each area. [MWh]"""


class JointProgram:
    """The day's joint program: hours side by side, then the columns and rows of all stores."""

    def __init__(self, case: TransmissionCase, areas: Sequence[AreaOfDay]) -> None:
        self.areas = areas
        self.hours = [
            Joint(
                case,
                [
                    JointArea(
                        bus=a.bus, multiplicity=a.multiplicity, constant_mw=CONSTANT_MW,
                        feeders=[f.spaces[t] for f in a.feeders],
                    )
                    for a in areas
                ],
                losses=False,
            )
            for t in range(HOURS)
        ]  # fmt: skip
        self.width = int(self.hours[0].begin[-1])
        own = [joint.program for joint in self.hours]
        self.cost = [np.concatenate([p.cost for p in own])]
        self.low = [np.concatenate([p.low for p in own])]
        self.high = [np.concatenate([p.high for p in own])]
        self.rows = block_diag([p.equal_rows for p in own], format="csr")
        self.right = np.concatenate([self._right(t) for t in range(HOURS)])
        self.columns_count = HOURS * self.width
        self.row, self.column, self.value = [], [], []
        self.equal: list[float] = []
        self.constant_usd = 0.0
        self.moving: list[IntArray] = []
        for place, one in enumerate(areas):
            self._add_stores(place, one)

    def _right(self, t: int) -> FloatArray:
        right = self.hours[t].program.equal.copy()
        right[: BULK_MW.shape[1]] = BULK_MW[t]
        for one in self.areas:
            right[one.bus] += one.multiplicity * CONSTANT_MW
        return right

    def _columns(self, low: FloatArray, high: FloatArray, cost: FloatArray) -> IntArray:
        places = self.columns_count + np.arange(low.size)
        self.low.append(low)
        self.high.append(high)
        self.cost.append(cost)
        self.columns_count += low.size
        return places

    def _row(self, entries: Sequence[tuple[int, float]], right: float) -> None:
        for column, value in entries:
            self.row.append(len(self.equal))
            self.column.append(column)
            self.value.append(value)
        self.equal.append(right)

    def _add_stores(self, place: int, one: AreaOfDay) -> None:
        """Levels and balances of one set's stores."""
        day, m = one.stores, float(one.multiplicity)
        first = sum(len(a.feeders) for a in self.areas[:place])
        for f, feeder in enumerate(one.feeders):
            for store, der in zip(feeder.stores.store, feeder.stores.der, strict=True):
                in_map = int(np.flatnonzero(feeder.points[0].map.order == der)[0])
                level = self._columns(np.zeros(HOURS), np.full(HOURS, day.most_mwh[store]), np.zeros(HOURS))
                self.cost[-1][-1] = -m * day.end_usd_per_mwh[store]
                for t in range(HOURS):
                    space = feeder.spaces[t]
                    blocks = np.flatnonzero(space.case.columns.der == in_map)
                    offset = t * self.width + int(self.hours[t].begin[first + f])
                    less, gives = (offset + blocks).tolist()
                    half = day.wear_usd_per_mwh[store] / 2
                    self.cost[0][less], self.cost[0][gives] = -m * half, m * half
                    full = day.charge_mw[t, store]
                    self.constant_usd += m * half * full
                    eta, back = day.charge_efficiency[store], day.discharge_efficiency[store]
                    right = day.gain_mwh[t, store] + eta * full
                    entries = [(level[t], 1.0), (less, eta), (gives, 1.0 / back)]
                    if t:
                        entries.append((level[t - 1], -1.0))
                    else:
                        right += day.begin_mwh[store]
                    self._row(entries, right)
                    self.moving.append(np.array([gives]))

    def solve(self) -> JointDay:
        """The optimum."""
        rows = csr_array(
            coo_array((self.value, (self.row, self.column)), shape=(len(self.equal), self.columns_count))
        )
        wide = csr_array(
            (self.rows.data, self.rows.indices, self.rows.indptr),
            shape=(self.rows.shape[0], self.columns_count),
        )
        result = LinearProgram(
            cost=np.concatenate(self.cost),
            upper_rows=None,
            upper=None,
            equal_rows=csr_array(vstack([wide, rows])),
            equal=np.concatenate([self.right, self.equal]),
            low=np.concatenate(self.low),
            high=np.concatenate(self.high),
        ).solve()
        limits, drawn = 0, np.zeros((HOURS, len(self.areas)))
        for t, joint in enumerate(self.hours):
            x, place = result.x[t * self.width : (t + 1) * self.width], 0
            for k, one in enumerate(self.areas):
                drawn[t, k] = one.multiplicity * CONSTANT_MW
                for feeder in one.feeders:
                    part = x[joint.begin[place] : joint.begin[place + 1]]
                    drawn[t, k] += one.multiplicity * float(part[feeder.spaces[t].head])
                    limits += sum(feeder.spaces[t].at_limit(part))
                    place += 1
        return JointDay(
            cost_usd=float(result.fun) + self.constant_usd,
            import_mw=drawn,
            feeder_limits_count=limits,
            moved_mwh=float(result.x[np.concatenate(self.moving)].sum()),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Exact:
    """What the rounds came to."""

    rounds: CutRounds
    day: DayAhead
    cost_usd: float
    """Of the bulk system's dispatch and the areas' days at the award. [$]"""
    messages_count: int
    """From each area."""
    within: ImportRange
    """Net imports that the areas' curves cover."""


Told = Callable[[DayCut, int], LdaCut]
"""What is sent of a cut of one set, for all sets together."""


def as_it_is(cut: DayCut, sets: int) -> LdaCut:
    """The cut of all sets, as the ISO reads it."""
    return LdaCut(least_usd=sets * cut.least_usd, curves=tuple(c.scaled(float(sets)) for c in cut.curves))


def as_plane(cut: DayCut, sets: int, sign: float = 1.0) -> LdaCut:
    """The plane through the cost at the import asked for, as a cutting-plane method takes it."""
    price = sign * cut.optimum.price_usd_per_mwh
    ends = np.array([[c.p_min_mw, c.p_max_mw] for c in cut.curves])
    curves = tuple(
        NetCurve(import_mw=sets * end, price_usd_per_mwh=np.full(2, p))
        for end, p in zip(ends, price, strict=True)
    )
    at_least = cut.cost_usd + float(price @ (cut.optimum.import_mw - ends[:, 0]))
    return LdaCut(least_usd=sets * at_least, curves=curves)


def as_plane_of_the_wrong_sign(cut: DayCut, sets: int) -> LdaCut:
    """The same with what import is worth taken for what it costs."""
    return as_plane(cut, sets, -1.0)


class CutDay:
    """The exchange between the market of a day and two areas, without messages."""

    def __init__(self, case: TransmissionCase, areas: Sequence[AreaOfDay]) -> None:
        self.case, self.areas = case, areas
        self.values = [one.value() for one in areas]
        units = len(case.units.ids)
        self.market = Scuc(
            market_network(case), case.units, hours=HOURS,
            curve_bus=np.array([one.bus for one in areas]), curve_slots=np.full(len(areas), 1),
        )  # fmt: skip
        self.on = np.ones((HOURS, units), dtype=np.bool_)
        self.before = UnitState(
            on=self.on[0], in_state_h=np.full(units, 48.0), output_mw=np.zeros(units),
            energy_mwh=np.zeros(units),
        )  # fmt: skip

    def begin(self, cuts: Sequence[LdaCut]) -> ImportRange:
        """Open the market on the first cuts; the imports that they cover."""
        units = len(self.case.units.ids)
        within = import_range(cuts)
        bids = DayBids(
            demand_mw=BULK_MW,
            available_mw=np.tile(self.case.units.p_max_mw, (HOURS, 1)),
            must_take=np.zeros(units, dtype=np.bool_),
            inflow_mw=np.zeros((HOURS, units)),
            curves=tuple(tuple(fixed_quantity(p) for p in least.tolist()) for least in within.least_mw.T),
            cut_range=within,
        )
        self.market.open(bids, self.before, self.on)
        self.market.add_cuts(cuts)
        return within

    def run(
        self, *, gap: float, rounds_limit: int, inward_share: float = INWARD_SHARE, told: Told = as_it_is
    ) -> Exact:
        """First cuts at a flat forecast, then question by question; ``told``: what is sent of a cut."""
        sets = [one.multiplicity for one in self.areas]
        flat = np.full(HOURS, FORECAST_USD_PER_MWH)
        first = [v.at_prices(flat) for v in self.values]
        within = self.begin([told(c, m) for c, m in zip(first, sets, strict=True)])
        rounds = CutRounds(self.market.relax(), gap=gap, rounds_limit=rounds_limit, inward_share=inward_share)
        while not rounds.are_over:
            asked = rounds.asked_mw
            cuts = [
                v.at_import(asked[:, k] / m) for k, (v, m) in enumerate(zip(self.values, sets, strict=True))
            ]
            self.market.add_cuts([told(c, m) for c, m in zip(cuts, sets, strict=True)])
            cost = np.array([m * c.cost_usd for c, m in zip(cuts, sets, strict=True)])
            rounds.answer(cost, self.market.relax())
        day = self.market.close(rounds.best_mw)
        units_usd = float((day.unit_mw @ self.case.units.block_usd_per_mwh[:, 0]).sum())
        areas_usd = sum(
            m * v.at_import(rounds.best_mw[:, k] / m).cost_usd
            for k, (v, m) in enumerate(zip(self.values, sets, strict=True))
        )
        return Exact(
            rounds=rounds, day=day, cost_usd=units_usd + areas_usd,
            messages_count=len(rounds.bounds) + 1, within=within,
        )  # fmt: skip


def exact_day(*, congested: bool = True) -> tuple[TransmissionCase, CutDay, JointProgram]:
    """The day both ways."""
    case = grid(congested=True, losses=False)
    areas = areas_of_day(congested=congested)
    return case, CutDay(case, areas), JointProgram(case, areas)
