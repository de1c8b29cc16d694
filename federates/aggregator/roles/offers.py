"""M1 to M5: the aggregator offers its DERs, and passes the award on as set-points."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from federates.aggregator.roles.seen import HOUR_S, KW_PER_MW, prices_of, reported, state_at
from federates.coordination.catalog import MODELS
from federates.coordination.model import Tier
from federates.core.advice import advised_usd_per_mwh
from federates.core.arrays import FloatArray
from federates.core.context import Context
from federates.core.errors import MissingInputError
from federates.core.messages import DerAwards, DerEnvelopes, SetPoints
from federates.core.ports import AggregatorPorts
from federates.core.protocol import Grant, In, Offset, Outbox, Phase, State
from federates.core.time import Cadence, SimTime
from federates.der.portfolio import Outlook, Within
from federates.der.store_day import levels_of, store_day, stores_message
from federates.der.virtual_store import battery_offer
from federates.scenario.lda import LdaScenario
from federates.scenario.price_taking import PriceTaking
from federates.scenario.schedule_records import ScheduleRecords


class Offers:
    """Offers at true cost, stored energy at its opportunity cost against the prices expected."""

    def __init__(self, context: Context) -> None:
        self.ports = AggregatorPorts()
        self.name = context.name
        self._clock = context.clock
        scenario = LdaScenario(context.study, context.lda.name)
        model = MODELS[context.study.coordination]
        to_iso = model.offers_to is Tier.ISO
        # The ISO takes no account of DERs outside its market.
        self._ders = PriceTaking(scenario, scenario.portfolio(context.owner), counts_others=not to_iso)
        self._first_lmp = context.forward().lmp_usd_per_mwh[:, :, scenario.bus_place]
        self._factor = float(context.lda.multiplicity) if to_iso else 1.0
        advised = model.feeds("aggregator", "advised")
        self._rounds_count = context.study.market.day_ahead_rounds if advised else 1
        self._rounds_offered = 0
        self._enveloped = model.feeds("aggregator", "envelopes")
        apart = context.study.market.bid.kind == "virtual_storage"
        self._stores_apart = apart and bool(context.receivers("day_ahead_store"))
        exact = context.study.market.bid.kind == "exact_cuts"
        self._each_store = exact and bool(context.receivers("der_stores"))
        self._schedules = ScheduleRecords(context.recorder, scenario, scenario.portfolio(context.owner))
        self._outlooks: list[Outlook] = []

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """Offers before each gate and in each day-ahead round; set-points whenever an award has come."""
        return {
            2: Phase(Cadence.STEP, self.act),
            52: Phase(Cadence.GATE, self.offer),
            51: Phase(Cadence.DAY_AHEAD, self.offer_day_ahead, 51),
        }

    def offer_day_ahead(self, grant: Grant) -> Outbox:
        """Offers of 24 hours, each from the state that following the prices expected before it leaves."""
        day = self._clock.day_ahead_day(grant.now)
        assert day is not None
        got = grant.inbox.only(self.ports.der_state)
        state = self._ders.state_at_midnight(day, grant.now, None if got is None else reported(got.message))
        directed, midnight = self._ders.directed(grant.now), self._clock.midnight(day)
        within = self._within(grant, self.ports.day_ahead_envelopes, midnight)
        outlooks, path = self._ders.day(day, self._advised(grant, day), state, directed, within)
        self._outlooks = outlooks
        offers = self._ders.portfolio.offers(
            outlooks, interval_s=midnight, length_s=HOUR_S, factor=self._factor
        )
        self._rounds_offered = (self._rounds_offered + 1) % self._rounds_count
        outbox = Outbox(again=self._rounds_offered > 0)
        outbox.put(self.ports.day_ahead_offers, offers)
        if self._stores_apart:
            fleet = self._ders.portfolio.fleet
            store = battery_offer(
                fleet,
                fleet.of_kind("battery") & directed,
                state,
                [outlook.interval for outlook in outlooks],
                path.terminal_usd_per_mwh,
                interval_s=midnight,
            )
            outbox.put(self.ports.day_ahead_store, store)
        if self._each_store:
            hours = [outlook.interval for outlook in outlooks]
            stores = store_day(self._ders.portfolio, state, hours, path.terminal_usd_per_mwh, directed)
            outbox.put(self.ports.der_stores, stores_message(stores, midnight, HOUR_S))
        return outbox

    def _advised(self, grant: Grant, day: int) -> FloatArray:
        """Prices expected at the bus, hour by hour: the first forecast, then what is advised. [$/MWh]"""
        if self._rounds_offered == 0:
            first: FloatArray = self._first_lmp[day]
            return first
        return advised_usd_per_mwh(grant, self.ports.advised, self._clock.midnight(day), self.name)

    def offer(self, grant: Grant) -> Outbox:
        """Offers for the interval whose gate is next."""
        step = grant.now // self._clock.step_s * self._clock.step_s
        interval = self._clock.gated_interval(step)
        assert interval is not None
        self._note_prices(grant)
        seen = state_at(self.ports, grant, self.name)
        state = self._ders.later(reported(seen), step + self._clock.step_s, interval, grant.now)
        within = self._within(grant, self.ports.envelopes, interval)
        outlook, _ = self._ders.interval(
            interval, grant.now, state, seen.site_mw * KW_PER_MW, None if within is None else within[0]
        )
        offers = self._ders.portfolio.offers(
            [outlook], interval_s=interval, length_s=self._clock.market_s, factor=self._factor
        )
        outbox = Outbox()
        outbox.put(self.ports.offers, offers)
        return outbox

    def _within(self, grant: Grant, port: In[DerEnvelopes], interval: SimTime) -> list[Within] | None:
        """Envelopes from an interval on, where the DSO publishes them."""
        if not self._enveloped:
            return None
        got = grant.inbox.only(port)
        if got is None or got.message.interval_s != interval:
            raise MissingInputError(
                f"{self.name} at {grant.now} s: no envelope from {interval} s on has come"
            )
        least, most = (
            values.reshape(got.message.intervals, -1) * KW_PER_MW
            for values in (got.message.least_mw, got.message.most_mw)
        )
        return [Within(least_kw=low, most_kw=high) for low, high in zip(least, most, strict=True)]

    def act(self, grant: Grant) -> Outbox:
        """Pass a new award on to the DERs."""
        self._note_prices(grant)
        for award in grant.inbox.new(self.ports.day_ahead_awards).values():
            self._record(award)
        outbox = Outbox()
        for award in grant.inbox.new(self.ports.awards).values():
            p = award.p_mw / self._factor
            outbox.put(self.ports.set_points, SetPoints(p_mw=p, q_mvar=award.q_mvar / self._factor))
        return outbox

    def _record(self, award: DerAwards) -> None:
        """Write what a day-ahead award schedules."""
        hours = award.p_mw.reshape(award.intervals, -1) * KW_PER_MW / self._factor
        scheduled = [self._ders.scheduled_kw(o, p) for o, p in zip(self._outlooks, hours, strict=True)]
        day = self._clock.day_of(award.interval_s)
        self._schedules.add(day, [outlook.interval for outlook in self._outlooks], scheduled)

    def _note_prices(self, grant: Grant) -> None:
        for begin, lmp in prices_of(self.ports, grant):
            self._ders.note(begin, lmp)
        for plan in grant.inbox.new(self.ports.store_plans).values():
            self._ders.note_plan(plan.interval_s, levels_of(plan))

    def save(self) -> State:
        """Day-ahead prices."""
        return {"schema": np.array([1.0]), **self._ders.save()}

    def restore(self, state: State) -> None:
        """Take up a saved state."""
        self._ders.restore(state)
