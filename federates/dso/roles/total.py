"""M5: the DSO takes all offers of its LDA, makes one bid, and turns the award into set-points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from federates.core import tables
from federates.core.advice import advised_usd_per_mwh
from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.context import Context
from federates.core.curve import NetCurve
from federates.core.errors import MissingInputError
from federates.core.messages import (
    DerAwards,
    DerOffers,
    ImportLimits,
    InterfaceAward,
    ReserveSignal,
    Telemetry,
)
from federates.core.ports import DsoPorts
from federates.core.protocol import Grant, Offset, Outbox, Phase, Received, State
from federates.core.reserve_offer import DURATION_H
from federates.core.time import Cadence, SimTime
from federates.der.store_day import stores_of_area
from federates.der.virtual_store import merged_store
from federates.dso.accounts import DistributionAccounts
from federates.dso.bid_method import bid_method, price_at
from federates.dso.capacity import after
from federates.dso.dispatch import Dispatch
from federates.dso.dlmp import FeederPrices
from federates.dso.expectation import expectation
from federates.dso.local_need import LocalNeed
from federates.dso.observer import Observer
from federates.dso.offers import Offers
from federates.dso.roles.day_cost import LAST_ROUND_OFFSET_S, DayCost
from federates.dso.roles.day_plan import DayPlan, DayPlans
from federates.dso.roles.kept_energy import KeptEnergy
from federates.dso.roles.seen import (
    HOUR_S,
    KW_PER_MW,
    conditions,
    interface_bid,
    record_collapses,
    seen_state,
    settle_idle,
    state_before,
    telemetry,
)
from federates.dso.roles.sold_capacity import SoldCapacity, with_capacity
from federates.dso.roles.sold_reserve import NO_SIGNAL, SoldReserve
from federates.dso.statements import AreaPrices, area_prices
from federates.dso.total import HEAD_SHARE, BidInputs, PreparedBid, Sight, TotalDso
from federates.dso.twin import Conditions
from federates.scenario.lda import LdaScenario
from federates.scenario.schedule_records import ScheduleRecords
from federates.scenario.staleness import held_by_link_loss


class TotalDsoRole:
    """Bids, dispatch and the fast loop of a total DSO."""

    def __init__(self, context: Context) -> None:
        self.ports = DsoPorts()
        self.name = context.name
        self._study = context.study
        self._clock = context.clock
        self._recorder = context.recorder
        self.scenario = LdaScenario(context.study, context.lda.name)
        self._observer = Observer(self.scenario, context.recorder)
        self._multiplicity = context.lda.multiplicity
        self._forward = context.forward()
        self._aggregators = context.receivers("der_awards")
        self._portfolios = [self.scenario.portfolio(context.owner_of(n)) for n in self._aggregators]
        n = len(self.scenario.fleet)
        self._day: int | None = None
        self._dso: TotalDso | None = None
        self._waiting: BidInputs | None = None
        self._prepared: PreparedBid | None = None
        self._now_running: PreparedBid | None = None
        self._award_mw = 0.0
        self._target_mw = 0.0
        self._reserve = SoldReserve()
        self._price = 0.0
        self._settled_at: AreaPrices | None = None
        self._p_kw: FloatArray = np.zeros(n)
        self._q_kvar: FloatArray = np.zeros(n)
        self._dispatched_kw: FloatArray = np.zeros(n)
        self._start_kw: FloatArray = np.zeros(n)
        self._start_mw = 0.0
        self._called_kw: FloatArray = np.zeros(n)
        self._change_kw = 0.0
        self._unmet_kw = 0.0
        self._mended_count = 0
        self._day_ahead_lmp: dict[int, FloatArray] = {}
        self._rounds_bid = 0
        self._plans = DayPlans()
        self._schedules = ScheduleRecords(context.recorder, self.scenario, np.arange(n))
        self._method = bid_method(context.study.market.bid)
        self._sells_reserve = context.study.market.dso_reserves
        self._states_cost = context.study.market.bid.kind == "exact_cuts"
        self._day_cost: DayCost | None = None
        sold = context.study.market.capacity
        self._capacity = None if sold is None else SoldCapacity(sold, self.scenario, context.clock)
        self._kept = KeptEnergy(
            self.scenario, LocalNeed(self.scenario, HEAD_SHARE), self._capacity, context.clock
        )

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Set-points every physical step, a bid before each gate, and one per day and round."""
        phases = {
            1: Phase(Cadence.STEP, self.act),
            53: Phase(Cadence.GATE, self.bid),
            54: Phase(Cadence.DAY_AHEAD, self.day_ahead_bid, 54),
        }
        if self._states_cost:
            phases[54] = Phase(Cadence.DAY_AHEAD, self.state_day_cost, LAST_ROUND_OFFSET_S)
        if self._study.market.day_ahead_rounds > 1:
            phases[56] = Phase(Cadence.DAY_AHEAD, self.pass_advice_on, 56)
        return phases

    def day_ahead_bid(self, grant: Grant) -> Outbox:
        """Curves of 24 hours, each around the dispatch that its expected price would bring."""
        day = self._clock.day_ahead_day(grant.now)
        assert day is not None
        dso = TotalDso(self.scenario, blocks_limit=self._method.blocks_limit)
        midnight = self._clock.midnight(day)
        curves, reserve, ranges, made, firm = [], [], [], [], []
        stored = self._stored_kwh(grant)
        batteries = self.scenario.fleet.of_kind("battery") & self.scenario.directed(grant.now)
        power = np.where(batteries, self.scenario.fleet.power_kw, 0.0)
        apart = batteries if self._method.stores_apart else np.zeros_like(batteries)
        for hour, inputs in enumerate(self._hours(grant, dso, day, apart)):
            prepared = dso.bid(inputs, keep_coefficients=False)
            self._record_collapses(grant.now, f"hour {hour} of the day-ahead bid", prepared.collapsed_count)
            curves.append(self._method.sent(prepared.curve, inputs.price_usd_per_mwh))
            made.append(prepared.curve)
            if self._method.stores_apart:
                ranges.append(dso.import_range_mw(prepared, inputs.offers.ranging(batteries, -power, power)))
            if self._sells_reserve:
                sigma = self.scenario.forecast_sigma(inputs.interval_s - self._clock.day_ahead_issue(day))
                room = self._kept.room_in_hour(day, grant.now, inputs.interval_s + HOUR_S, stored)
                states = dso.called(inputs, prepared, room, DURATION_H)
                reserve.append(dso.reserve(inputs, prepared, curves[-1], states, sigma))
            if self._capacity is not None and hour in self._capacity.hours(day):
                room = self._kept.room_for_capacity(day, grant.now, stored)
                able = inputs.offers.ranging(batteries, -power, power)
                firm.append(dso.firm(inputs, prepared, able, room, self._capacity.length_h(day)))
        plan = DayPlan(
            curves=tuple(made),
            battery_kw=np.where(apart, power, 0.0),
            expected_usd_per_mwh=self._advised(grant, day),
        )
        self._plans.rounds[self._rounds_bid :] = [plan]
        self._rounds_bid = (self._rounds_bid + 1) % self._study.market.day_ahead_rounds
        last = self._rounds_bid == 0
        outbox = Outbox(again=not last)
        bid = interface_bid(curves, midnight, HOUR_S, self._multiplicity, reserve)
        if self._capacity is not None and firm:
            bid = with_capacity(bid, self._capacity.offer(day, firm), self._multiplicity)
        outbox.put(self.ports.day_ahead_bids, bid)
        if self._method.stores_apart:
            self._offer_store(outbox, grant, curves, np.array(ranges))
        return outbox

    def _hours(self, grant: Grant, dso: TotalDso, day: int, apart: BoolArray) -> Iterator[BidInputs]:
        """What the hours of a market day bring, one by one; DERs of a mask, shape (ders,), offer nothing.

        Each hour's taps are those that the one before has left on the twin.
        """
        midnight = self._clock.midnight(day)
        offers = self._offers(grant, day_ahead=True, interval=midnight)
        prices = self._advised(grant, day)
        none = np.zeros(apart.size)
        hours = self.scenario.expected_day(day, self._clock.day_ahead_issue(day))
        settle_idle(dso.twin, self.scenario, hours[0], state_before(self.ports, grant, day, self.scenario))
        for hour, expected in enumerate(hours):
            mine = self._joined(offers, hour)
            if apart.any():
                mine = mine.ranging(apart, none, none)
            price = float(prices[hour])
            at_price = merit_kw(mine, price)
            believed = conditions(expected, 1.0)
            yield BidInputs(
                interval_s=midnight + HOUR_S * hour,
                conditions=believed,
                taps=dso.twin.circuit.taps(),
                offers=mine,
                expected_kw=at_price,
                now_kw=None,
                q_kvar=np.zeros(at_price.size),
                q_limit_kvar=self.scenario.q_limit_kvar(grant.now),
                price_usd_per_mwh=price,
            )

    def state_day_cost(self, grant: Grant) -> Outbox:
        """What the day costs at the import asked for last, with a bound for all others, until it is awarded.

        The first statement answers no question: it is the area's own optimum at the first forecast.
        """
        day = self._clock.day_ahead_day(grant.now)
        assert day is not None
        midnight = self._clock.midnight(day)
        award = grant.inbox.only(self.ports.day_ahead_awards)
        if award is not None and award.message.interval_s == midnight:
            outbox = Outbox()
            self._forward_prices(outbox, grant)
            if self._day_cost is not None:
                plans = self._day_cost.plans(award.message.award_mw, self._portfolios)
                for name, plan in zip(self._aggregators, plans, strict=True):
                    outbox.put(self.ports.store_plans, plan, to=name)
            self._day_cost = None
            return outbox
        outbox = Outbox(again=True)
        if self._day_cost is None:
            self._day_cost = self._opened_day_cost(grant, day)
            outbox.put(self.ports.value_cuts, self._day_cost.first(self._advised(grant, day)))
            return outbox
        query = grant.inbox.only(self.ports.import_queries)
        if query is not None and self._day_cost.is_open(query.message):
            outbox.put(self.ports.value_cuts, self._day_cost.answer(query.message))
        return outbox

    def _opened_day_cost(self, grant: Grant, day: int) -> DayCost:
        """The day's cost, ready to be asked."""
        midnight = self._clock.midnight(day)
        received = grant.inbox.all(self.ports.der_stores)
        current = {n: got.message for n, got in received.items() if got.message.interval_s == midnight}
        missing = [name for name in self._aggregators if name not in current]
        if missing:
            raise MissingInputError(f"{self.name} at {grant.now} s: no stores of {missing[0]} told yet")
        stores = stores_of_area([current[name] for name in self._aggregators], self._portfolios)
        dso = TotalDso(self.scenario, blocks_limit=self._method.blocks_limit)
        nobody = np.zeros(len(self.scenario.fleet), dtype=np.bool_)
        hours = []
        for hour, inputs in enumerate(self._hours(grant, dso, day, nobody)):
            hours.append(dso.linearised(inputs, keep_coefficients=False))
            what = f"hour {hour} of the day's cost"
            self._record_collapses(grant.now, what, hours[-1].collapsed_count)
        return DayCost(dso.day_value(hours, stores), stores, midnight, self._multiplicity)

    def _stored_kwh(self, grant: Grant) -> FloatArray:
        """Energy in the stores by the meters, or as the study begins, shape (ders,). [kWh]"""
        seen = grant.inbox.only(self.ports.telemetry)
        if seen is None:
            return self.scenario.fleet.initial_kwh
        return seen.message.soc_mwh * KW_PER_MW

    def _offer_store(
        self, outbox: Outbox, grant: Grant, curves: Sequence[NetCurve], ranges_mw: FloatArray
    ) -> None:
        """The area's batteries as one store, and what its feeders carry; the curves themselves fit in."""
        received = grant.inbox.all(self.ports.day_ahead_stores)
        missing = [name for name in self._aggregators if name not in received]
        if missing:
            raise MissingInputError(f"{self.name} at {grant.now} s: no batteries of {missing[0]} offered yet")
        store = merged_store(
            [received[name].message for name in self._aggregators], float(self._multiplicity)
        )
        outbox.put(self.ports.day_ahead_store, store)
        ends = self._multiplicity * ranges_mw
        limits = ImportLimits(
            interval_s=store.interval_s,
            length_s=store.length_s,
            least_mw=np.minimum(ends[:, 0], [self._multiplicity * curve.p_min_mw for curve in curves]),
            greatest_mw=np.maximum(ends[:, 1], [self._multiplicity * curve.p_max_mw for curve in curves]),
        )
        outbox.put(self.ports.import_limits, limits)

    def _advised(self, grant: Grant, day: int) -> FloatArray:
        """Prices expected at the bus, hour by hour: the first forecast, then what is advised. [$/MWh]"""
        if self._rounds_bid == 0:
            first: FloatArray = self._forward.lmp_usd_per_mwh[day][:, self.scenario.bus_place]
            return first
        return advised_usd_per_mwh(grant, self.ports.advised, self._clock.midnight(day), self.name)

    def pass_advice_on(self, grant: Grant) -> Outbox:
        """Tell the aggregators what prices to expect in the next round."""
        outbox = Outbox(again=True)
        for advice in grant.inbox.new(self.ports.advised).values():
            outbox.put(self.ports.advice, advice)
        return outbox

    def bid(self, grant: Grant) -> Outbox:
        """The LDA's curve for the interval whose gate is next."""
        step = grant.now // self._clock.step_s * self._clock.step_s
        interval = self._clock.gated_interval(step)
        assert interval is not None
        received = telemetry(self.ports, grant, self.name)
        seen, engine = received.message, self._engine(step)
        offers = self._offers(grant, day_ahead=False, interval=interval)
        expected = self._observer.expected(interval, grant.now, received, engine.twin)
        self._waiting = BidInputs(
            interval_s=interval,
            conditions=conditions(expected, seen.head_v_pu),
            taps=seen.taps,
            offers=self._keeping(interval, grant.now, seen, self._joined(offers, 0)),
            expected_kw=seen.der_p_mw * KW_PER_MW,
            now_kw=seen.der_p_mw * KW_PER_MW,
            q_kvar=seen.der_q_mvar * KW_PER_MW,
            q_limit_kvar=self.scenario.q_limit_kvar(grant.now),
            price_usd_per_mwh=self._expected_price(grant, interval),
            import_limit_mw=self._import_limit_mw(interval, grant),
        )
        prepared = engine.bid(self._waiting, keep_coefficients=True)
        self._record_collapses(interval, "the bid", prepared.collapsed_count)
        self._prepared = prepared
        curve = self._method.sent(prepared.curve, self._waiting.price_usd_per_mwh)
        curve = curve.up_to(self._waiting.import_limit_mw)
        reserve = []
        if self._sells_reserve:
            ahead_s = interval + self._clock.market_s - grant.now
            offer = self._reserve.offer(
                engine,
                (self._waiting, prepared, curve),
                room=self._kept.room(grant.now, grant.now + ahead_s, seen.soc_mwh * KW_PER_MW),
                ahead_s=ahead_s,
                sigma=self.scenario.forecast_sigma(ahead_s),
            )
            reserve.append(offer)
        outbox = Outbox()
        outbox.put(
            self.ports.bids,
            interface_bid([curve], interval, self._clock.market_s, self._multiplicity, reserve),
        )
        return outbox

    def _keeping(self, interval: SimTime, now: SimTime, seen: Telemetry, offers: Offers) -> Offers:
        """Offers of an interval that leave the energy kept for the evening, and for capacity that is sold."""
        state, hours = seen_state(seen), (interval - now) / HOUR_S
        stored_kwh = after(self.scenario.fleet, state.energy_kwh, state.p_kw, hours)
        return offers.within(self._kept.most_kw(now, interval, self._clock.market_s, stored_kwh))

    def _import_limit_mw(self, interval: SimTime, grant: Grant) -> float:
        """What a call of capacity leaves of import, of one simulated set. [MW]"""
        got = grant.inbox.only(self.ports.signal)
        if self._capacity is None or got is None:
            return np.inf
        return self._capacity.import_limit_mw(interval, got.message.capacity)

    def act(self, grant: Grant) -> Outbox:
        """Dispatch a new award; between awards, hold the interchange on it."""
        self._note_day_ahead(grant)
        outbox = Outbox()
        self._forward_prices(outbox, grant)
        award = grant.inbox.only(self.ports.awards)
        got = grant.inbox.only(self.ports.signal)
        signal = NO_SIGNAL if got is None else got.message
        if self._clock.is_market(grant.now - 1):
            seen = telemetry(self.ports, grant, self.name).message
            self._take_award(grant.now - 1, seen, award, signal)
            self._send(outbox, grant.now - 1)
        elif self._now_running is not None and grant.now > 0:
            self._hold(grant)
            self._follow(self._now_running, signal)
            self._mend(grant, self._now_running)
            self._send(outbox, self._now_running.interval_s)
        return outbox

    def _take_award(
        self,
        interval: SimTime,
        seen: Telemetry,
        received: Received[InterfaceAward] | None,
        signal: ReserveSignal,
    ) -> None:
        dso = self._engine(interval)
        prepared, inputs = self._prepared, self._waiting
        if received is None or inputs is None or inputs.interval_s != interval:
            raise MissingInputError(f"{self.name} at {interval} s: no award, or no bid that it answers")
        award = received.message
        if prepared is None:
            prepared = dso.bid(inputs, keep_coefficients=True)
        if award.interval_s != interval:
            what = f"the ISO's award is for {award.interval_s} s"
            if not held_by_link_loss(self._study, "iso", self.name, received.sent_s, interval):
                raise MissingInputError(f"{self.name} at {interval} s: {what}")
            self._recorder.add(
                tables.EVENT, interval, (self.name,), [award.interval_s], text=[f"held: {what}"]
            )
        self._award_mw = float(award.award_mw[0]) / self._multiplicity
        self._price = float(award.lmp_usd_per_mwh[0])
        self._reserve.begin(dso, inputs, prepared, award, self._multiplicity)
        done = dso.dispatch(prepared, self._award_mw, seen.taps, seen.head_v_pu)
        self._record_collapses(interval, "the dispatch", done.collapsed_count)
        self._dispatched_kw, self._q_kvar = dso.twin.joined(done.p_kw), dso.asked_kvar(prepared, done)
        self._change_kw = 0.0
        self._now_running, self._prepared = prepared, None
        self._start_kw, self._start_mw = self._dispatched_kw, self._award_mw
        self._move(dso, self._reserve.wanted_mw(self._award_mw, signal))
        self._p_kw = self._called_kw
        self._record(interval, dso, prepared, done)
        prices, books = dso.prices(prepared, done, self._award_mw, self._price)
        of_ders = dso.twin.joined([own.ders.total_usd_per_mwh for own in prices])
        held = self._reserve.held(dso, self._dispatched_kw)
        self._settled_at = area_prices(prices, of_ders, self._price, books, held)
        self._record_prices(interval, prices)
        self._record_accounts(interval, books)

    def prices(self, grant: Grant, interval: SimTime) -> AreaPrices:
        """DLMPs of the dispatch that the interval began with."""
        running = self._now_running
        if self._settled_at is None or running is None or running.interval_s != interval:
            raise MissingInputError(f"{self.name} at {grant.now} s: no dispatch at {interval} s to settle by")
        return self._settled_at

    def _hold(self, grant: Grant) -> None:
        """Move the set-points by what the meter has missed since the dispatch; only on new telemetry."""
        running = self._now_running
        assert running is not None
        for seen in grant.inbox.new(self.ports.telemetry).values():
            miss_kw = (seen.head_p_mw - self._target_mw) * KW_PER_MW
            self._correct(running, self._change_kw + miss_kw)

    def _correct(self, running: PreparedBid, wanted_kw: float) -> None:
        """Set-points around the dispatch and what is called of it, by what the meter has missed."""
        price = self._price
        if self._target_mw != self._award_mw:
            price = price_at(running.curve.net_curve, self._target_mw)
        held = self._engine(running.interval_s).hold(running, self._called_kw, wanted_kw, price)
        self._p_kw, self._change_kw, self._unmet_kw = held.p_kw, held.change_kw, held.unmet_kw

    def _move(self, dso: TotalDso, target_mw: float) -> None:
        """Take up another import: the award's own by its dispatch, others from what was mended last."""
        if target_mw == self._award_mw:
            self._start_kw, self._start_mw = self._dispatched_kw, self._award_mw
        self._target_mw = target_mw
        self._called_kw = self._reserve.called_kw(dso, self._start_kw, self._start_mw, target_mw)

    def _follow(self, running: PreparedBid, signal: ReserveSignal) -> None:
        """Move the set-points where the signal asks for another import than before."""
        target_mw = self._reserve.wanted_mw(self._award_mw, signal)
        if target_mw == self._target_mw:
            return
        self._move(self._engine(running.interval_s), target_mw)
        self._correct(running, self._change_kw)

    def _mend(self, grant: Grant, running: PreparedBid) -> None:
        """Move the set-points where the twin, as metered now, shows that they break a limit."""
        dso = self._engine(running.interval_s)
        for seen in grant.inbox.new(self.ports.telemetry).values():
            done = dso.mend(running, sight(seen), self._p_kw, self._q_kvar, self._target_mw)
            if done is None:
                continue
            self._record_collapses(grant.now, "a correction", done.collapsed_count)
            self._p_kw, self._q_kvar = dso.twin.joined(done.p_kw), dso.asked_kvar(running, done)
            self._change_kw, self._unmet_kw = 0.0, KW_PER_MW * -done.shortfall_mw
            self._called_kw = self._start_kw = self._p_kw
            self._start_mw = done.interface_mw
            if self._target_mw == self._award_mw:
                self._dispatched_kw = self._p_kw
            self._mended_count += 1

    def _send(self, outbox: Outbox, interval: SimTime) -> None:
        for name, mine in zip(self._aggregators, self._portfolios, strict=True):
            p_mw = self._p_kw[mine] / KW_PER_MW
            awards = DerAwards(
                interval_s=interval,
                length_s=self._clock.market_s,
                intervals=1,
                p_mw=p_mw,
                q_mvar=self._q_kvar[mine] / KW_PER_MW,
                price_usd_per_mwh=np.array([self._price]),
            )
            outbox.put(self.ports.der_awards, awards, to=name)

    def _record(self, t: SimTime, dso: TotalDso, prepared: PreparedBid, done: Dispatch) -> None:
        bound = dso.bound(prepared, done)
        total = int((bound.voltage + bound.thermal + bound.head).sum())
        error = done.state.map_error_pu(prepared.state)
        row = (
            self._award_mw,
            done.interface_mw,
            done.shortfall_mw,
            done.passes_count,
            total,
            error,
            self._unmet_kw / KW_PER_MW,
            self._award_mw - self._target_mw,
            self._mended_count,
        )
        self._unmet_kw, self._mended_count = 0.0, 0
        self._recorder.add(tables.DISPATCH, t, (self.scenario.name,), *([float(x)] for x in row))
        feeders = [f"{self.scenario.name}/{name}" for name in self.scenario.feeder_names]
        self._recorder.add(
            tables.BINDING,
            t,
            feeders,
            *(counts.astype(np.float64) for counts in (bound.voltage, bound.thermal, bound.head)),
        )
        expected = expectation(done, prepared.feeders, dso.twin.loaded)
        self._recorder.add(
            tables.EXPECTATION,
            t,
            feeders,
            *(getattr(expected, column.name) for column in tables.EXPECTATION.columns),
        )

    def _record_prices(self, t: SimTime, prices: Sequence[FeederPrices]) -> None:
        """DLMPs by feeder and by DER."""
        for name, own in zip(self.scenario.feeder_names, prices, strict=True):
            mean, ends = own.mean_usd_per_mwh(), own.range_usd_per_mwh()
            row = ([float(x)] for x in (mean.sum(), *mean, *ends))
            self._recorder.add(tables.DLMP, t, (f"{self.scenario.name}/{name}",), *row)
        ids = [f"{self.scenario.name}/{der}" for der in self.scenario.fleet.ids]
        if ids:
            parts = zip(*(own.ders.with_parts for own in prices), strict=True)
            self._recorder.add(tables.DER_DLMP, t, ids, *(self._engine(t).twin.joined(p) for p in parts))

    def _record_accounts(self, t: SimTime, books: DistributionAccounts) -> None:
        """Money of the interval, all sets together."""
        times = self._multiplicity * self._clock.market_s / HOUR_S
        amounts = (
            books.purchase_usd_per_h,
            books.der_usd_per_h,
            books.load_usd_per_h,
            books.loss_surplus_usd_per_h,
            books.voltage_rent_usd_per_h,
            books.thermal_rent_usd_per_h,
            books.unexplained_usd_per_h,
        )
        row = ([times * amount] for amount in amounts)
        self._recorder.add(tables.DISTRIBUTION_ACCOUNT, t, (self.scenario.name,), *row)

    def _record_collapses(self, t: SimTime, what: str, count: int) -> None:
        record_collapses(self._recorder, self.name, t, what, count)

    def _engine(self, now: SimTime) -> TotalDso:
        """A new day starts on a new engine, so that a run continued there has the same numbers.

        A bid that waits for its award then is made again from its inputs.
        """
        day = max(self._clock.day_of(now), 0)
        if self._dso is None or day != self._day:
            self._day = day
            self._dso = TotalDso(self.scenario, blocks_limit=self._method.blocks_limit)
            self._prepared = None
            self._reserve.forget()
        return self._dso

    def _offers(self, grant: Grant, *, day_ahead: bool, interval: SimTime) -> list[DerOffers]:
        port = self.ports.day_ahead_offers if day_ahead else self.ports.offers
        received = grant.inbox.all(port)
        offers = []
        for name in self._aggregators:
            got = received.get(name)
            if got is None:
                raise MissingInputError(f"{self.name} at {grant.now} s: no offers of {name} yet")
            if got.message.interval_s != interval:
                what = f"offers of {name} are for {got.message.interval_s} s, not {interval} s"
                if day_ahead or not held_by_link_loss(self._study, name, self.name, got.sent_s, grant.now):
                    raise MissingInputError(f"{self.name} at {grant.now} s: the {what}")
                held = [float(got.message.interval_s)]
                self._recorder.add(tables.EVENT, grant.now, (self.name,), held, text=[f"held: {what}"])
            offers.append(got.message)
        return offers

    def _joined(self, offers: Sequence[DerOffers], interval: int) -> Offers:
        return joined_offers(offers, self._portfolios, len(self.scenario.fleet), interval)

    def _note_day_ahead(self, grant: Grant) -> None:
        got = grant.inbox.only(self.ports.day_ahead_awards)
        if got is not None:
            day = self._clock.day_of(got.message.interval_s)
            self._day_ahead_lmp = {d: lmp for d, lmp in self._day_ahead_lmp.items() if d >= day - 1} | {
                day: got.message.lmp_usd_per_mwh
            }
            if self._capacity is not None and got.message.capacity_mw.size:
                self._capacity.award(day, float(got.message.capacity_mw[0]) / self._multiplicity)

    def _forward_prices(self, outbox: Outbox, grant: Grant) -> None:
        for award in grant.inbox.new(self.ports.day_ahead_awards).values():
            outbox.put(self.ports.prices, award)
            self._record_schedule(grant.now, award)

    def _record_schedule(self, now: SimTime, award: InterfaceAward) -> None:
        """What a day-ahead award schedules the DERs to do."""
        day, joined = self._clock.day_of(award.interval_s), self._engine(now).twin.joined
        if self._day_cost is not None:
            scheduled = self._day_cost.scheduled_kw(award, joined)
        else:
            plan = self._plans.answered(award.lmp_usd_per_mwh)
            scheduled = plan.scheduled_kw(award, self._multiplicity, joined)
        hours = self.scenario.expected_day(day, self._clock.day_ahead_issue(day))
        self._schedules.add(day, [hour.ders for hour in hours], scheduled)

    def _expected_price(self, grant: Grant, interval: SimTime) -> float:
        """Day-ahead price of the bus, the forecast of its real-time price."""
        self._note_day_ahead(grant)
        day = self._clock.day_of(interval)
        hour = (interval - self._clock.midnight(day)) // HOUR_S
        return float(self._day_ahead_lmp[day][hour])

    def save(self) -> State:
        """Set-points, prices, and the bids that wait for an award."""
        state: dict[str, FloatArray] = {
            "schema": np.array([1.0]),
            "p_kw": self._p_kw,
            "q_kvar": self._q_kvar,
            "award_mw": np.array([self._award_mw]),
            "price": np.array([self._price]),
            "unmet_kw": np.array([self._unmet_kw]),
            "mended_count": np.array([float(self._mended_count)]),
        }
        state |= self._reserve.save()
        if self._capacity is not None:
            state |= self._capacity.save()
        for day, lmp in self._day_ahead_lmp.items():
            state[f"lmp_{day}"] = lmp
        if self._waiting is not None:
            state |= _packed(self._waiting)
        return state

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._p_kw, self._q_kvar = state["p_kw"].copy(), state["q_kvar"].copy()
        self._award_mw = float(state["award_mw"][0])
        self._price = float(state["price"][0])
        self._unmet_kw = float(state["unmet_kw"][0])
        self._reserve.restore(state)
        if self._capacity is not None:
            self._capacity.restore(state)
        self._mended_count = int(state["mended_count"][0])
        self._day_ahead_lmp = {
            int(name.removeprefix("lmp_")): lmp for name, lmp in state.items() if name.startswith("lmp_")
        }
        if "bid_interval" in state:
            self._waiting = _unpacked(state)


def sight(seen: Telemetry) -> Sight:
    """What telemetry shows, as the DSO's engine takes it."""
    return Sight(
        taps=seen.taps,
        v_pu=seen.head_v_pu,
        feeder_kva=KW_PER_MW * seen.feeder_p_mw + 1j * KW_PER_MW * seen.feeder_q_mvar,
        p_kw=seen.der_p_mw * KW_PER_MW,
        q_kvar=seen.der_q_mvar * KW_PER_MW,
    )


def _packed(inputs: BidInputs) -> dict[str, FloatArray]:
    offers, believed = inputs.offers, inputs.conditions
    return {
        "bid_interval": np.array([float(inputs.interval_s)]),
        "bid_scalars": np.array([believed.v_pu, inputs.price_usd_per_mwh, inputs.import_limit_mw]),
        "bid_demand_kw": believed.demand_kw,
        "bid_demand_kvar": believed.demand_kvar,
        "bid_taps": inputs.taps,
        "bid_expected_kw": inputs.expected_kw,
        **({} if inputs.now_kw is None else {"bid_now_kw": inputs.now_kw}),
        "bid_q_kvar": inputs.q_kvar,
        "bid_q_limit_kvar": inputs.q_limit_kvar,
        "bid_floor_kw": offers.floor_kw,
        "bid_der": offers.der.astype(np.float64),
        "bid_width_kw": offers.width_kw,
        "bid_price": offers.price_usd_per_mwh,
    }


def _unpacked(state: State) -> BidInputs:
    v_pu, price, import_limit_mw = state["bid_scalars"].tolist()
    return BidInputs(
        interval_s=int(state["bid_interval"][0]),
        conditions=Conditions(
            v_pu=v_pu, demand_kw=state["bid_demand_kw"], demand_kvar=state["bid_demand_kvar"]
        ),
        taps=state["bid_taps"],
        offers=Offers(
            floor_kw=state["bid_floor_kw"],
            der=state["bid_der"].astype(np.int64),
            width_kw=state["bid_width_kw"],
            price_usd_per_mwh=state["bid_price"],
        ),
        expected_kw=state["bid_expected_kw"],
        now_kw=state.get("bid_now_kw"),
        q_kvar=state["bid_q_kvar"],
        q_limit_kvar=state["bid_q_limit_kvar"],
        price_usd_per_mwh=price,
        import_limit_mw=import_limit_mw,
    )


def joined_offers(
    offers: Sequence[DerOffers], portfolios: Sequence[IntArray], ders_count: int, interval: int
) -> Offers:
    """Offers of several aggregators for one interval, in fleet order.

    Parameters
    ----------
    portfolios
        Places of each aggregator's DERs in the fleet.
    """
    floor = np.zeros(ders_count)
    der, width, price = [], [], []
    for offer, mine in zip(offers, portfolios, strict=True):
        floor[mine] = offer.floor_mw.reshape(offer.intervals, -1)[interval] * KW_PER_MW
        pick = offer.interval == interval
        der.append(mine[offer.der[pick]])
        width.append(offer.width_mw[pick] * KW_PER_MW)
        price.append(offer.price_usd_per_mwh[pick])
    owners = np.concatenate(der)
    order = np.argsort(owners, kind="stable")
    return Offers(
        floor_kw=floor,
        der=owners[order],
        width_kw=np.concatenate(width)[order],
        price_usd_per_mwh=np.concatenate(price)[order],
    )


def merit_kw(offers: Offers, price_usd_per_mwh: float) -> FloatArray:
    """Injections that the offers alone would bring at a price, shape (ders,). [kW]"""
    taken = np.where(offers.price_usd_per_mwh < price_usd_per_mwh, offers.width_kw, 0.0)
    injection: FloatArray = offers.floor_kw + np.bincount(
        offers.der, weights=taken, minlength=offers.floor_kw.size
    )
    return injection
