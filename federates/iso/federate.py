"""The ISO as a federate: bids and the grid's state in, awards, prices and set-points out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np

from federates.coordination.catalog import MODELS
from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.curve import NetCurve, curves_of
from federates.core.errors import MissingInputError
from federates.core.messages import (
    DerAwards,
    DerOffers,
    FeederModel,
    GridState,
    ImportLimits,
    ImportQuery,
    InterfaceAward,
    InterfaceBid,
    PriceAdvice,
    StorageOffer,
    UnitDispatch,
    ValueCut,
)
from federates.core.ports import IsoPorts
from federates.core.protocol import Grant, In, Offset, Outbox, Phase, State
from federates.core.reserve_offer import reserve_of
from federates.core.settings import ExactCutsBid
from federates.core.tables import EVENT, SHORTFALL
from federates.core.time import PASS_STRIDE_S, Cadence, SimTime
from federates.iso.capacity import CapacityBook
from federates.iso.cut_market import CutMarket
from federates.iso.day_ahead import DayAhead
from federates.iso.feeder_models import feeder_rows
from federates.iso.hour_ahead import HOURS as HOUR_AHEAD
from federates.iso.hour_ahead import HourAheadInputs, HourAheadMarket
from federates.iso.lda_stores import LdaStores, stores_of
from federates.iso.make_whole import RunState
from federates.iso.market import (
    DayAheadInputs,
    DayAheadMarket,
    DerBook,
    RealTimeInputs,
    RealTimeMarket,
    der_awards,
    der_book,
    headroom_mw,
    running,
    uncurtailed,
)
from federates.iso.participants import Reserves, der_injections_mw, dispatched
from federates.iso.penalties import Penalties
from federates.iso.products.feeder_rows import FeederRows
from federates.iso.records import MarketRecords
from federates.iso.reserves import OF_DSO, PRODUCTS, NetReserves, net_reserves
from federates.iso.rounds import Round, Rounds
from federates.iso.sced import Clearing
from federates.iso.schedule import Schedule, Schedules
from federates.iso.settling import Settlement
from federates.iso.shortfall import Shortfall
from federates.iso.signal import Signals, awarded
from federates.iso.unit_state import planned_state
from federates.scenario.staleness import held_by_link_loss
from federates.scenario.system import SystemScenario

SETTLE_OFFSET_S = 48
DAY_AHEAD_OFFSET_S = 55
LAST_ROUND_OFFSET_S = 59
"""Last second of a physical step at which a question about the cost of a day is asked."""
ROUNDS_PER_STEP = (LAST_ROUND_OFFSET_S - DAY_AHEAD_OFFSET_S) // PASS_STRIDE_S + 1
HOUR_S = 3_600
M = TypeVar("M", InterfaceBid, DerOffers, FeederModel, StorageOffer, ImportLimits, ValueCut)
PENALTIES = Penalties()
SCHEMA = 2.0


class Iso:
    """Adapter between the federation and the market."""

    def __init__(self, context: Context) -> None:
        self.ports = IsoPorts()
        self._clock = context.clock
        self._recorder = context.recorder
        self._scenario = SystemScenario(context.study)
        self._scenario.forget_interiors()
        self._study = self._scenario.study
        self._forward = context.forward()
        self._ldas = tuple(lda.name for lda in self._study.ldas)
        self._dsos = tuple(f"dso_{lda}" for lda in self._ldas)
        self._aggregators = context.receivers("der_awards")
        self._modelled = context.senders("feeder_models")
        apart = self._study.market.bid.kind == "virtual_storage"
        self._stored = context.senders("day_ahead_stores") if apart else ()
        places = {lda: place for place, lda in enumerate(self._ldas)}
        self._advised = tuple((name, places[context.lda_of(name)]) for name in context.receivers("advice"))
        bus_of = dict(zip(self._ldas, self._scenario.lda_bus.tolist(), strict=True))
        self._aggregator_bus = [bus_of[context.lda_of(name)] for name in self._aggregators]
        model = MODELS[self._study.coordination]
        # Where a DSO may limit DERs, what they are awarded is not what they will give.
        self._shortfall = (
            Shortfall(np.array([places[context.lda_of(n)] for n in self._aggregators]), self._clock.market_s)
            if model.feeds("feeder", "limits")
            else None
        )
        self._records = MarketRecords(context.recorder, self._scenario.case, tuple(bus_of.items()))
        market = context.study.market
        self._capacity = (
            None
            if market.capacity is None
            else CapacityBook(
                market.capacity, context.study.events, self._ldas, context.clock, context.recorder
            )
        )
        self._settlement = Settlement(
            self._scenario.case,
            tuple(bus_of.items()),
            tuple(zip(self._aggregators, self._aggregator_bus, strict=True)),
            context.clock,
            context.recorder,
            PRODUCTS if market.reserves.kind != "none" else (),
            self._capacity,
        )
        self._schedules = Schedules(self._scenario.case.units, context.clock)
        self._intervals = self._study.market.look_ahead
        self._with_reserves = self._study.market.reserves.kind != "none"
        self._signals = (
            Signals(self._study.events, self._ldas, len(self._scenario.case.units.ids), context.recorder)
            if (market.dso_reserves or self._capacity) and context.receivers("signal")
            else None
        )
        self._day: int | None = None
        self._rounds: Rounds | None = None
        bid = context.study.market.bid
        self._cut_bid = bid if isinstance(bid, ExactCutsBid) and context.senders("value_cuts") else None
        self._cut_market: CutMarket | None = None
        self._real_time: RealTimeMarket | None = None
        self._hour_ahead: HourAheadMarket | None = None

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Real time and its settlement at every market interval; day-ahead once a day."""
        return {
            0: Phase(Cadence.STEP, self.signal) if self._signals else Phase(Cadence.MARKET, self.real_time),
            SETTLE_OFFSET_S: Phase(Cadence.SETTLE, self.settle),
            DAY_AHEAD_OFFSET_S: Phase(Cadence.DAY_AHEAD, self.day_ahead, DAY_AHEAD_OFFSET_S)
            if self._cut_bid is None
            else Phase(Cadence.DAY_AHEAD, self.day_ahead_by_cuts, LAST_ROUND_OFFSET_S),
        }

    def start(self) -> Outbox:
        """Nothing is known yet."""
        return Outbox()

    def day_ahead(self, grant: Grant) -> Outbox:
        """Clear the coming market day with the bids that are in, round by round; wait for those that are not.

        Every round but the last gives advice only; whoever does not bid anew is taken at its last bid. The
        awards are those of the best round.
        """
        day = self._clock.day_ahead_day(grant.now)
        assert day is not None
        midnight = self._clock.midnight(day)
        bids = self._current(grant, self.ports.day_ahead_bids, midnight)
        offers = self._current(grant, self.ports.day_ahead_der_offers, midnight)
        models = self._current(grant, self.ports.day_ahead_feeder_models, midnight)
        missing = [n for n in self._dsos if n not in bids] + [n for n in self._aggregators if n not in offers]
        missing += [n for n in self._modelled if n not in models]
        stores = self._current(grant, self.ports.day_ahead_stores, midnight)
        limits = self._current(grant, self.ports.import_limits, midnight)
        missing += [n for n in self._stored if n not in stores or n not in limits]
        if missing:
            return self._wait_for(missing, grant.now, day)
        curves = [curves_of(bids[name]) for name in self._dsos]
        reserves = self._offered_reserves(bids)
        book = [offers[name] for name in self._aggregators]
        books = [der_book(book, self._aggregator_bus, h) for h in range(24)] if book else None
        inputs, market = self._day_inputs(day), self._day_market()
        cleared = market.clear(
            inputs,
            tuple(tuple(c) for c in curves),
            books,
            planned_state(self._forward, day),
            self._forward.committed[day],
            tuple(reserves),
            tuple(self._feeder_rows(list(models.values()), book, h) for h in range(24)) if models else (),
            self._lda_stores(stores, limits),
        )
        rounds = self._rounds_of(day)
        at_ldas = cleared.prices.lmp_usd_per_mwh[:, self._scenario.lda_bus]
        rounds.add(Round(cleared=cleared, book=book, books=books, price_usd_per_mwh=at_ldas))
        if not rounds.are_over:
            return self._advice(midnight, rounds.expected_usd_per_mwh)
        self._rounds = None
        best = rounds.best
        capacity = None if self._capacity is None else self._capacity.buy(day, [bids[n] for n in self._dsos])
        return self._award_day(day, inputs, market, best.cleared, best.book, best.books, capacity)

    def day_ahead_by_cuts(self, grant: Grant) -> Outbox:
        """Ask the DSOs what the coming market day costs until the bounds of its cost meet, then award it.

        A question is answered when every DSO has answered it.
        """
        assert self._cut_bid is not None
        day = self._clock.day_ahead_day(grant.now)
        assert day is not None
        midnight = self._clock.midnight(day)
        got = self._current(grant, self.ports.value_cuts, midnight)
        open_ = 0 if self._cut_market is None else self._cut_market.question
        missing = [name for name in self._dsos if name not in got or got[name].round_count != open_]
        if missing:
            return self._wait_for(missing, grant.now, day)
        statements = [got[name] for name in self._dsos]
        if self._cut_market is None:
            self._cut_market = CutMarket(
                self._day_market(),
                self._day_inputs(day),
                planned_state(self._forward, day),
                self._forward.committed[day],
                statements,
                gap=self._cut_bid.gap,
                rounds_limit=min(self._cut_bid.rounds_limit, self._room_for_rounds(day)),
            )
            return self._ask(midnight, self._cut_market)
        market = self._cut_market
        cleared = market.answer(statements)
        if cleared is None:
            return self._ask(midnight, market)
        self._cut_market = None
        self._records.cut_rounds(midnight, market.bounds)
        return self._award_day(day, market.inputs, market.market, cleared, [], None)

    def _room_for_rounds(self, day: int) -> int:
        """Messages from each DSO for which the market of a day is open, its last step left to the award."""
        open_s = self._clock.day_ahead_closes(day) - self._clock.day_ahead_opens(day)
        return ROUNDS_PER_STEP * (open_s // self._clock.step_s - 1)

    def _ask(self, midnight: SimTime, market: CutMarket) -> Outbox:
        """The open question, to every DSO."""
        outbox = Outbox(again=True)
        for place, name in enumerate(self._dsos):
            query = ImportQuery(
                interval_s=midnight,
                length_s=HOUR_S,
                round_count=market.question,
                import_mw=market.asked_mw[:, place],
            )
            outbox.put(self.ports.import_queries, query, to=name)
        return outbox

    def _wait_for(self, missing: list[str], now: SimTime, day: int) -> Outbox:
        """Wait for those that have not told what they must, as long as the market is open."""
        if now + self._clock.step_s >= self._clock.day_ahead_closes(day):
            raise MissingInputError(f"iso: no day-ahead bid of day {day} from {', '.join(missing)}")
        return Outbox(again=True)

    def _day_inputs(self, day: int) -> DayAheadInputs:
        """What the ISO expects of a market day."""
        load, available, series = self._scenario.expected_day(day, self._clock.day_ahead_issue(day))
        required = self._scenario.required_day(day)
        return DayAheadInputs(load_mw=load, available_mw=available, series=series, required_mw=required)

    def _day_market(self) -> DayAheadMarket:
        """A day-ahead market without a past."""
        case, lda_bus = self._scenario.case, self._scenario.lda_bus
        return DayAheadMarket(case, lda_bus, with_reserves=self._with_reserves)

    def _award_day(
        self,
        day: int,
        inputs: DayAheadInputs,
        market: DayAheadMarket,
        cleared: DayAhead,
        book: list[DerOffers],
        books: list[DerBook] | None,
        capacity_mw: FloatArray | None = None,
    ) -> Outbox:
        """Settle, record and tell a cleared day; ``capacity_mw``: what of capacity is bought, (ldas,)."""
        midnight, before = self._clock.midnight(day), planned_state(self._forward, day)
        schedule = Schedule(
            committed=cleared.commitment.astype(np.float64),
            energy_mwh=cleared.energy_mwh,
            begin_mwh=before.energy_mwh,
            begin_on=before.on.astype(np.float64),
            begin_h=before.in_state_h,
            lmp_usd_per_mwh=cleared.prices.lmp_usd_per_mwh,
        )
        self._schedules.add(day, schedule)
        hours = [
            dispatched(
                cleared,
                hour,
                load_mw=inputs.load_mw[hour],
                loss_mw=cleared.loss_mw[hour] * market.loss_weight,
                der_mw=der_injections_mw(book, hour, cleared.block_mw[hour]),
                reserves=self._settled_reserves(
                    cleared.reserves.unit_mw[hour],
                    cleared.reserves.curve_mw[hour],
                    cleared.reserves.price_usd_per_mw_h[hour],
                ),
            )
            for hour in range(24)
        ]
        run = RunState(on=before.on, in_state_h=before.in_state_h)
        self._settlement.day_ahead(day, hours, cleared.commitment, run)
        self._records.day_ahead(
            day,
            self._clock,
            cleared,
            float(self._forward.gap[day]),
            load_mw=inputs.load_mw,
            books=books,
            begin_mwh=before.energy_mwh,
        )
        outbox = Outbox()
        self._send_day_ahead(outbox, midnight, cleared, book, capacity_mw)
        if day == 0:
            outbox.put(self.ports.dispatch, self._first_dispatch(cleared, inputs.available_mw))
        return outbox

    def _rounds_of(self, day: int) -> Rounds:
        """The rounds of the market day that is being cleared."""
        if self._rounds is None:
            forecast = self._forward.lmp_usd_per_mwh[day][:, self._scenario.lda_bus]
            self._rounds = Rounds(self._study.market.day_ahead_rounds, forecast)
        return self._rounds

    def _advice(self, midnight: SimTime, expected_usd_per_mwh: FloatArray) -> Outbox:
        """What to expect in the next round, told to all who bid here."""
        outbox = Outbox(again=True)
        for name, place in self._advised:
            price = expected_usd_per_mwh[:, place]
            advice = PriceAdvice(interval_s=midnight, length_s=HOUR_S, price_usd_per_mwh=price)
            outbox.put(self.ports.advice, advice, to=name)
        return outbox

    def real_time(self, grant: Grant) -> Outbox:
        """Clear the interval that begins now."""
        now = grant.now
        self._renew_engine(now)
        assert self._real_time is not None
        bids = self._bids(grant, now)
        curves = [curves_of(bids[name])[0] for name in self._dsos]
        reserves = self._offered_reserves(bids)[0]
        if self._shortfall is not None:
            curves = self._shortfall.added_to(curves)
            self._recorder.add(SHORTFALL, now, self._aggregators, self._shortfall.missed_mw)
        offers = [self._due(grant, self.ports.der_offers, name, now) for name in self._aggregators]
        book = der_book(offers, self._aggregator_bus, 0) if offers else None
        if self._study.market.hour_ahead and (now - self._clock.midnight(0)) % HOUR_S == 0:
            self._commit_hour(grant, now, curves, reserves)
        inputs = self._inputs(grant, now)
        models = [self._due(grant, self.ports.feeder_models, name, now) for name in self._modelled]
        rows = self._feeder_rows(models, offers, 0) if models else None
        cleared = self._real_time.clear(inputs, curves, book, reserves, rows)
        self._records.real_time(now, cleared, curves, inputs, book)
        outbox = Outbox()
        dispatch = UnitDispatch(
            interval_s=now,
            set_point_mw=cleared.unit_mw,
            synchronised=running(
                self._scenario.case, cleared.unit_mw, inputs.committed[0] & ~inputs.out
            ).astype(np.float64),
            uncurtailed=uncurtailed(self._scenario.case, cleared.unit_mw, inputs.available_mw[0]).astype(
                np.float64
            ),
            headroom_mw=self._real_time.headroom_mw(cleared, inputs),
            dc_flow_mw=cleared.dc_mw,
        )
        outbox.put(self.ports.dispatch, dispatch)
        self._schedules.run(now, dispatch.synchronised > 0.5)
        self._send_awards(outbox, now, cleared, offers)
        if self._signals is not None:
            sold = cleared.reserves
            self._signals.begin(awarded(dispatch, cleared.curve_mw, sold.unit_mw, sold.curve_mw))
        settled = dispatched(
            cleared,
            ...,
            load_mw=inputs.load_mw[0],
            loss_mw=cleared.loss_mw * self._real_time.loss_weight,
            der_mw=der_injections_mw(offers, 0, cleared.block_mw),
            reserves=self._settled_reserves(
                cleared.reserves.unit_mw, cleared.reserves.curve_mw, cleared.reserves.price_usd_per_mw_h
            ),
        )
        if self._shortfall is not None:
            self._shortfall.award(now, settled.der_mw)
        self._settlement.real_time(now, settled, dispatch.synchronised > 0.5, inputs.out)
        return outbox

    def _feeder_rows(self, models: list[FeederModel], offers: list[DerOffers], interval: int) -> FeederRows:
        """Limits that DSOs have stated, on the blocks of one interval."""
        place = {bus: k for k, bus in enumerate(self._scenario.lda_bus.tolist())}
        lda = [place[bus] for bus in self._aggregator_bus]
        price = PENALTIES.feeder_usd_per_mwh
        return feeder_rows(models, offers, lda, interval, excess_usd_per_mwh=price)

    def _lda_stores(
        self, offers: Mapping[str, StorageOffer], limits: Mapping[str, ImportLimits]
    ) -> LdaStores | None:
        """Stores offered by DSOs, in their order."""
        places = {name: place for place, name in enumerate(self._dsos)}
        by_place = {places[name]: offer for name, offer in offers.items()}
        within = {places[name]: limit for name, limit in limits.items()}
        return stores_of(by_place, within, len(self._dsos)) if by_place else None

    def signal(self, grant: Grant) -> Outbox:
        """Clear where an interval begins, and tell the DSOs what is asked of the reserve that they sold."""
        now = grant.now
        assert self._signals is not None
        if now < 0:
            return Outbox()
        state = self._grid_state(grant, now)
        self._signals.measure(state.interchange_mw)
        need_mw = self._signals.need_mw(state.unit_output_mw, self._scenario.tripped(now))
        outbox = self.real_time(grant) if self._clock.is_market(now) else Outbox()
        called = 0.0 if self._capacity is None else self._capacity.called(self._clock.gated_interval(now))
        outbox.put(self.ports.signal, self._signals.next(now, need_mw, called))
        return outbox

    def _commit_hour(self, grant: Grant, now: SimTime, curves: list[NetCurve], reserves: NetReserves) -> None:
        """Commit fast units anew for the hour that begins now."""
        per_hour = HOUR_S // self._clock.market_s
        expected = self._scenario.expected(now, now - self._clock.gate_lead_s, HOUR_AHEAD * per_hour)

        def hourly(values: FloatArray) -> FloatArray:
            mean: FloatArray = values.reshape(HOUR_AHEAD, per_hour, -1).mean(axis=1)
            return mean

        out = self._scenario.tripped(now)
        inputs = HourAheadInputs(
            load_mw=hourly(expected.load_mw),
            available_mw=np.where(out, 0.0, hourly(expected.available_mw)),
            inflow_mw=hourly(expected.inflow_mw),
            required_mw=hourly(expected.required_mw),
            must_take=self._scenario.series("real_time", self._clock.day_of(now)).must_take,
            committed=self._schedules.committed(now, HOUR_AHEAD * per_hour)[::per_hour] & ~out,
            state=self._schedules.unit_state(now, self._outputs(grant, now)),
        )
        assert self._hour_ahead is not None
        self._schedules.commit_hour(now, self._hour_ahead.commit(inputs, curves, reserves))

    def _outputs(self, grant: Grant, now: SimTime) -> FloatArray:
        """Output of the units at the end of the interval before, shape (units,). [MW]"""
        return self._grid_state(grant, now).unit_output_mw

    def _grid_state(self, grant: Grant, now: SimTime) -> GridState:
        """What the control room saw as the last step ended."""
        state = grant.inbox.only(self.ports.grid_state)
        if state is None:
            raise MissingInputError(f"iso at {now} s: transmission has not reported the grid's state")
        return state.message

    def settle(self, grant: Grant) -> Outbox:
        """Settle the interval that ends with this physical step."""
        got = grant.inbox.only(self.ports.meters)
        if got is None:
            raise MissingInputError(f"iso at {grant.now} s: transmission has not reported its meters")
        der_mwh = self._der_mwh(grant, got.message.interval_s)
        read = got.message
        if self._shortfall is not None:
            self._shortfall.meter(read.interval_s, der_mwh)
        self._settlement.settle(read, der_mwh, self._scenario.tripped(grant.now))
        inflow_mw = self._scenario.inflow_mw(read.interval_s)
        self._schedules.meter(read.unit_mwh, inflow_mw * self._clock.market_s / HOUR_S)
        return Outbox()

    def _settled_reserves(
        self, unit_mw: FloatArray, lda_mw: FloatArray, price_usd_per_mw_h: FloatArray
    ) -> Reserves | None:
        """One interval's reserves as the settlement takes them: units ask for nothing but their room."""
        if not self._with_reserves:
            return None
        return Reserves(
            unit_mw=unit_mw.T,
            lda_mw=lda_mw.T,
            price_usd_per_mwh=price_usd_per_mw_h.T,
            unit_cost_usd_per_h=np.zeros(unit_mw.shape[1]),
        )

    def _der_mwh(self, grant: Grant, interval: SimTime) -> FloatArray:
        """Metered energy of each aggregator with awards of its own, shape (aggregators,). [MWh]"""
        read = {name: got.message for name, got in grant.inbox.all(self.ports.der_meters).items()}
        late = [name for name, message in read.items() if message.interval_s != interval]
        metered = np.concatenate([np.zeros(0), *(message.energy_mwh for message in read.values())])
        if late or metered.size != len(self._aggregators):
            what = f"late are {', '.join(late)}" if late else f"{len(read)} feeders have reported"
            raise MissingInputError(f"iso at {grant.now} s: the meters of DERs are not all in; {what}")
        return metered

    def _renew_engine(self, now: SimTime) -> None:
        """A new day starts on a new program, so that a run continued there has the same numbers."""
        day = self._clock.day_of(now)
        if day != self._day:
            self._day = day
            self._real_time = RealTimeMarket(
                self._scenario.case,
                self._scenario.lda_bus,
                self._clock.market_s,
                intervals=self._intervals,
                with_reserves=self._with_reserves,
            )
            if self._study.market.hour_ahead:
                self._hour_ahead = HourAheadMarket(
                    self._scenario.case, self._scenario.lda_bus, with_reserves=self._with_reserves
                )
            self._schedules.forget_before(day)

    def _inputs(self, grant: Grant, now: SimTime) -> RealTimeInputs:
        expected = self._scenario.expected(now, now - self._clock.gate_lead_s, self._intervals)
        return RealTimeInputs(
            load_mw=expected.load_mw,
            available_mw=expected.available_mw,
            inflow_mw=expected.inflow_mw,
            required_mw=expected.required_mw,
            must_take=self._scenario.series("real_time", self._clock.day_of(now)).must_take,
            previous_mw=self._outputs(grant, now),
            committed=self._schedules.committed(now, self._intervals),
            stores=self._schedules.stores(now, self._intervals),
            out=self._scenario.tripped(now),
        )

    def _bids(self, grant: Grant, now: SimTime) -> dict[str, InterfaceBid]:
        return {name: self._due(grant, self.ports.bids, name, now) for name in self._dsos}

    def _offered_reserves(self, bids: Mapping[str, InterfaceBid]) -> list[NetReserves]:
        """Reserve that the DSOs offer, interval by interval."""
        offered = [reserve_of(bids[name]) for name in self._dsos]
        return [net_reserves(of_interval) for of_interval in zip(*offered, strict=True)]

    def _due(self, grant: Grant, port: In[M], sender: str, now: SimTime) -> M:
        """The sender's message for the interval that begins now, or the last one where its link is lost."""
        got = grant.inbox.all(port).get(sender)
        if got is None:
            raise MissingInputError(f"iso at {now} s: nothing has come from {sender} at {port.name}")
        if got.message.interval_s != now:
            what = f"{port.name} of {sender} is for {got.message.interval_s} s"
            if not held_by_link_loss(self._study, sender, "iso", got.sent_s, now):
                raise MissingInputError(f"iso at {now} s: the latest of {what}")
            self._recorder.add(EVENT, now, ("iso",), [got.message.interval_s], text=[f"held: {what}"])
        return got.message

    def _current(self, grant: Grant, port: In[M], interval: SimTime) -> dict[str, M]:
        received = grant.inbox.all(port)
        return {s: got.message for s, got in received.items() if got.message.interval_s == interval}

    def _first_dispatch(self, cleared: DayAhead, available: FloatArray) -> UnitDispatch:
        """Set-points of the study's first hour, at which the lead-in runs."""
        hour = -self._clock.midnight(0) // HOUR_S
        on = cleared.commitment[hour]
        output = cleared.unit_mw[hour]
        return UnitDispatch(
            interval_s=-1,
            set_point_mw=output,
            synchronised=on.astype(np.float64),
            uncurtailed=uncurtailed(self._scenario.case, output, available[hour]).astype(np.float64),
            headroom_mw=headroom_mw(self._scenario.case, output, on, available[hour]),
            dc_flow_mw=cleared.dc_mw[hour],
        )

    def _send_day_ahead(
        self,
        outbox: Outbox,
        midnight: SimTime,
        cleared: DayAhead,
        offers: list[DerOffers],
        capacity_mw: FloatArray | None,
    ) -> None:
        lmp = cleared.prices.lmp_usd_per_mwh
        for hour in range(24):
            at_ldas = lmp[hour, self._scenario.lda_bus]
            self._records.day_ahead_awards(midnight + HOUR_S * hour, cleared.curve_mw[hour], at_ldas)
        self._send_interface(outbox, midnight, cleared, capacity_mw)
        first = 0
        for name, offer, bus in zip(self._aggregators, offers, self._aggregator_bus, strict=True):
            blocks = int((offer.interval == 0).sum())
            taken = cleared.block_mw[:, first : first + blocks]
            p = [der_awards(offer, hour, taken[hour]) for hour in range(24)]
            outbox.put(
                self.ports.day_ahead_der_awards, _awards(offer, np.concatenate(p), lmp[:, bus]), to=name
            )
            first += blocks

    def _send_interface(
        self, outbox: Outbox, midnight: SimTime, cleared: DayAhead, capacity_mw: FloatArray | None
    ) -> None:
        """Each DSO's interchange and the price at its bus, hour by hour, and its capacity of the day."""
        lmp = cleared.prices.lmp_usd_per_mwh
        for place, (dso, bus) in enumerate(zip(self._dsos, self._scenario.lda_bus, strict=True)):
            award = InterfaceAward(
                interval_s=midnight,
                length_s=HOUR_S,
                award_mw=cleared.curve_mw[:, place],
                lmp_usd_per_mwh=lmp[:, bus],
                reserve_mw=self._of_products(cleared.reserves.curve_mw[..., place]),
                reserve_usd_per_mw_h=self._of_products(cleared.reserves.price_usd_per_mw_h[..., bus]),
                store_mw=self._store_award(cleared, dso),
                capacity_mw=np.zeros(0) if capacity_mw is None else capacity_mw[[place]],
            )
            outbox.put(self.ports.day_ahead_awards, award, to=dso)

    def _store_award(self, cleared: DayAhead, dso: str) -> FloatArray:
        """Part of a DSO's award that its store draws, shape (24,); empty where it offered none. [MW]"""
        offered = [name for name in self._dsos if name in self._stored]
        return cleared.lda_store_mw[:, offered.index(dso)] if dso in offered else np.zeros(0)

    def _of_products(self, values: FloatArray) -> FloatArray:
        """A DSO's reserve or its prices, (..., products), as messages carry them; empty without reserves."""
        return values[..., OF_DSO].ravel() if self._with_reserves else np.zeros(0)

    def _send_awards(self, outbox: Outbox, now: SimTime, cleared: Clearing, offers: list[DerOffers]) -> None:
        lmp = cleared.prices.lmp_usd_per_mwh
        taken = self._taken_at_ldas(cleared, offers)
        self._records.awards(now, cleared.curve_mw - taken, lmp[self._scenario.lda_bus])
        for place, (dso, bus) in enumerate(zip(self._dsos, self._scenario.lda_bus, strict=True)):
            award = InterfaceAward(
                interval_s=now,
                length_s=self._clock.market_s,
                award_mw=cleared.curve_mw[[place]],
                lmp_usd_per_mwh=lmp[[bus]],
                reserve_mw=self._of_products(cleared.reserves.curve_mw[:, place]),
                reserve_usd_per_mw_h=self._of_products(cleared.reserves.price_usd_per_mw_h[:, bus]),
            )
            outbox.put(self.ports.awards, award, to=dso)
        first = 0
        for name, offer, bus in zip(self._aggregators, offers, self._aggregator_bus, strict=True):
            blocks = int(offer.interval.size)
            p = der_awards(offer, 0, cleared.block_mw[first : first + blocks])
            outbox.put(self.ports.der_awards, _awards(offer, p, lmp[[bus]]), to=name)
            first += blocks

    def _taken_at_ldas(self, cleared: Clearing, offers: list[DerOffers]) -> FloatArray:
        """Injection awarded to the DERs of each LDA, shape (ldas,). [MW]"""
        place = {int(bus): k for k, bus in enumerate(self._scenario.lda_bus)}
        total = np.zeros(len(self._ldas))
        at = [place[bus] for bus in self._aggregator_bus]
        np.add.at(total, at, der_injections_mw(offers, 0, cleared.block_mw))
        return total

    def save(self) -> State:
        """Schedules, energy in stores, the settlement's, what DERs missed, the last signal, capacity."""
        missed = {} if self._shortfall is None else self._shortfall.save()
        signal = {} if self._signals is None else self._signals.save()
        capacity = {} if self._capacity is None else self._capacity.save()
        own = {"schema": np.array([SCHEMA])}
        return {**own, **self._schedules.save(), **self._settlement.save(), **missed, **signal, **capacity}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._schedules.restore(state)
        self._settlement.restore(state)
        if self._shortfall is not None:
            self._shortfall.restore(state)
        if self._signals is not None:
            self._signals.restore(state)
        if self._capacity is not None:
            self._capacity.restore(state)

    def finish(self) -> None:
        """Nothing is left to do."""


def _awards(offer: DerOffers, p_mw: FloatArray, price: FloatArray) -> DerAwards:
    return DerAwards(
        interval_s=offer.interval_s,
        length_s=offer.length_s,
        intervals=offer.intervals,
        p_mw=p_mw,
        q_mvar=np.zeros_like(p_mw),
        price_usd_per_mwh=price,
    )


def build(context: Context) -> Iso:
    """ISO federate of a study."""
    return Iso(context)
