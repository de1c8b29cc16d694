"""The total DSO's bid: least cost of serving its area as a function of net import.

Every feeder is asked at the same prices, so that the area's curve is the sum of the feeders' vertices. At a
price the merit order is tried first: where it keeps every limit it is the optimum and costs no program. What
is left is swept in the order of prices, which keeps the program warm.

Chords between vertices of a convex function never promise more than can be delivered: the bid's price of a
block is the mean cost over it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.curve import NetCurve
from federates.core.errors import ConfigError, InfeasibleError
from federates.distribution.linear import FeederMap, OperatingPoint
from federates.dso.case import FeederCase, FeederLimits, feeder_case
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.program import POWER_TOLERANCE_MW, VOLTAGE_TOLERANCE_PU2, ReducedProgram, Vertex

WINDOW_SHARE = 0.4
WINDOW_LEAST_USD_PER_MWH = 10.0
WINDOW_POINTS = 24
"""More than the blocks sent, for the thinning to choose from: with 18, 20 blocks lost up to 4e-4 of the cost
of a quiet system, with 24 nine times less."""
OUTSIDE_SHARES = (0.1, 0.35, 1.0)
"""Where the prices outside the window stand, as shares of the way to the lowest and highest price."""
LOWEST_USD_PER_MWH = -20.0
HIGHEST_USD_PER_MWH = 200.0
OUTSIDE_WEIGHT = 0.05
"""How much a $/h lost outside the price window counts when the curve is thinned."""
WINDOW_END_WEIGHT = 1e6
"""The same for the vertices at the window's ends, which go last."""
MERGE_MW = 1e-5
"""Vertices nearer than this are one. [MW]"""
BLOCKS_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class PriceLadder:
    """Prices at which every feeder of an area is asked."""

    price_usd_per_mwh: FloatArray
    """Ascending, shape (K,). [$/MWh]"""
    window_usd_per_mwh: tuple[float, float]
    """Where the clearing price is expected. [$/MWh]"""


def price_ladder(forecast_usd_per_mwh: float) -> PriceLadder:
    """Prices around a forecast: dense in the window, three on either side of it."""
    half = max(WINDOW_SHARE * abs(forecast_usd_per_mwh), WINDOW_LEAST_USD_PER_MWH)
    low, high = forecast_usd_per_mwh - half, forecast_usd_per_mwh + half
    shares = np.array(OUTSIDE_SHARES)
    below = low + (min(LOWEST_USD_PER_MWH, low - half) - low) * shares[::-1]
    above = high + (max(HIGHEST_USD_PER_MWH, high + half) - high) * shares
    inside = np.linspace(low, high, WINDOW_POINTS)
    return PriceLadder(
        price_usd_per_mwh=np.concatenate([below, inside, above]), window_usd_per_mwh=(low, high)
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class FeederCurve:
    """One feeder's optima at the ladder's prices, between its two physical ends.

    Entry 0 is the greatest feasible import, the last the least; DER arrays in fleet order.
    """

    price_usd_per_mwh: FloatArray
    """Price of each vertex; -inf and inf at the ends, shape (K + 2,). [$/MWh]"""
    import_mw: FloatArray
    """Head import, not rising, shape (K + 2,). [MW]"""
    cost_usd_per_h: FloatArray
    """Cost of the DERs against their floors, shape (K + 2,). [$/h]"""
    p_kw: FloatArray
    """Set-points, shape (K + 2, ders). [kW]"""
    q_kvar: FloatArray
    """Reactive set-points, shape (K + 2, ders). [kvar]"""
    screened_count: int
    """Vertices that the merit order gave without a program."""
    programs_count: int
    """Linear programs solved."""
    relaxed_nodes_count: int
    """Voltage limits that the base state breaks and that were relaxed to it."""
    relaxed_branches_count: int
    """Branch-phases whose rating the base state breaks."""
    uncovered_nodes_count: int
    """Nodes whose voltage the map does not give."""


class FeederBidder:
    """One feeder's bids: a case per interval, one program kept warm.

    Parameters
    ----------
    feeder_map
        The feeder's static map.
    name
        Says in errors which feeder failed.
    """

    def __init__(self, feeder_map: FeederMap, name: str) -> None:
        self.map = feeder_map
        self.name = name
        self._program: ReducedProgram | None = None
        self._case: FeederCase | None = None

    def refresh(self, point: OperatingPoint, columns: DerColumns, limits: FeederLimits) -> FeederCase:
        """Take up an interval: offers in fleet order, around an operating point.

        A point that keeps the earlier one's coefficients costs new bounds only; new coefficients start a new
        program, so that what follows does not depend on what came before.
        """
        if columns.ders_count != self.map.ders_count:
            raise ConfigError(f"{self.name}: offers of {columns.ders_count} DERs for {self.map.ders_count}")
        self._case = feeder_case(point, columns.ordered(self.map.order), limits)
        return self._case

    def program(self) -> ReducedProgram:
        """The program of the present case.

        Raises
        ------
        ConfigError
            If no interval was taken up.
        """
        if self._case is None:
            raise ConfigError(f"{self.name}: refresh the bidder before asking it")
        if self._program is None or not self._program.fits(self._case):
            self._program = ReducedProgram(self._case, self.name)
        else:
            self._program.set_case(self._case)
        return self._program

    def optimum_at(self, price_usd_per_mwh: float) -> Vertex | None:
        """Optimum at a price of import; None where it is the merit order, so that no limit has a price."""
        program, case = self.program(), self._case
        assert case is not None
        _, _, holds = merit_order(case, np.array([price_usd_per_mwh]))
        return None if holds[0] else program.at_price(price_usd_per_mwh)

    def expected_kw(self, price_usd_per_mwh: float) -> FloatArray:
        """Set-points of the optimum at a price of import, in fleet order, shape (ders,). [kW]"""
        vertex = self.optimum_at(price_usd_per_mwh)
        if vertex is None:
            assert self._case is not None
            return self.map.to_fleet_order(merit_order(self._case, np.array([price_usd_per_mwh]))[0][0])
        return self.map.to_fleet_order(vertex.p_kw)

    def sweep(self, price_usd_per_mwh: FloatArray) -> FeederCurve:
        """Optima at ascending prices, and the two physical ends."""
        program = self.program()
        case, before = self._case, program.solves_count
        assert case is not None
        prices = np.concatenate([[-np.inf], price_usd_per_mwh, [np.inf]])
        p_kw, cost, holds = merit_order(case, prices)
        count = prices.size
        q_kvar = np.tile(case.columns.q_kvar, (count, 1))
        found = {int(k): program.at_price(float(prices[k])) for k in np.flatnonzero(~holds[1:-1]) + 1}
        for k, greatest in ((0, True), (count - 1, False)):
            if not holds[k]:
                found[k] = program.at_range_end(greatest=greatest)
        for k, vertex in found.items():
            p_kw[k], q_kvar[k], cost[k] = vertex.p_kw, vertex.q_kvar, vertex.cost_usd_per_h
        up = p_kw - case.columns.floor_kw
        return FeederCurve(
            price_usd_per_mwh=prices,
            import_mw=case.import_at_floor_mw - np.sum(up, axis=1) / KW_PER_MW,
            cost_usd_per_h=cost,
            p_kw=self.map.to_fleet_order(p_kw),
            q_kvar=self.map.to_fleet_order(q_kvar),
            screened_count=int(holds.sum()),
            programs_count=program.solves_count - before,
            relaxed_nodes_count=case.relaxed_nodes_count,
            relaxed_branches_count=case.relaxed_branches_count,
            uncovered_nodes_count=len(self.map.tree.uncovered_nodes),
        )


def merit_order(case: FeederCase, price_usd_per_mwh: FloatArray) -> tuple[FloatArray, FloatArray, BoolArray]:
    """Injections by price alone, shape (K, ders) [kW], their cost [$/h], and where they keep every limit."""
    columns = case.columns
    filled = np.where(columns.price_usd_per_mwh < price_usd_per_mwh[:, None], columns.width_kw, 0.0)
    p_kw = columns.injection_kw(filled)
    q_kvar = np.broadcast_to(columns.q_kvar[:, None], p_kw.T.shape)
    excess = case.excess(np.ascontiguousarray(p_kw.T), q_kvar)
    drawn = case.import_at_floor_mw - np.sum(p_kw - columns.floor_kw, axis=1) / KW_PER_MW
    holds = (excess[:2].max(axis=(0, 1)) <= VOLTAGE_TOLERANCE_PU2) & (
        excess[2:].max(axis=(0, 1)) <= POWER_TOLERANCE_MW
    )
    holds &= drawn >= case.least_import_mw - POWER_TOLERANCE_MW
    holds &= drawn <= case.greatest_import_mw + POWER_TOLERANCE_MW
    return p_kw, filled @ columns.price_usd_per_mwh / KW_PER_MW, holds


@dataclass(frozen=True, slots=True, kw_only=True)
class LdaCurve:
    """The area's bid, and the set-points behind every vertex of it."""

    net_curve: NetCurve
    """What is sent: quantities to 1 W, prices to 1e-6 $/MWh."""
    import_mw: FloatArray
    """Vertices, ascending, shape (n,). [MW]"""
    cost_usd_per_h: FloatArray
    """Cost at each vertex, shape (n,). [$/h]"""
    p_kw: tuple[FloatArray, ...]
    """Per feeder, set-points at each vertex, shape (n, ders of the feeder). [kW]"""
    q_kvar: tuple[FloatArray, ...]
    """Per feeder, reactive set-points, same shapes. [kvar]"""

    def at(self, award_mw: float) -> tuple[list[FloatArray], list[FloatArray], float]:
        """Set-points per feeder [kW], [kvar], and the import they stand for, nearest to an award. [MW]

        Between two vertices they are their convex combination: feasible, and as dear as the bid said.
        """
        import_mw = float(np.clip(award_mw, self.import_mw[0], self.import_mw[-1]))
        low, share = _position(self.import_mw, import_mw)
        high = min(low + 1, self.import_mw.size - 1)
        p_kw, q_kvar = (
            [(1 - share) * rows[low] + share * rows[high] for rows in values]
            for values in (self.p_kw, self.q_kvar)
        )
        return p_kw, q_kvar, import_mw

    def between(self, first: int, last: int) -> LdaCurve:
        """The curve from one of its vertices to another, both kept."""
        kept = slice(first, last + 1)
        return LdaCurve(
            net_curve=_net_curve(self.import_mw[kept], self.cost_usd_per_h[kept]),
            import_mw=self.import_mw[kept],
            cost_usd_per_h=self.cost_usd_per_h[kept],
            p_kw=tuple(p[kept] for p in self.p_kw),
            q_kvar=tuple(q[kept] for q in self.q_kvar),
        )


def _position(breaks: FloatArray, value: float) -> tuple[int, float]:
    """Place of the breakpoint below ``value``, and the share of the way to the next."""
    if breaks.size == 1:
        return 0, 0.0
    low = int(np.clip(np.searchsorted(breaks, value, side="right") - 1, 0, breaks.size - 2))
    return low, float((value - breaks[low]) / (breaks[low + 1] - breaks[low]))


def lda_curve(
    feeders: Sequence[FeederCurve],
    *,
    constant_mw: float = 0.0,
    import_limit_mw: float = np.inf,
    export_limit_mw: float = np.inf,
    window_usd_per_mwh: tuple[float, float] = (-np.inf, np.inf),
    blocks_limit: int = BLOCKS_LIMIT,
) -> LdaCurve:
    """The area's curve from its feeders' vertices at common prices.

    Parameters
    ----------
    feeders
        Curves swept at the same prices.
    constant_mw
        What the interface draws beyond the feeders: the substation's losses at the operating point. [MW]
    import_limit_mw, export_limit_mw
        Limits of the substation. [MW]
    window_usd_per_mwh
        Prices between which the thinned curve should be accurate. [$/MWh]
    blocks_limit
        Most blocks sent.

    Raises
    ------
    ConfigError
        If the feeders were asked at different prices.
    InfeasibleError
        If the substation's limits leave nothing of the range.
    """
    prices = feeders[0].price_usd_per_mwh
    if any(not np.array_equal(f.price_usd_per_mwh, prices) for f in feeders):
        raise ConfigError("area curve: its feeders were swept at different prices; use one ladder")
    # Descending prices make import ascend.
    drawn = np.sum([f.import_mw for f in feeders], axis=0)[::-1] + constant_mw
    cost = np.sum([f.cost_usd_per_h for f in feeders], axis=0)[::-1]
    kept = _thin(drawn, cost, prices[::-1], window_usd_per_mwh, blocks_limit, _lower_hull(drawn, cost))
    mix = _cut(drawn[kept], -export_limit_mw, import_limit_mw)
    p_kw, q_kvar = (
        tuple(mix @ values[::-1][kept] for values in sets)
        for sets in ([f.p_kw for f in feeders], [f.q_kvar for f in feeders])
    )
    drawn, cost = mix @ drawn[kept], mix @ cost[kept]
    return LdaCurve(
        net_curve=_net_curve(drawn, cost), import_mw=drawn, cost_usd_per_h=cost, p_kw=p_kw, q_kvar=q_kvar
    )


def _net_curve(drawn: FloatArray, cost: FloatArray) -> NetCurve:
    if drawn.size == 1:
        return NetCurve(import_mw=drawn, price_usd_per_mwh=np.zeros(1)).rounded()
    value = np.minimum.accumulate(-np.diff(cost) / np.diff(drawn))
    return NetCurve(import_mw=drawn, price_usd_per_mwh=np.concatenate([value[:1], value])).rounded()


def _lower_hull(drawn: FloatArray, cost: FloatArray) -> IntArray:
    """Places of the vertices of the lower convex hull, import ascending."""
    hull: list[int] = []
    for k in np.lexsort((cost, drawn)):
        if hull and drawn[k] - drawn[hull[-1]] < MERGE_MW:
            continue
        while len(hull) > 1 and not _turns_up(drawn, cost, hull[-2], hull[-1], int(k)):
            hull.pop()
        hull.append(int(k))
    return np.array(hull, dtype=np.int64)


def _turns_up(x: FloatArray, y: FloatArray, a: int, b: int, c: int) -> bool:
    """Whether the slope rises at ``b`` between ``a`` and ``c``."""
    return bool((y[b] - y[a]) * (x[c] - x[b]) < (y[c] - y[b]) * (x[b] - x[a]))


def _thin(
    drawn: FloatArray,
    cost: FloatArray,
    prices: FloatArray,
    window: tuple[float, float],
    blocks_limit: int,
    places: IntArray,
) -> IntArray:
    """Drop the vertices whose loss costs least until ``blocks_limit`` blocks are left.

    The ends of the range stay, and, while others are left, those of the window: whatever is dropped outside
    then leaves the curve inside it untouched.
    """
    kept = places
    inside = (prices >= window[0]) & (prices <= window[1])
    weight = np.where(inside, 1.0, OUTSIDE_WEIGHT)
    if inside[places].any():
        weight[places[inside[places]][[0, -1]]] = WINDOW_END_WEIGHT
    while kept.size - 1 > max(blocks_limit, 1):
        x, y = drawn[kept], cost[kept]
        share = (x[1:-1] - x[:-2]) / (x[2:] - x[:-2])
        loss = (1 - share) * y[:-2] + share * y[2:] - y[1:-1]
        kept = np.delete(kept, 1 + int(np.argmin(loss * weight[kept[1:-1]])))
    return kept


def _cut(drawn: FloatArray, low_mw: float, high_mw: float) -> FloatArray:
    """Mix of vertices that gives the curve inside [low, high], shape (vertices left, vertices)."""
    if low_mw > drawn[-1] or high_mw < drawn[0]:
        raise InfeasibleError(
            f"area curve: the substation's limits [{low_mw:.3f}, {high_mw:.3f}] MW leave nothing of the "
            f"feeders' range [{drawn[0]:.3f}, {drawn[-1]:.3f}] MW; check its rating"
        )
    ends = np.unique(np.clip([low_mw, high_mw], drawn[0], drawn[-1]))
    inside = drawn[(drawn > ends[0] + MERGE_MW) & (drawn < ends[-1] - MERGE_MW)]
    wanted = np.unique(np.concatenate([ends, inside]))
    mix = np.zeros((wanted.size, drawn.size))
    for row, value in enumerate(wanted):
        low, share = _position(drawn, float(value))
        mix[row, low] += 1 - share
        mix[row, min(low + 1, drawn.size - 1)] += share
    return mix
