"""M4: the DSO tells the ISO what M1's does, and its feeders' limits as rows on the offered injections."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from federates.core.arrays import BoolArray, FloatArray, IntArray
from federates.core.context import Context
from federates.core.messages import DerOffers
from federates.core.protocol import Grant, Offset, Outbox, Phase
from federates.core.settings import aggregators_of
from federates.core.time import Cadence, SimTime
from federates.der.model import FleetState
from federates.dso.capacity import after
from federates.dso.columns import DerColumns
from federates.dso.feeder_model import LimitRows, SeenFeeder, area_rows, feeder_model, reach_columns
from federates.dso.local_need import LocalNeed
from federates.dso.offers import Offers
from federates.dso.roles.fixed_quantity import Believed
from federates.dso.roles.inflexible_demand import InflexibleDemand
from federates.dso.roles.kept_energy import KeptEnergy
from federates.dso.roles.seen import (
    HOUR_S,
    KW_PER_MW,
    conditions,
    record_collapses,
    seen_state,
    settle_idle,
    telemetry,
)
from federates.dso.roles.total import joined_offers, merit_kw
from federates.dso.total import HEAD_SHARE, BidInputs, Linearised, TotalDso, stepping, taken
from federates.scenario.lda import ExpectedLda


class FeederModelRole(InflexibleDemand):
    """Publishes the linear map around the dispatch that the ISO is expected to make.

    Offers go to the ISO. The DSO foresees them by the DERs' own models, from what its meters show stored and
    the price expected at its bus, as it does under M0b, and lets no more come of them than its feeders carry.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._recorder = context.recorder
        self._every = np.arange(len(self.scenario.fleet))
        mine = [self.scenario.portfolio(owner) for owner in aggregators_of(context.lda)]
        offered = np.concatenate(mine)
        self._columns_count = offered.size
        self._column: IntArray = np.full(self._every.size, -1)
        self._column[offered] = np.arange(offered.size)
        need = LocalNeed(self.scenario, HEAD_SHARE)
        self._kept_energy = KeptEnergy(self.scenario, need, None, self.clock)
        self._engine_day: int | None = None

    @property
    def phases(self) -> Mapping[Offset, Phase]:
        """A model and a bid before each gate, and once per day."""
        return {
            52: Phase(Cadence.GATE, self.bid),
            54: Phase(Cadence.DAY_AHEAD, self.day_ahead_bid, 54),
        }

    def day_ahead_bid(self, grant: Grant) -> Outbox:
        """Quantities and models of 24 hours, each around what its first price forecast would bring."""
        day = self.clock.day_ahead_day(grant.now)
        assert day is not None
        midnight, prices = self.clock.midnight(day), self.first_lmp[day]
        expected = self.scenario.expected_day(day, self.clock.day_ahead_issue(day))
        alone = self.day_ahead_kw(grant, day, expected)
        foreseen = self._foreseen_day(grant, day)
        engine, state = self._new_engine(), self.expected_state(grant, day)
        settle_idle(engine.twin, self.scenario, expected[0], state)
        hours, rows = [], []
        for hour, (own, price) in enumerate(zip(expected, prices.tolist(), strict=True)):
            offers = self._offers(foreseen, hour, grant.now, alone[hour])
            at_price, none = merit_kw(offers, price), np.zeros(self._every.size)
            inputs = BidInputs(
                interval_s=midnight + HOUR_S * hour,
                conditions=conditions(own, 1.0),
                taps=engine.twin.circuit.taps(),
                offers=offers,
                expected_kw=at_price,
                now_kw=None,
                q_kvar=none,
                q_limit_kvar=none,
                price_usd_per_mwh=price,
            )
            found = engine.linearised(inputs, keep_coefficients=False)
            self._record_collapses(grant.now, f"hour {hour} of the day-ahead model", found)
            hours.append(_believed(engine, own, inputs, found))
            rows.append(self._rows(engine, hours[-1], found, state, grant.now))
        outbox = self.day_ahead_bid_of(grant, day, hours)
        model = feeder_model(rows, interval_s=midnight, length_s=HOUR_S, multiplicity=self.multiplicity)
        outbox.put(self.ports.day_ahead_feeder_models, model)
        return outbox

    def bid(self, grant: Grant) -> Outbox:
        """Quantity and model of the interval whose gate is next."""
        step = grant.now // self.clock.step_s * self.clock.step_s
        interval = self.clock.gated_interval(step)
        assert interval is not None
        received, engine = telemetry(self.ports, grant, self.name), self._engine_of(step)
        seen = received.message
        expected = self.observer.expected(interval, grant.now, received, engine.twin)
        p_kw = seen.der_p_mw * KW_PER_MW
        foreseen, price = self._foreseen_interval(grant, interval)
        offers = self._offers(foreseen, 0, grant.now, self.real_time_kw(grant, interval, expected))
        most_kw = self._most_kw(interval, grant.now, seen_state(seen))
        inputs = BidInputs(
            interval_s=interval,
            conditions=conditions(expected, seen.head_v_pu),
            taps=seen.taps,
            offers=offers.within(most_kw),
            expected_kw=p_kw,
            now_kw=p_kw,
            q_kvar=seen.der_q_mvar * KW_PER_MW,
            q_limit_kvar=np.zeros(p_kw.size),
            price_usd_per_mwh=price,
        )
        found = engine.linearised(inputs, keep_coefficients=True)
        self._record_collapses(interval, "the model", found)
        believed = _believed(engine, expected, inputs, found)
        outbox = self.bid_of(grant, interval, believed)
        rows = self._rows(engine, believed, found, seen_state(seen), grant.now)
        model = feeder_model(
            [rows.with_most(most_kw, self._column)],
            interval_s=interval,
            length_s=self.clock.market_s,
            multiplicity=self.multiplicity,
        )
        outbox.put(self.ports.feeder_models, model)
        return outbox

    def _most_kw(self, interval: SimTime, now: SimTime, state: FleetState) -> FloatArray:
        """Greatest injections that leave the energy kept for the evening; inf where a DER's own power does.

        Shape (ders,). [kW]
        """
        fleet = self.scenario.fleet
        stored_kwh = after(fleet, state.energy_kwh, state.p_kw, (interval - now) / HOUR_S)
        most_kw = self._kept_energy.most_kw(now, interval, self.clock.market_s, stored_kwh)
        return np.where(most_kw < fleet.power_kw, most_kw, np.inf)

    def _foreseen_day(self, grant: Grant, day: int) -> DerOffers:
        """What all DERs would offer for a day at the first price forecast."""
        got = grant.inbox.only(self.ports.telemetry)
        seen = None if got is None else seen_state(got.message)
        state = self.foreseen.state_at_midnight(day, grant.now, seen)
        outlooks, _ = self.foreseen.day(day, self.first_lmp[day], state, self.foreseen.directed(grant.now))
        return self.foreseen.portfolio.offers(
            outlooks, interval_s=self.clock.midnight(day), length_s=HOUR_S, factor=1.0
        )

    def _foreseen_interval(self, grant: Grant, interval: SimTime) -> tuple[DerOffers, float]:
        """What all DERs would offer for an interval, and the price expected of it. [$/MWh]"""
        self.note_prices(grant)
        step = grant.now // self.clock.step_s * self.clock.step_s
        seen = telemetry(self.ports, grant, self.name).message
        state = self.foreseen.later(seen_state(seen), step + self.clock.step_s, interval, grant.now)
        outlook, path = self.foreseen.interval(interval, grant.now, state, np.zeros(self._every.size))
        offers = self.foreseen.portfolio.offers(
            [outlook], interval_s=interval, length_s=self.clock.market_s, factor=1.0
        )
        return offers, float(path.price_usd_per_mwh[0])

    def _offers(self, foreseen: DerOffers, interval: int, now: SimTime, others_kw: FloatArray) -> Offers:
        """Offers foreseen for one interval; who follows nobody is expected at ``others_kw``."""
        offers = joined_offers([foreseen], [self._every], self._every.size, interval)
        directed = self.scenario.directed(now)
        return replace(offers, floor_kw=np.where(directed, offers.floor_kw, others_kw))

    def _rows(
        self, engine: TotalDso, believed: Believed, found: Linearised, state: FleetState, now: SimTime
    ) -> LimitRows:
        """Limits in one interval; the DSO knows what its DERs can do, not what they ask for it."""
        interval, scenario = believed.expected.ders, self.scenario
        directed = scenario.directed(now) & (self._column >= 0)
        possible = scenario.behaviour.feasible(state, interval)
        least = np.where(directed, np.minimum(interval.least_kw, possible.p_min_kw), believed.p_kw)
        most = np.where(directed, np.maximum(interval.available_kw, possible.p_max_kw), believed.p_kw)
        offered = found.columns
        idle = np.clip(offered.base_kw, offered.floor_kw, offered.top_kw)
        base = np.where(directed, idle, believed.p_kw)
        return limit_rows(
            engine,
            found,
            reach_columns(least, most, base, believed.q_kvar),
            directed=directed,
            column=np.where(directed, self._column, -1),
            ders_count=self._columns_count,
        )

    def _record_collapses(self, t: SimTime, what: str, found: Linearised) -> None:
        record_collapses(self._recorder, self.name, t, what, found.collapsed_count)

    def _new_engine(self) -> TotalDso:
        """The ISO dispatches, and counts nothing for moving a DER."""
        return TotalDso(self.scenario, move_usd_per_mwh=0.0)

    def _engine_of(self, now: SimTime) -> TotalDso:
        """The day's engine: new every midnight, so that a run continued there has the same numbers."""
        day = max(self.clock.day_of(now), 0)
        if day != self._engine_day:
            self._engine_day, self._engine = day, self._new_engine()
        return self._engine


def _believed(engine: TotalDso, expected: ExpectedLda, inputs: BidInputs, found: Linearised) -> Believed:
    """What is believed of an interval whose feeders are linearised so."""
    p_kw = engine.twin.joined(found.at.p_kw)
    return Believed(expected=expected, p_kw=p_kw, q_kvar=inputs.q_kvar, solved=found.state)


def limit_rows(
    engine: TotalDso,
    found: Linearised,
    reach: DerColumns,
    *,
    directed: BoolArray,
    column: IntArray,
    ders_count: int,
) -> LimitRows:
    """The limits that a total DSO keeps around a linearised area, as rows; asked right after ``found``.

    Parameters
    ----------
    reach
        What the DERs may inject, in fleet order.
    directed
        Which of them follow set-points, shape (ders,).
    column
        Column of each DER in the rows, shape (ders,).
    ders_count
        Number of columns.
    """
    seen = []
    for place, (point, offer) in enumerate(zip(found.state.points, found.feeders, strict=True)):
        mine = engine.twin.feeder_of_der == place
        feeder = SeenFeeder(
            point=point,
            reach=taken(reach, mine),
            directed=directed[mine],
            limits=stepping(offer.limits, found.before_pu[place]),
            column=column[mine],
        )
        seen.append(feeder)
    return area_rows(
        seen,
        ders_count,
        constant_mw=engine.twin.constant_mw(found.state),
        substation_mw=engine.substation_mw,
        step_mw=engine.step_mw(found),
    )
