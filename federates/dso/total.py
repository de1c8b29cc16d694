"""The total DSO's own work, apart from messages: bids from offers, set-points from awards.

All quantities here are of one simulated set; the federate multiplies at the interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from federates.core.arrays import BoolArray, ComplexArray, FloatArray, IntArray
from federates.core.curve import NetCurve
from federates.core.errors import DivergedError
from federates.core.reserve_offer import ReserveOffer
from federates.core.time import SimTime
from federates.der.store_day import StoreDay
from federates.distribution.linear import Coefficients, OperatingPoint
from federates.distribution.tangent import AreaTangent
from federates.dso.accounts import DistributionAccounts, PricedFeeder, accounts
from federates.dso.bid import (
    BLOCKS_LIMIT,
    MERGE_MW,
    FeederBidder,
    LdaCurve,
    lda_curve,
    price_ladder,
)
from federates.dso.bid_method import import_at
from federates.dso.capacity import FirmHour
from federates.dso.case import FeederCase, FeederLimits
from federates.dso.columns import KW_PER_MW, DerColumns
from federates.dso.day_value import DayValue, FeederHour, ValueHour, stores_on_feeders, with_stores
from federates.dso.dispatch import (
    Correction,
    Dispatch,
    FeederOffer,
    LimitKind,
    SetPoints,
    TwinState,
    base_set_points,
    carried,
    dispatch,
    hold_interchange,
    is_alarming,
    settled,
)
from federates.dso.dlmp import FeederPrices, branch_prices, import_price, prices_at, substation_loss
from federates.dso.kept import KeptCoefficients
from federates.dso.offers import Offers
from federates.dso.program import ReducedProgram
from federates.dso.reserve import (
    CallableArea,
    CalledStates,
    StoreRoom,
    answering,
    called,
    called_states,
    held,
    held_columns,
    mapped_ends,
    margin_mw,
    only_state,
    reserve_offer,
    steady_states,
    sustained_least,
    wear_usd_per_mw_h,
)
from federates.dso.twin import Conditions, Twin
from federates.scenario.lda import LdaScenario

V_MIN_PU, V_MAX_PU = 0.95, 1.05
"""Range A of ANSI C84.1 at the loads."""
VOLTAGE_MARGIN_PU = 0.007
HEAD_SHARE = 0.98
LOADING_SHARE = 0.93
"""Room kept inside the limits for what forecasts and the map miss; in voltage one step of a regulator,
0.00625 pu, and a little. A head is metered. Of the loads behind an element each is estimated alone; behind
the smallest regulators of `rts_day` (120 kVA) they drew up to 6 % of its rating more than was believed."""
VOLTAGE_RISE_PU = 0.02
VOLTAGE_FALL_PU = 0.01
"""Greatest change of a voltage from one interval to the next, before regulators answer it: those that follow
a greater swing in steps of 30 s overshoot. A rise ends at the limit anyway; after a fall taps of several
regulators in a row go up together. IEEE 1547-2018, 7.2.2 allows a DER 0.03 at medium voltage."""
IMPORT_STEP_SHARE = 0.1
"""Greatest change of the area's import from one interval to the next, of the substation's rating: for the
same reason."""
MOVE_USD_PER_MWH = 1.0
"""Cost of every MWh by which a DER leaves what it injected before the interval. Stores worth the same within
that much would otherwise take turns, and regulators answer every turn. [$/MWh]"""
RELAXED_PU = 0.006
"""Room inside Range A up to which the base state relaxes voltages; beyond, what DERs reach does. [pu]"""
REACHED_MW = 1e-4
"""Room above the least import that DERs reach, where that is the head's limit. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class BidInputs:
    """All that a bid is made from; the same inputs on a new engine give the same bid."""

    interval_s: SimTime
    """Beginning of the interval. [s]"""
    conditions: Conditions
    """What is believed of the interval."""
    taps: FloatArray
    """Tap position of every regulated winding, in circuit order."""
    offers: Offers
    """Of all DERs."""
    expected_kw: FloatArray
    """Injections from whose surroundings the expected dispatch is found, shape (ders,). [kW]"""
    now_kw: FloatArray | None
    """Injections before the interval, from which voltages may move by one step only, shape (ders,); None:
    there is time for taps to follow. [kW]"""
    q_kvar: FloatArray
    """Reactive injections believed, shape (ders,). [kvar]"""
    q_limit_kvar: FloatArray
    """Greatest |Q| that the DSO may ask for; zero where Q is not its own, shape (ders,). [kvar]"""
    price_usd_per_mwh: float
    """Price expected at the bus: the feeders are linearised at what they would do at it. [$/MWh]"""
    import_limit_mw: float = np.inf
    """Greatest import that a call of capacity leaves, however far it is; inf: none is called. [MW]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What the meters show in one physical step."""

    taps: FloatArray
    """Tap position of every regulated winding, in circuit order."""
    v_pu: float
    """Voltage at the interface. [pu]"""
    feeder_kva: ComplexArray
    """Drawn by each feeder at its head, shape (feeders,). [kVA]"""
    p_kw: FloatArray
    """Injections of the DERs, shape (ders,). [kW]"""
    q_kvar: FloatArray
    """Reactive injections of the DERs, shape (ders,). [kvar]"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Linearised:
    """An area around the dispatch that is expected of it in one interval."""

    columns: DerColumns
    """Offers of all DERs, in fleet order."""
    at: SetPoints
    """The dispatch expected."""
    state: TwinState
    """The twin's there."""
    before_pu: tuple[FloatArray | None, ...]
    """Voltages before the interval, feeder by feeder, from which one step is taken at most. [pu]"""
    before: TwinState | None
    """The twin's state before the interval, from whose import one step is taken at most."""
    feeders: tuple[FeederOffer, ...]
    """Every feeder's offers and the limits kept around that state, without the step."""
    collapsed_count: int
    """States at which the twin collapsed on the way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedBid:
    """A bid with all that its award's dispatch needs."""

    interval_s: SimTime
    curve: LdaCurve
    feeders: tuple[FeederOffer, ...]
    columns: DerColumns
    conditions: Conditions
    before_pu: tuple[FloatArray | None, ...]
    """Voltages before the interval, feeder by feeder, from which the bid takes one step at most. [pu]"""
    linearised_at: SetPoints
    """Where the feeders were linearised."""
    state: TwinState
    """The twin's there."""
    whole: tuple[bool, bool]
    """Whether the curve's ends, least and greatest import, are those of the feeders."""
    range_mw: tuple[float, float]
    """Least and greatest import of feeders and substation; the curve may end a step from before. [MW]"""
    collapsed_count: int
    """States at which the twin collapsed, on the way to where the feeders are linearised or dropped as curve
    points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundCounts:
    """Limits that bind at a dispatch, per feeder, shape (feeders,)."""

    voltage: IntArray
    thermal: IntArray
    head: IntArray


class TwinArea:
    """An area's twin as the dispatch asks it, feeder by feeder.

    Parameters
    ----------
    coefficients
        Of the radial maps; None takes them anew in every state.
    """

    def __init__(self, twin: Twin, coefficients: Sequence[Coefficients] | None) -> None:
        self._twin = twin
        self._coefficients = coefficients

    def __call__(self, p_kw: Sequence[FloatArray], q_kvar: Sequence[FloatArray]) -> TwinState:
        """State at set-points, taps held."""
        return self._twin.solve(self._twin.joined(p_kw), self._twin.joined(q_kvar), self._coefficients)

    def settle(self, at: SetPoints) -> None:
        """Put the taps where regulators that act at set-points leave them."""
        self._twin.settle(self._twin.joined(at.p_kw), self._twin.joined(at.q_kvar))

    def set_taps(self, taps: FloatArray) -> None:
        """Put the taps."""
        self._twin.set_taps(taps)

    def tangent(self, state: TwinState) -> AreaTangent:
        """The map by the Jacobian around the state solved last."""
        return self._twin.tangent(state)


class TotalDso:
    """Bids and dispatch of one area.

    Parameters
    ----------
    blocks_limit
        Most blocks of a curve.
    move_usd_per_mwh
        What the DSO counts for moving a DER; zero where others dispatch. [$/MWh]
    """

    def __init__(
        self,
        scenario: LdaScenario,
        *,
        blocks_limit: int = BLOCKS_LIMIT,
        move_usd_per_mwh: float = MOVE_USD_PER_MWH,
    ) -> None:
        self._scenario = scenario
        self._blocks_limit = blocks_limit
        self._move_usd_per_mwh = move_usd_per_mwh
        self.twin = Twin(scenario)
        names = [f"{scenario.name}/{name}" for name in scenario.feeder_names]
        self._bidders = [FeederBidder(m, name) for m, name in zip(self.twin.maps, names, strict=True)]
        self._kept = KeptCoefficients()

    @property
    def substation_mw(self) -> float:
        """Greatest import and export of the substation. [MW]"""
        return self._scenario.substation_mva

    def bid(self, inputs: BidInputs, *, keep_coefficients: bool) -> PreparedBid:
        """The area's curve for one interval.

        ``keep_coefficients``: whether the last interval's linear map may serve again with new right-hand
        sides, within the hour and while taps hardly move.

        Raises
        ------
        DivergedError
            If the twin does not carry the area with its DERs at their base either.
        """
        found = self.linearised(inputs, keep_coefficients=keep_coefficients)
        state = found.state
        ladder = price_ladder(inputs.price_usd_per_mwh)
        curves = [bidder.sweep(ladder.price_usd_per_mwh) for bidder in self._bidders]
        ends = self.twin.constant_mw(state) + np.sum([c.import_mw[[-1, 0]] for c in curves], axis=0)
        rating = self._scenario.substation_mva
        range_mw = (max(float(ends[0]), -rating), min(float(ends[1]), rating))
        least_mw, greatest_mw = self._step_mw(range_mw, found.before)
        least_mw = min(least_mw, max(inputs.import_limit_mw, range_mw[0]))
        curve = lda_curve(
            curves,
            constant_mw=self.twin.constant_mw(state),
            import_limit_mw=greatest_mw,
            export_limit_mw=-least_mw,
            window_usd_per_mwh=ladder.window_usd_per_mwh,
            blocks_limit=self._blocks_limit,
        )
        curve, dropped = self._carried_part(curve)
        return PreparedBid(
            interval_s=inputs.interval_s,
            curve=curve,
            feeders=found.feeders,
            columns=found.columns,
            conditions=inputs.conditions,
            before_pu=found.before_pu,
            linearised_at=found.at,
            state=state,
            whole=(
                bool(curve.import_mw[0] <= ends[0] + MERGE_MW),
                bool(curve.import_mw[-1] >= ends[1] - MERGE_MW),
            ),
            range_mw=range_mw,
            collapsed_count=found.collapsed_count + dropped,
        )

    def linearised(self, inputs: BidInputs, *, keep_coefficients: bool) -> Linearised:
        """The area around the dispatch that its expected price would bring, its limits kept.

        Parameters are `bid`'s. The bidders have taken up what is returned.

        Raises
        ------
        DivergedError
            If the twin does not carry the area with its DERs at their base either.
        """
        base_kw = self._scenario.base_kw(inputs.offers.floor_kw)
        offers = inputs.offers
        if inputs.now_kw is not None:
            offers = offers.staying(inputs.now_kw, self._move_usd_per_mwh)
        columns = offers.columns(base_kw, inputs.q_kvar, inputs.q_limit_kvar)
        expected = np.clip(inputs.expected_kw, columns.floor_kw, columns.top_kw)
        self.twin.set_taps(inputs.taps)
        self.twin.set_conditions(inputs.conditions)
        taps = self.twin.circuit.taps()
        kept = self._kept.at(inputs.interval_s, taps) if keep_coefficients else None
        base = base_set_points(
            [taken(columns, self.twin.feeder_of_der == k) for k in range(len(self.twin.maps))]
        )
        wanted = self._set_points(expected, inputs.q_kvar)
        at, state, collapsed = carried(base, wanted, TwinArea(self.twin, kept))
        before = self._before(inputs, at, state)
        before_pu: tuple[FloatArray | None, ...] = (None,) * len(self.twin.maps)
        if before is not None:
            before_pu = tuple(np.sqrt(point.w_pu2) for point in before.points)
        self._taken_up(columns, state, before_pu, before)
        p_kw = tuple(bidder.expected_kw(inputs.price_usd_per_mwh) for bidder in self._bidders)
        wanted = SetPoints(p_kw=p_kw, q_kvar=tuple(self.twin.split(inputs.q_kvar)))
        at, state, more = carried(at, wanted, TwinArea(self.twin, kept))
        if kept is None and keep_coefficients:
            self._kept.keep(inputs.interval_s, taps, state.points)
        return Linearised(
            columns=columns,
            at=at,
            state=state,
            before_pu=before_pu,
            before=before,
            feeders=self._taken_up(columns, state, before_pu, before),
            collapsed_count=collapsed + more,
        )

    def step_mw(self, found: Linearised) -> tuple[float, float]:
        """Least and greatest import that is one step from before the interval; asked right after ``found``.

        Where the feeders do not reach the import before it, one step from the nearest that they reach. [MW]
        """
        if found.before is None:
            return -np.inf, np.inf
        least, greatest = (
            self.twin.constant_mw(found.state)
            + sum(bidder.program().range_end_mw(greatest=end) for bidder in self._bidders)
            for end in (False, True)
        )
        rating = self.substation_mw
        return self._step_mw((max(least, -rating), min(greatest, rating)), found.before)

    def called(self, inputs: BidInputs, prepared: PreparedBid, room: StoreRoom, hours: float) -> CalledStates:
        """States to which one simulated set can be called and held there; asked right after its bid.

        Parameters
        ----------
        room
            By which the stores may move.
        hours
            From now until a call at the interval's end need no longer be held. [h]
        """
        limits = held(self._scenario.fleet, inputs.expected_kw, room, hours)
        area = self._callable(prepared, held_columns(prepared.columns, limits))
        ends = mapped_ends(self._bidders, prepared.state, area.held, may_be_empty=True)
        self.twin.set_conditions(prepared.conditions)
        known = prepared.linearised_at
        expected_mw, anchor = area.import_mw(known), area.anchor(known)
        if anchor is None:
            return only_state(known, expected_mw)
        found = called_states(ends, area, anchor)
        return steady_states(found, area, anchor, expected_mw, inputs.taps)

    def _callable(self, prepared: PreparedBid, held_offers: DerColumns) -> CallableArea:
        """The area of a bid that may be called, of offers cut to what can be held."""
        return CallableArea(
            feeders=prepared.feeders,
            held=tuple(
                replace(offer, columns=taken(held_offers, self.twin.feeder_of_der == place))
                for place, offer in enumerate(prepared.feeders)
            ),
            twin=TwinArea(self.twin, [point.coefficients for point in prepared.state.points]),
        )

    def firm(
        self, inputs: BidInputs, prepared: PreparedBid, offers: Offers, room: StoreRoom, hours: float
    ) -> FirmHour:
        """What one simulated set draws with the DERs that answer a call at rest, and with them called.

        Parameters
        ----------
        offers
            What the DERs could do, whatever they plan to.
        room
            By which the stores may move as the call begins.
        hours
            How long it is held. [h]
        """
        fleet, rating = self._scenario.fleet, self._scenario.substation_mva
        base_kw = self._scenario.base_kw(offers.floor_kw)
        columns = offers.columns(base_kw, prepared.columns.q_kvar, prepared.columns.q_limit_kvar)
        cut = held_columns(columns, held(fleet, inputs.expected_kw, room, hours))
        area = self._callable(prepared, cut)
        ends = mapped_ends(self._bidders, prepared.state, area.held, may_be_empty=True)
        self.twin.set_conditions(prepared.conditions)
        least, least_mw = sustained_least(ends, area, prepared.linearised_at, inputs.taps)
        at_rest = np.where(answering(fleet), base_kw, np.clip(inputs.expected_kw, cut.floor_kw, cut.top_kw))
        called_kw, sun = self.twin.joined(least.p_kw), fleet.of_kind("pv")
        return FirmHour(
            baseline_mw=self.twin.solve(at_rest, inputs.q_kvar).interface_mw,
            least_mw=max(least_mw, -rating),
            demand_mw=float(inputs.conditions.demand_kw.sum()) / KW_PER_MW,
            sun_mw=float(cut.top_kw[sun].sum()) / KW_PER_MW,
            used_sun_mw=float(called_kw[sun].sum()) / KW_PER_MW,
            discharge_kw=np.where(fleet.of_kind("battery"), np.maximum(called_kw, 0.0), 0.0),
        )

    def reserve(
        self,
        inputs: BidInputs,
        prepared: PreparedBid,
        sent: NetCurve,
        states: CalledStates,
        sigma: float,
    ) -> ReserveOffer:
        """Reserve of one simulated set, offered with the curve that is sent.

        ``sigma``: standard deviation of the forecast's error, relative.
        """
        fleet, stepped = self._scenario.fleet, prepared.curve.net_curve
        least, greatest = prepared.range_mw
        sun_kw = float(prepared.columns.top_kw[fleet.of_kind("pv")].sum())
        return reserve_offer(
            (
                least if sent.p_min_mw <= stepped.p_min_mw else sent.p_min_mw,
                greatest if sent.p_max_mw >= stepped.p_max_mw else sent.p_max_mw,
            ),
            states.import_mw,
            import_at(sent, inputs.price_usd_per_mwh),
            margin_mw(sigma, float(inputs.conditions.demand_kw.sum()) + sun_kw),
            wear_usd_per_mw_h(fleet),
        )

    def called_kw(
        self, start_kw: FloatArray, start_mw: float, target_mw: float, states: CalledStates
    ) -> FloatArray:
        """Set-points of one import, moved to what a call asks for, shape (ders,). [kW]"""
        start = self._set_points(start_kw, np.zeros_like(start_kw))
        return self.twin.joined(called(start, start_mw, target_mw, states).p_kw)

    def import_range_mw(self, prepared: PreparedBid, offers: Offers) -> tuple[float, float]:
        """Least and greatest import within every limit of other offers in a bid's interval. [MW]"""
        base = self._scenario.base_kw(offers.floor_kw)
        columns = offers.columns(base, prepared.columns.q_kvar, prepared.columns.q_limit_kvar)
        ends = mapped_ends(self._bidders, prepared.state, self._feeder_offers(columns, prepared.state))
        low, high = (ends.import_mw + self.twin.constant_mw(prepared.state)).tolist()
        rating = self._scenario.substation_mva
        return max(low, -rating), min(high, rating)

    def dispatch(self, prepared: PreparedBid, award_mw: float, taps: FloatArray, v_pu: float) -> Dispatch:
        """Set-points for an award of one simulated set.

        Parameters
        ----------
        taps
            As seen last, in circuit order.
        v_pu
            Voltage at the interface seen last. [pu]
        """
        self.twin.set_conditions(replace(prepared.conditions, v_pu=v_pu))
        self.twin.set_taps(taps)
        area = TwinArea(self.twin, [point.coefficients for point in prepared.state.points])
        done = dispatch(award_mw, prepared.curve, prepared.feeders, area, prepared.linearised_at)
        return self._steady(done, award_mw, prepared, area)

    def asked_kvar(self, prepared: PreparedBid, done: Dispatch) -> FloatArray:
        """Reactive power that a dispatch asks of the DERs, zero where it is not the DSO's, shape (ders,)."""
        return np.where(prepared.columns.q_limit_kvar > 0.0, self.twin.joined(done.q_kvar), 0.0)

    def mend(
        self, prepared: PreparedBid, sight: Sight, p_kw: FloatArray, q_kvar: FloatArray, award_mw: float
    ) -> Dispatch | None:
        """Set-points that keep what the twin, as metered now, shows to be broken at others.

        None where it shows nothing broken.

        Parameters
        ----------
        p_kw, q_kvar
            The others, shape (ders,); Q that is not the DSO's is as metered. [kW], [kvar]
        """
        known = TwinArea(self.twin, [point.coefficients for point in prepared.state.points])
        try:
            self._take(sight, prepared.conditions)
            free = prepared.columns.q_limit_kvar > 0.0
            at = self._set_points(p_kw, np.where(free, q_kvar, sight.q_kvar))
            if not is_alarming(known(at.p_kw, at.q_kvar), prepared.feeders):
                return None
        except DivergedError:
            at = self._set_points(sight.p_kw, sight.q_kvar)
        done = settled(award_mw, at, prepared.feeders, known, prepared.linearised_at)
        return self._steady(done, award_mw, prepared, known)

    def _steady(self, done: Dispatch, award_mw: float, prepared: PreparedBid, area: TwinArea) -> Dispatch:
        """A dispatch, or one near it that keeps limits that it breaks once regulators have answered it.

        Regulators that compensate the drop of their line raise what they feed as DERs draw more. Where the
        twin collapses at the taps that they would leave, the dispatch stands and the collapse is counted.
        """
        taps = self.twin.circuit.taps()
        at = SetPoints(p_kw=done.p_kw, q_kvar=done.q_kvar)
        feeders, known = prepared.feeders, prepared.linearised_at
        try:
            area.settle(at)
            rested = area(at.p_kw, at.q_kvar)
            if not is_alarming(rested, feeders):
                return done
            later = settled(rested.interface_mw, at, feeders, area, known)
            if later.passes_count == 0 or later.broken_count:
                return done
            area.set_taps(taps)
            at = SetPoints(p_kw=later.p_kw, q_kvar=later.q_kvar)
            now = settled(area(at.p_kw, at.q_kvar).interface_mw, at, feeders, area, known)
        except DivergedError:
            return replace(done, collapsed_count=done.collapsed_count + 1)
        finally:
            area.set_taps(taps)
        if now.broken_count > done.broken_count:
            return done
        return replace(
            now,
            shortfall_mw=award_mw - now.interface_mw,
            passes_count=done.passes_count + later.passes_count + now.passes_count,
            collapsed_count=done.collapsed_count + later.collapsed_count + now.collapsed_count,
        )

    def _take(self, sight: Sight, believed: Conditions) -> None:
        """Make the twin draw at every feeder's head what is metered there, loads in proportion."""
        self.twin.set_taps(sight.taps)
        believed = replace(believed, v_pu=sight.v_pu)
        self.twin.set_conditions(believed)
        missing_kva = sight.feeder_kva - self.twin.feeder_power_kva(sight.p_kw, sight.q_kvar)
        feeder, count = self._scenario.load_feeder, missing_kva.size
        p, q = (np.bincount(feeder, x, count) for x in (believed.demand_kw, believed.demand_kvar))
        more_p = np.divide(missing_kva.real, p, out=np.zeros(count), where=p > 0.0)[feeder]
        more_q = np.divide(missing_kva.imag, q, out=np.zeros(count), where=q > 0.0)[feeder]
        scaled = replace(
            believed,
            demand_kw=believed.demand_kw * (1.0 + more_p),
            demand_kvar=believed.demand_kvar * (1.0 + more_q),
        )
        self.twin.set_conditions(scaled)

    def prices(
        self, prepared: PreparedBid, done: Dispatch, award_mw: float, lmp_usd_per_mwh: float
    ) -> tuple[tuple[FeederPrices, ...], DistributionAccounts]:
        """Prices of every feeder's DERs and loads at an award's dispatch, and the accounts at them."""
        worth = import_price(prepared.curve.net_curve, award_mw, lmp_usd_per_mwh, whole=prepared.whole)
        drawn_kva = sum(complex(point.p_head_kw, point.q_head_kvar) for point in done.state.points)
        head_loss = substation_loss(self.twin.constant_mw(done.state), drawn_kva / KW_PER_MW)
        found, priced = [], []
        for place, (bidder, offer) in enumerate(zip(self._bidders, prepared.feeders, strict=True)):
            limits = stepping(offer.limits, prepared.before_pu[place])
            case = bidder.refresh(prepared.state.points[place], offer.columns, limits)
            point = done.state.points[place]
            vertex = bidder.optimum_at(worth)
            branches = branch_prices(case, vertex, point, worth, head_loss)
            priced.append(
                PricedFeeder(
                    case=case,
                    vertex=vertex,
                    branches=branches,
                    point=point,
                    way_of_nodes=self.twin.ways_of_nodes[place],
                )
            )
            loads = self.twin.load_places[place]
            found.append(
                FeederPrices(
                    ders=prices_at(offer.map.incidence_t, branches, lmp_usd_per_mwh).ordered(offer.map.order),
                    loads=prices_at(loads.way, branches, lmp_usd_per_mwh),
                    load=loads.load,
                    load_kw=prepared.conditions.demand_kw[loads.load],
                )
            )
        return tuple(found), accounts(priced, done.interface_mw, lmp_usd_per_mwh)

    def day_value(self, hours: Sequence[Linearised], stores: StoreDay) -> DayValue:
        """Cost of a day of one simulated set as a function of its import.

        The feeders stay linearised where they are, whatever is asked; stores move as ``stores`` says.
        """
        own = stores_on_feeders(stores, self.twin.feeder_of_der, len(self.twin.maps))
        ready = [
            ValueHour(
                feeders=tuple(
                    FeederHour(
                        bidder=FeederBidder(offer.map, offer.name),
                        point=point,
                        columns=with_stores(offer.columns, mine, stores, t),
                        limits=offer.limits,
                    )
                    for offer, point, mine in zip(hour.feeders, hour.state.points, own, strict=True)
                ),
                constant_mw=self.twin.constant_mw(hour.state),
            )
            for t, hour in enumerate(hours)
        ]
        limit_mw = self._scenario.substation_mva
        return DayValue(ready, stores, self.twin.feeder_of_der, limit_mw, self._scenario.name)

    def _before(self, inputs: BidInputs, at: SetPoints, state: TwinState) -> TwinState | None:
        """The twin's state at the injections before the interval; None where those do not bind it.

        ``state`` is the twin's at ``at``, and serves where these are the injections before the interval.
        """
        if inputs.now_kw is None:
            return None
        own = zip((at.p_kw, at.q_kvar), (inputs.now_kw, inputs.q_kvar), strict=True)
        if all(np.array_equal(self.twin.joined(mine), now) for mine, now in own):
            return state
        known = [point.coefficients for point in state.points]
        return self.twin.solve(inputs.now_kw, inputs.q_kvar, known)

    def _step_mw(self, range_mw: tuple[float, float], before: TwinState | None) -> tuple[float, float]:
        """Part of the area's range that is one step of its import away, at most. [MW]

        The step is taken from the import before the interval, or from the range where that lies outside it.
        """
        if before is None:
            return range_mw
        before_mw = before.interface_mw
        step = IMPORT_STEP_SHARE * self._scenario.substation_mva
        low, high = min(before_mw, range_mw[1]) - step, max(before_mw, range_mw[0]) + step
        return max(range_mw[0], low), min(range_mw[1], high)

    def _taken_up(
        self,
        columns: DerColumns,
        state: TwinState,
        before_pu: Sequence[FloatArray | None],
        before: TwinState | None,
    ) -> tuple[FeederOffer, ...]:
        """Every feeder's offers, taken up by its bidder around a state of the twin.

        Where a feeder without DERs would draw more than its head may, the head's limit becomes the least
        import that the DERs reach, not what the feeder would draw without them. Where a step is limited,
        voltage limits are relaxed beyond `RELAXED_PU` only to what the DERs reach.
        """
        feeders: list[FeederOffer] = []
        offers = self._feeder_offers(columns, state)
        for place, (bidder, point, offer) in enumerate(zip(self._bidders, state.points, offers, strict=True)):
            limits = offer.limits
            if before is not None:
                limits = replace(limits, relaxed_pu=(V_MIN_PU + RELAXED_PU, V_MAX_PU - RELAXED_PU))
            case = bidder.refresh(point, offer.columns, stepping(limits, before_pu[place]))
            if before is not None and not case.keeps(before.points[place].p_kw):
                limits = _reached(case, limits, bidder.name)
                case = bidder.refresh(point, offer.columns, stepping(limits, before_pu[place]))
            if case.greatest_import_mw > limits.import_mw:
                least_mw = bidder.program().range_end_mw(greatest=False)
                reached_mw = max(limits.import_mw, least_mw + REACHED_MW)
                limits = replace(limits, import_mw=reached_mw, import_is_reachable=True)
                bidder.refresh(point, offer.columns, stepping(limits, before_pu[place]))
            feeders.append(replace(offer, limits=limits))
        return tuple(feeders)

    def _set_points(self, p_kw: FloatArray, q_kvar: FloatArray) -> SetPoints:
        """Injections of the area, feeder by feeder."""
        return SetPoints(p_kw=tuple(self.twin.split(p_kw)), q_kvar=tuple(self.twin.split(q_kvar)))

    def _carried_part(self, curve: LdaCurve) -> tuple[LdaCurve, int]:
        """The curve without the outer points at which the twin collapses, and how many those are.

        The ends of the range are farthest from where the feeders are linearised: what lies between two points
        that the twin carries is taken to be carried. One point is always left.
        """
        first, last = 0, curve.import_mw.size - 1
        while first < last and not self._carries(curve, first):
            first += 1
        while first < last and not self._carries(curve, last):
            last -= 1
        dropped = curve.import_mw.size - 1 - (last - first)
        return (curve.between(first, last), dropped) if dropped else (curve, 0)

    def _carries(self, curve: LdaCurve, vertex: int) -> bool:
        p_kw, q_kvar = ([rows[vertex] for rows in values] for values in (curve.p_kw, curve.q_kvar))
        try:
            self.twin.feeder_power_kva(self.twin.joined(p_kw), self.twin.joined(q_kvar))
        except DivergedError:
            return False
        return True

    def bound(self, prepared: PreparedBid, done: Dispatch) -> BoundCounts:
        """Limits that bind at a dispatch."""
        n = len(self.twin.maps)
        voltage, thermal, head = (np.zeros(n, dtype=np.int64) for _ in range(3))
        for limit in done.limits:
            (thermal if limit.kind is LimitKind.THERMAL else voltage)[limit.feeder] += 1
        for place, (offer, point) in enumerate(zip(prepared.feeders, done.state.points, strict=True)):
            drawn = point.p_head_kw / 1_000.0
            tolerance = 1e-3 * max(abs(drawn), 1.0)
            at_import = drawn >= offer.limits.import_mw - tolerance
            at_export = -drawn >= offer.limits.export_mw - tolerance
            head[place] = int(at_import or at_export)
        return BoundCounts(voltage=voltage, thermal=thermal, head=head)

    def hold(
        self, prepared: PreparedBid, dispatched_kw: FloatArray, wanted_kw: float, price_usd_per_mwh: float
    ) -> Correction:
        """Set-points around a dispatch whose sum differs from it by ``wanted_kw``, if there is room."""
        return hold_interchange(dispatched_kw, prepared.columns, wanted_kw, price_usd_per_mwh)

    def _feeder_offers(self, columns: DerColumns, state: TwinState) -> tuple[FeederOffer, ...]:
        offers = []
        for place, (m, point) in enumerate(zip(self.twin.maps, state.points, strict=True)):
            mine = self.twin.feeder_of_der == place
            offers.append(
                FeederOffer(
                    map=m,
                    columns=taken(columns, mine),
                    limits=kept_limits(self._scenario, self.twin, place, point),
                    name=f"{self._scenario.name}/{self._scenario.feeder_names[place]}",
                )
            )
        return tuple(offers)


def kept_limits(scenario: LdaScenario, twin: Twin, place: int, point: OperatingPoint) -> FeederLimits:
    """What the DSO keeps on a feeder around an operating point, its margins taken off."""
    limits, q_mvar = scenario.limits[place], point.q_head_kvar / 1_000.0
    return FeederLimits(
        v_min_pu=V_MIN_PU + VOLTAGE_MARGIN_PU,
        v_max_pu=V_MAX_PU - VOLTAGE_MARGIN_PU,
        loaded=twin.loaded[place],
        import_mw=_active_limit(HEAD_SHARE * limits.import_kva / 1_000.0, q_mvar),
        export_mw=_active_limit(HEAD_SHARE * limits.export_kva / 1_000.0, q_mvar),
        loading_pu=LOADING_SHARE,
    )


def stepping(limits: FeederLimits, before_pu: FloatArray | None) -> FeederLimits:
    """Limits that let no voltage move by more than one step from what it was before."""
    return replace(limits, before_pu=before_pu, rise_pu=VOLTAGE_RISE_PU, fall_pu=VOLTAGE_FALL_PU)


def _reached(case: FeederCase, limits: FeederLimits, name: str) -> FeederLimits:
    """A feeder's limits, relaxed as far as its DERs cannot keep them.

    Asked of a program of its own: which of equally cheap dispatches the bidder's finds does not depend on it.
    """
    nearest = ReducedProgram(case, name).nearest_to_limits()
    if nearest.voltage_slack_pu2 == 0.0:
        return limits
    return replace(limits, reached_pu2=case.w_pu2(nearest.p_kw, nearest.q_kvar))


def _active_limit(limit_mva: float, q_mvar: float) -> float:
    """Active power left under an apparent-power limit at the expected reactive power. [MW]"""
    return float(np.sqrt(max(limit_mva**2 - q_mvar**2, 0.0)))


def taken(columns: DerColumns, mine: BoolArray) -> DerColumns:
    """Offers of the DERs of a mask, shape (ders,), renumbered."""
    place = np.cumsum(mine) - 1
    blocks = mine[columns.der]
    return DerColumns(
        der=place[columns.der[blocks]],
        width_kw=columns.width_kw[blocks],
        price_usd_per_mwh=columns.price_usd_per_mwh[blocks],
        floor_kw=columns.floor_kw[mine],
        base_kw=columns.base_kw[mine],
        q_kvar=columns.q_kvar[mine],
        q_limit_kvar=columns.q_limit_kvar[mine],
    )
